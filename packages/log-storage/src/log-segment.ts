import { join } from 'node:path'
import { BatchCursor, batchOverheadBytes, CorruptBatchError } from '@vivarium/kafka-protocol'
import type { Disk, DiskFile } from '@vivarium/platform'

/** `00000000000000000042` */
export function offsetName(offset: number): string {
  return String(offset).padStart(20, '0')
}

const scanBytes = 1024 * 1024

/**
 * One file of a partition's log with its offset index and time index. The indexes are kept in memory and written beside
 * the log; both are sparse: an entry every `indexIntervalBytes`.
 */
export class LogSegment {
  readonly baseOffset: number
  readonly #disk: Disk
  readonly #folder: string
  readonly #indexIntervalBytes: number
  #file: DiskFile | null = null
  #opening: Promise<void> | null = null
  /** The last writing of the indexes: one goes after another. */
  #indexing: Promise<void> = Promise.resolve()
  sizeBytes = 0
  largestTimestampMs = -1
  #offsetOfLargestTimestamp = -1
  firstTimestampMs = -1
  createdMs: number
  #bytesSinceIndex = 0
  /** Relative last offset and position of every indexed batch. */
  readonly #offsets: number[] = []
  readonly #positions: number[] = []
  readonly #timestamps: number[] = []
  readonly #timeOffsets: number[] = []
  #storedIndexEntries = 0
  #storedTimeEntries = 0

  constructor(
    disk: Disk,
    folder: string,
    baseOffset: number,
    options: { indexIntervalBytes: number; nowMs: number },
  ) {
    this.#disk = disk
    this.#folder = folder
    this.baseOffset = baseOffset
    this.#indexIntervalBytes = options.indexIntervalBytes
    this.createdMs = options.nowMs
  }

  path(extension: 'log' | 'index' | 'timeindex' | 'snapshot' | 'txnindex'): string {
    return join(this.#folder, `${offsetName(this.baseOffset)}.${extension}`)
  }

  async open(): Promise<void> {
    if (this.#file !== null) return
    this.#opening ??= this.#openFile().finally(() => {
      this.#opening = null
    })
    await this.#opening
  }

  async #openFile(): Promise<void> {
    const isNew = (await this.#disk.stat(this.path('log'))) === null
    this.#file = await this.#disk.open(this.path('log'), 'append-or-create')
    // Tools look for both indexes beside every log, also beside the one that is being written.
    if (isNew) await this.writeIndexes(false)
  }

  get indexBytes(): number {
    return this.#offsets.length * 8
  }

  /** Takes note of a batch that will stand at the end of the file: size, times and index entries. */
  noteBatch(batch: BatchCursor): void {
    const position = this.sizeBytes
    if (this.#bytesSinceIndex > this.#indexIntervalBytes) {
      this.#offsets.push(batch.lastOffset - this.baseOffset)
      this.#positions.push(position)
      if (this.largestTimestampMs > (this.#timestamps.at(-1) ?? -1)) {
        this.#timestamps.push(this.largestTimestampMs)
        this.#timeOffsets.push(this.#offsetOfLargestTimestamp)
      }
      this.#bytesSinceIndex = 0
    }
    const { maxTimestampMs } = batch
    if (this.firstTimestampMs === -1) this.firstTimestampMs = maxTimestampMs
    if (maxTimestampMs > this.largestTimestampMs) {
      this.largestTimestampMs = maxTimestampMs
      this.#offsetOfLargestTimestamp = batch.lastOffset - this.baseOffset
    }
    this.#bytesSinceIndex += batch.sizeBytes
    this.sizeBytes += batch.sizeBytes
  }

  async write(buffers: readonly Buffer[], position: number): Promise<void> {
    await this.open()
    await this.#file!.write(buffers, position)
  }

  async flush(): Promise<void> {
    await this.#file?.sync()
  }

  /** Brings the index files up to what is in memory; `isFinal` adds the last entry of the time index. */
  writeIndexes(isFinal: boolean): Promise<void> {
    const write = () => this.#writeIndexes(isFinal)
    this.#indexing = this.#indexing.then(write, write)
    return this.#indexing
  }

  async #writeIndexes(isFinal: boolean): Promise<void> {
    if (isFinal && this.largestTimestampMs > (this.#timestamps.at(-1) ?? -1)) {
      this.#timestamps.push(this.largestTimestampMs)
      this.#timeOffsets.push(this.#offsetOfLargestTimestamp)
    }
    this.#storedIndexEntries = await this.#store(
      'index',
      8,
      this.#storedIndexEntries,
      this.#offsets.length,
      (bytes, at, i) => {
        bytes.writeInt32BE(this.#offsets[i]!, at)
        bytes.writeInt32BE(this.#positions[i]!, at + 4)
      },
    )
    this.#storedTimeEntries = await this.#store(
      'timeindex',
      12,
      this.#storedTimeEntries,
      this.#timestamps.length,
      (bytes, at, i) => {
        bytes.writeBigInt64BE(BigInt(this.#timestamps[i]!), at)
        bytes.writeInt32BE(this.#timeOffsets[i]!, at + 8)
      },
    )
  }

  async #store(
    extension: 'index' | 'timeindex',
    entryBytes: number,
    from: number,
    to: number,
    write: (bytes: Buffer, at: number, index: number) => void,
  ): Promise<number> {
    const bytes = Buffer.alloc((to - from) * entryBytes)
    for (let i = from; i < to; i++) write(bytes, (i - from) * entryBytes, i)
    const file = await this.#disk.open(this.path(extension), 'append-or-create')
    try {
      await file.truncate(from * entryBytes)
      await file.write([bytes], from * entryBytes)
    } finally {
      await file.close()
    }
    return to
  }

  /** Position to begin looking for `offset`: at or before the batch that holds it. */
  positionOf(offset: number): number {
    const index = lastAtMost(this.#offsets, offset - this.baseOffset)
    return index === -1 ? 0 : this.#positions[index]!
  }

  /**
   * Whole batches from the one that holds `offset` on: at least one, even past `maxBytes` (KIP-74), none that begins at or
   * after `upTo`. Empty if the segment ends before.
   */
  async read(offset: number, maxBytes: number, upTo: number): Promise<Buffer> {
    await this.open()
    let position = this.positionOf(offset)
    const { sizeBytes } = this
    for (;;) {
      const length = Math.min(
        Math.max(maxBytes + this.#indexIntervalBytes * 2, 64 * 1024),
        sizeBytes - position,
      )
      if (length <= 0) return Buffer.alloc(0)
      let chunk = await this.#readAt(position, length)
      const cursor = new BatchCursor(chunk)
      let start = -1
      let end = -1
      let isPast = false
      while (cursor.next()) {
        isPast = cursor.baseOffset >= upTo
        if (isPast) break
        if (start === -1 && cursor.lastOffset < offset) continue
        if (start === -1) start = cursor.start
        else if (cursor.position - start > maxBytes) break
        end = cursor.position
      }
      if (start !== -1) return chunk.subarray(start, end)
      if (isPast) return Buffer.alloc(0)
      if (cursor.position === 0) {
        // The batch is larger than the chunk: read it whole.
        const batchBytes = batchOverheadBytes + chunk.readInt32BE(8)
        if (batchBytes > sizeBytes - position) return Buffer.alloc(0)
        chunk = await this.#readAt(position, batchBytes)
        const whole = new BatchCursor(chunk)
        if (whole.next() && whole.lastOffset >= offset)
          return whole.baseOffset >= upTo ? Buffer.alloc(0) : chunk
        position += batchBytes
      } else {
        position += cursor.position
      }
    }
  }

  async #readAt(position: number, length: number): Promise<Buffer> {
    const chunk = Buffer.allocUnsafe(length)
    const count = await this.#file!.read(chunk, position)
    return count === length ? chunk : chunk.subarray(0, count)
  }

  /** The first batch whose newest record is at or after `timestampMs`, or null. */
  async offsetAt(
    timestampMs: number,
  ): Promise<{ offset: number; timestampMs: number; batch: Buffer } | null> {
    if (this.largestTimestampMs < timestampMs) return null
    const index = lastAtMost(this.#timestamps, timestampMs - 1)
    let offset = this.baseOffset + (index === -1 ? 0 : this.#timeOffsets[index]!)
    for (;;) {
      const bytes = await this.read(offset, 64 * 1024, Number.MAX_SAFE_INTEGER)
      if (bytes.length === 0) return null
      const cursor = new BatchCursor(bytes)
      while (cursor.next()) {
        if (cursor.maxTimestampMs >= timestampMs) {
          return {
            offset: cursor.baseOffset,
            timestampMs: cursor.maxTimestampMs,
            batch: bytes.subarray(cursor.start, cursor.position),
          }
        }
        offset = cursor.lastOffset + 1
      }
    }
  }

  /**
   * Reads the file from the start, checking every batch, and makes the indexes anew. Cuts off what follows the last good
   * batch. Gives the offset behind it, and whether something was cut.
   */
  async recover(onBatch: (batch: BatchCursor) => void): Promise<{ nextOffset: number; wasCut: boolean }> {
    await this.open()
    const fileBytes = await this.#file!.size()
    this.#reset()
    let nextOffset = this.baseOffset
    let position = 0
    while (position < fileBytes) {
      let chunk = await this.#readAt(position, Math.min(scanBytes, fileBytes - position))
      const first = chunk.length >= batchOverheadBytes ? batchOverheadBytes + chunk.readInt32BE(8) : 0
      if (first > chunk.length && first <= fileBytes - position) chunk = await this.#readAt(position, first)
      const cursor = new BatchCursor(chunk)
      let good = 0
      try {
        while (cursor.next()) {
          cursor.validate()
          if (cursor.baseOffset < nextOffset) break
          this.noteBatch(cursor)
          onBatch(cursor)
          nextOffset = cursor.lastOffset + 1
          good = cursor.position
        }
      } catch (error) {
        if (!(error instanceof CorruptBatchError)) throw error
        // A batch that does not check ends the log; what follows it was never acknowledged by this copy alone.
        position += good
        break
      }
      if (good === 0) break
      position += good
      if (good !== cursor.position) break
    }
    const wasCut = position < fileBytes
    if (wasCut) await this.#file!.truncate(position)
    this.sizeBytes = position
    await this.#rewriteIndexes()
    return { nextOffset, wasCut }
  }

  #reset(): void {
    this.sizeBytes = 0
    this.largestTimestampMs = -1
    this.#offsetOfLargestTimestamp = -1
    this.firstTimestampMs = -1
    this.#bytesSinceIndex = 0
    this.#offsets.length = 0
    this.#positions.length = 0
    this.#timestamps.length = 0
    this.#timeOffsets.length = 0
  }

  async #rewriteIndexes(): Promise<void> {
    this.#storedIndexEntries = 0
    this.#storedTimeEntries = 0
    await this.writeIndexes(false)
  }

  /** Loads a segment that was closed in order. False if its index cannot be trusted: then `recover` it. */
  async load(): Promise<boolean> {
    await this.open()
    this.#reset()
    this.sizeBytes = await this.#file!.size()
    const modified = await this.#disk.stat(this.path('log'))
    this.createdMs = modified?.modifiedMs ?? this.createdMs
    const index = await this.#readIndex('index', 8)
    const times = await this.#readIndex('timeindex', 12)
    if (index === null || times === null) return false
    for (let at = 0; at < index.length; at += 8) {
      const offset = index.readInt32BE(at)
      const position = index.readInt32BE(at + 4)
      // An index preallocated and not trimmed (after a crash of Apache's broker) ends in zeros.
      if (offset === 0 && position === 0 && at > 0) break
      if (offset < (this.#offsets.at(-1) ?? -1) || position < 0 || position >= this.sizeBytes) return false
      this.#offsets.push(offset)
      this.#positions.push(position)
    }
    for (let at = 0; at < times.length; at += 12) {
      const timestampMs = Number(times.readBigInt64BE(at))
      if (timestampMs <= (this.#timestamps.at(-1) ?? -1)) break
      this.#timestamps.push(timestampMs)
      this.#timeOffsets.push(times.readInt32BE(at + 8))
    }
    this.#storedIndexEntries = this.#offsets.length
    this.#storedTimeEntries = this.#timestamps.length
    this.largestTimestampMs = this.#timestamps.at(-1) ?? -1
    this.#offsetOfLargestTimestamp = this.#timeOffsets.at(-1) ?? -1
    return true
  }

  async #readIndex(extension: 'index' | 'timeindex', entryBytes: number): Promise<Buffer | null> {
    try {
      const bytes = await this.#disk.readFile(this.path(extension))
      return bytes.length % entryBytes === 0 ? bytes : null
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  /** The offset behind the last batch, read from the last indexed one on. */
  async endOffset(onBatch?: (batch: BatchCursor) => void): Promise<number> {
    let position = this.#positions.at(-1) ?? 0
    let nextOffset = this.baseOffset
    while (position < this.sizeBytes) {
      let chunk = await this.#readAt(position, Math.min(scanBytes, this.sizeBytes - position))
      if (chunk.length < batchOverheadBytes) break
      const first = batchOverheadBytes + chunk.readInt32BE(8)
      if (first > chunk.length) chunk = await this.#readAt(position, first)
      const cursor = new BatchCursor(chunk)
      while (cursor.next()) {
        nextOffset = cursor.lastOffset + 1
        if (cursor.maxTimestampMs > this.largestTimestampMs) this.largestTimestampMs = cursor.maxTimestampMs
        onBatch?.(cursor)
      }
      if (cursor.position === 0) break
      position += cursor.position
    }
    return nextOffset
  }

  /** Every batch from `offset` on, to rebuild what is derived from them. */
  async scan(offset: number, onBatch: (batch: BatchCursor) => void): Promise<void> {
    for (let at = offset; ; ) {
      const bytes = await this.read(at, scanBytes, Number.MAX_SAFE_INTEGER)
      if (bytes.length === 0) return
      const cursor = new BatchCursor(bytes)
      while (cursor.next()) {
        onBatch(cursor)
        at = cursor.lastOffset + 1
      }
    }
  }

  /** Cuts off every batch that reaches to or past `offset`. */
  async truncateTo(offset: number): Promise<void> {
    await this.open()
    const kept: { position: number; lastOffset: number } = { position: 0, lastOffset: this.baseOffset - 1 }
    await this.scan(this.baseOffset, batch => {
      if (batch.lastOffset >= offset) return
      kept.position += batch.sizeBytes
      kept.lastOffset = batch.lastOffset
    })
    await this.#file!.truncate(kept.position)
    await this.recover(() => {})
  }

  async close(): Promise<void> {
    await this.writeIndexes(true)
    await this.#file?.close()
    this.#file = null
  }

  /** Takes the files away for good. */
  async remove(): Promise<void> {
    await this.#file?.close()
    this.#file = null
    for (const extension of ['log', 'index', 'timeindex', 'snapshot', 'txnindex'] as const)
      await this.#disk.remove(this.path(extension))
  }
}

/** Index of the last value ≤ `limit` in ascending `values`, −1 if none. */
function lastAtMost(values: readonly number[], limit: number): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (values[middle]! <= limit) low = middle + 1
    else high = middle
  }
  return low - 1
}

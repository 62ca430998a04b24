import { join } from 'node:path'
import { MalformedBytesError } from '@vivarium/bytes'
import { BatchCursor, CorruptBatchError, decodeRecords, errorCode } from '@vivarium/kafka-protocol'
import { assert, type Clock, type Disk, type Log } from '@vivarium/platform'
import { readCheckpoint, writeCheckpoint } from './checkpoint-file.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import { LogError } from './log-error.ts'
import { LogSegment, offsetName } from './log-segment.ts'
import { ProducerState } from './producer-state.ts'
import { TailCache } from './tail-cache.ts'
import type { TopicLogConfig } from './topic-log-config.ts'

const tailCacheBytes = 2 * 1024 * 1024

export interface AppendResult {
  baseOffset: number
  lastOffset: number
  /** −1 unless the log stamps records itself. */
  logAppendTimeMs: number
  /** The batch was in the log already; offsets are those of its first copy. */
  isDuplicate: boolean
}

export interface LogWorld {
  disk: Disk
  clock: Clock
  log: Log
}

/**
 * One partition's log: segments in order, the newest being written. Offsets are assigned, and what is appended can be
 * read, at once; `written` says when the system has the bytes.
 *
 * Invariant: baseOffset ≤ offset < next baseOffset in every segment, strictly increasing. Opening restores it.
 */
export class PartitionLog {
  readonly topic: string
  readonly partition: number
  readonly folder: string
  config: TopicLogConfig
  topicId: string | null = null
  leaderEpochs: LeaderEpochs = new LeaderEpochs()
  readonly producers: ProducerState = new ProducerState()
  readonly #world: LogWorld
  readonly #onFailure: (error: Error) => void
  #segments: LogSegment[] = []
  #logStartOffset = 0
  #logEndOffset = 0
  #writtenOffset = 0
  #flushedOffset = 0
  readonly #tail = new TailCache(tailCacheBytes)
  #pending: { segment: LogSegment; position: number; buffers: Buffer[]; nextOffset: number }[] = []
  #writing: Promise<void> | null = null
  #failure: Error | null = null
  #waiters: { offset: number; resolve: () => void; reject: (error: Error) => void }[] = []
  #sealed: LogSegment[] = []
  #epochsChanged = false

  /** For LogDirectory. `onFailure` is told once when the disk refuses. */
  constructor(
    world: LogWorld,
    name: { topic: string; partition: number; folder: string },
    config: TopicLogConfig,
    onFailure: (error: Error) => void,
  ) {
    this.#world = world
    this.topic = name.topic
    this.partition = name.partition
    this.folder = name.folder
    this.config = config
    this.#onFailure = onFailure
  }

  get name(): string {
    return `${this.topic}-${this.partition}`
  }

  get logStartOffset(): number {
    return this.#logStartOffset
  }

  /** Offset of the next record. */
  get logEndOffset(): number {
    return this.#logEndOffset
  }

  /** Everything before it survives the process. */
  get writtenOffset(): number {
    return this.#writtenOffset
  }

  /** Everything before it survives the machine. */
  get recoveryPoint(): number {
    return this.#flushedOffset
  }

  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
  }

  get segmentCount(): number {
    return this.#segments.length
  }

  get #active(): LogSegment {
    return this.#segments.at(-1)!
  }

  // ---- opening -----------------------------------------------------------------------------------------------------------

  /**
   * Loads what is on disk. After an unclean stop every segment from the recovery point on is read and checked; a torn or
   * corrupt tail is cut off.
   */
  async open(options: { isClean: boolean; recoveryPoint: number; logStartOffset: number }): Promise<void> {
    const { disk, log } = this.#world
    await disk.makeDirectory(this.folder)
    const names = (await disk.list(this.folder)) ?? []
    const bases = names.filter(name => /^\d{20}\.log$/.test(name)).map(name => Number(name.slice(0, 20)))
    this.#segments = bases.map(base => this.#newSegment(base))
    this.leaderEpochs = new LeaderEpochs(
      (await readCheckpoint(disk, join(this.folder, 'leader-epoch-checkpoint'), 2)).map(([epoch, start]) => ({
        epoch: Number(epoch),
        startOffset: Number(start),
      })),
    )
    await this.#readTopicId()
    let nextOffset = bases[0] ?? options.logStartOffset
    for (let i = 0; i < this.#segments.length; i++) {
      const segment = this.#segments[i]!
      const next = this.#segments[i + 1]
      const mustCheck = !options.isClean && (next === undefined || next.baseOffset > options.recoveryPoint)
      if (!mustCheck && (await segment.load())) {
        nextOffset = next === undefined ? await segment.endOffset() : next.baseOffset
        continue
      }
      const recovered = await segment.recover(batch => {
        if (batch.partitionLeaderEpoch > this.leaderEpochs.latest)
          this.leaderEpochs.assign(batch.partitionLeaderEpoch, batch.baseOffset)
      })
      nextOffset = recovered.nextOffset
      if (!recovered.wasCut) continue
      log.warn(
        `[Log partition=${this.name}] the segment of ${segment.baseOffset} was cut off at offset ${nextOffset}`,
      )
      for (const later of this.#segments.splice(i + 1)) await later.remove()
    }
    if (this.#segments.length === 0) {
      this.#segments = [this.#newSegment(nextOffset)]
      await this.#active.open()
    }
    this.#logEndOffset = nextOffset
    this.#writtenOffset = nextOffset
    this.#flushedOffset = options.isClean ? nextOffset : Math.min(options.recoveryPoint, nextOffset)
    this.#logStartOffset = Math.max(
      this.#segments[0]!.baseOffset,
      Math.min(options.logStartOffset, nextOffset),
    )
    this.leaderEpochs.truncateFromEnd(nextOffset + 1)
    await this.#loadProducers()
  }

  #newSegment(baseOffset: number): LogSegment {
    return new LogSegment(this.#world.disk, this.folder, baseOffset, {
      indexIntervalBytes: this.config.indexIntervalBytes,
      nowMs: this.#world.clock.wallMs(),
    })
  }

  /** From the newest snapshot at or before the end, and what follows it. */
  async #loadProducers(): Promise<void> {
    const { disk, log } = this.#world
    this.producers.clear()
    const snapshots = ((await disk.list(this.folder)) ?? [])
      .filter(name => /^\d{20}\.snapshot$/.test(name))
      .map(name => Number(name.slice(0, 20)))
      .reverse()
    let from = this.#logStartOffset
    for (const offset of snapshots) {
      const path = join(this.folder, `${offsetName(offset)}.snapshot`)
      if (offset > this.#logEndOffset) {
        await disk.remove(path)
        continue
      }
      try {
        this.producers.decode(await disk.readFile(path))
        from = offset
        break
      } catch (error) {
        if (!(error instanceof MalformedBytesError)) throw error
        log.warn(`[Log partition=${this.name}] ${path} is damaged and is made anew`)
        await disk.remove(path)
      }
    }
    for (const segment of this.#segments) {
      const isBehind = segment !== this.#active && this.#nextBase(segment) <= from
      if (!isBehind)
        await segment.scan(
          Math.max(from, segment.baseOffset),
          batch => batch.lastOffset >= from && this.producers.update(batch),
        )
    }
  }

  #nextBase(segment: LogSegment): number {
    return this.#segments[this.#segments.indexOf(segment) + 1]?.baseOffset ?? this.#logEndOffset
  }

  async #readTopicId(): Promise<void> {
    try {
      const text = (await this.#world.disk.readFile(join(this.folder, 'partition.metadata'))).toString('utf8')
      this.topicId = /^topic_id: ([\w-]{22})$/m.exec(text)?.[1] ?? null
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }

  async setTopicId(topicId: string): Promise<void> {
    if (this.topicId === topicId) return
    this.topicId = topicId
    await this.#world.disk.replaceFile(
      join(this.folder, 'partition.metadata'),
      `version: 0\ntopic_id: ${topicId}`,
    )
  }

  // ---- appending ---------------------------------------------------------------------------------------------------------------

  /** A leader's append: assigns offsets and writes `leaderEpoch` into the batches, in place. Throws LogError. */
  appendAsLeader(bytes: Buffer, leaderEpoch: number, origin: 'client' | 'coordinator'): AppendResult {
    this.#assertUsable()
    const nowMs = this.#world.clock.wallMs()
    const cursor = new BatchCursor(bytes)
    this.#validate(cursor, origin)
    const verdict = this.producers.check(cursor)
    if (verdict !== 'new') {
      return {
        baseOffset: verdict.firstOffset,
        lastOffset: verdict.firstOffset + cursor.lastOffsetDelta,
        logAppendTimeMs: -1,
        isDuplicate: true,
      }
    }
    const isStamped = this.config.messageTimestampType === 'LogAppendTime'
    if (isStamped) cursor.setLogAppendTime(nowMs)
    const baseOffset = this.#logEndOffset
    cursor.assign(baseOffset, leaderEpoch)
    this.noteEpoch(leaderEpoch, baseOffset)
    this.#append(cursor, bytes.subarray(cursor.start, cursor.position))
    return {
      baseOffset,
      lastOffset: cursor.lastOffset,
      logAppendTimeMs: isStamped ? nowMs : -1,
      isDuplicate: false,
    }
  }

  #validate(cursor: BatchCursor, origin: 'client' | 'coordinator'): void {
    try {
      if (!cursor.next()) throw new LogError(errorCode.CORRUPT_MESSAGE, 'the records are no whole batch')
      cursor.validate()
    } catch (error) {
      if (error instanceof CorruptBatchError) throw new LogError(errorCode.CORRUPT_MESSAGE, error.message)
      throw error
    }
    const { sizeBytes } = cursor
    if (cursor.position !== cursor.end)
      throw new LogError(errorCode.INVALID_RECORD, 'a partition takes one batch at a time')
    if (sizeBytes > this.config.maxMessageBytes) {
      throw new LogError(
        errorCode.MESSAGE_TOO_LARGE,
        `the batch has ${sizeBytes} bytes; max.message.bytes of ${this.topic} is ${this.config.maxMessageBytes}`,
      )
    }
    if (sizeBytes > this.config.segmentBytes)
      throw new LogError(
        errorCode.RECORD_LIST_TOO_LARGE,
        `the batch is larger than a segment of ${this.topic}`,
      )
    if (cursor.recordCount <= 0 || cursor.lastOffsetDelta !== cursor.recordCount - 1) {
      throw new LogError(
        errorCode.INVALID_RECORD,
        `the batch says ${cursor.recordCount} records and a last offset delta of ${cursor.lastOffsetDelta}`,
      )
    }
    if (origin !== 'client') return
    if (cursor.isControl)
      throw new LogError(errorCode.INVALID_RECORD, 'clients may not write control batches')
    if (cursor.producerId >= 0 && cursor.baseSequence < 0)
      throw new LogError(errorCode.INVALID_RECORD, 'a batch of an idempotent producer without sequence')
    if (cursor.isTransactional)
      throw new LogError(errorCode.INVALID_TXN_STATE, 'transactions are not served yet')
    if (this.config.cleanupPolicy.includes('compact')) this.#requireKeys(cursor)
  }

  #requireKeys(cursor: BatchCursor): void {
    for (const record of decodeRecords(cursor.buffer.subarray(cursor.start, cursor.position))) {
      if (record.key === null)
        throw new LogError(
          errorCode.INVALID_RECORD,
          `${this.topic} is compacted and takes no record without key`,
        )
    }
  }

  /** A follower's append: batches as the leader stored them. Throws LogError when they do not follow the log's end. */
  appendAsFollower(bytes: Buffer): { lastOffset: number } {
    this.#assertUsable()
    const cursor = new BatchCursor(bytes)
    let from = -1
    while (cursor.next()) {
      if (cursor.lastOffset < this.#logEndOffset) continue
      if (
        cursor.baseOffset < this.#logEndOffset &&
        from === -1 &&
        this.#logEndOffset > this.#logStartOffset
      ) {
        throw new LogError(
          errorCode.UNKNOWN_SERVER_ERROR,
          `a batch of ${cursor.baseOffset}–${cursor.lastOffset} overlaps the end, ${this.#logEndOffset}`,
        )
      }
      cursor.validate()
      from = cursor.start
      this.noteEpoch(cursor.partitionLeaderEpoch, cursor.baseOffset)
      this.#append(cursor, bytes.subarray(cursor.start, cursor.position))
    }
    return { lastOffset: this.#logEndOffset - 1 }
  }

  /** A leader epoch begins at `startOffset`. */
  noteEpoch(epoch: number, startOffset: number): void {
    if (epoch >= 0 && this.leaderEpochs.assign(epoch, startOffset)) this.#epochsChanged = true
  }

  #append(cursor: BatchCursor, batch: Buffer): void {
    if (this.#mustRoll(cursor)) this.#roll(cursor.baseOffset)
    const segment = this.#active
    const position = segment.sizeBytes
    segment.noteBatch(cursor)
    this.producers.update(cursor)
    const nextOffset = cursor.lastOffset + 1
    this.#logEndOffset = nextOffset
    // A small slice would keep the whole chunk it was received in.
    const kept = batch.length * 4 < batch.buffer.byteLength ? Buffer.from(batch) : batch
    this.#tail.add(cursor.baseOffset, nextOffset, kept)
    const last = this.#pending.at(-1)
    if (last !== undefined && last.segment === segment) {
      last.buffers.push(kept)
      last.nextOffset = nextOffset
    } else {
      this.#pending.push({ segment, position, buffers: [kept], nextOffset })
    }
    this.#writing ??= this.#writeLoop()
  }

  #mustRoll(cursor: BatchCursor): boolean {
    const segment = this.#active
    if (segment.sizeBytes === 0) return false
    if (segment.sizeBytes + cursor.sizeBytes > this.config.segmentBytes) return true
    if (segment.indexBytes >= this.config.indexSizeBytes) return true
    if (cursor.lastOffset - segment.baseOffset > 2 ** 31 - 1) return true
    const firstMs = segment.firstTimestampMs
    const ageMs =
      firstMs >= 0 && cursor.maxTimestampMs >= 0
        ? cursor.maxTimestampMs - firstMs
        : this.#world.clock.wallMs() - segment.createdMs
    return ageMs > this.config.segmentMs
  }

  #roll(baseOffset: number): void {
    this.#sealed.push(this.#active)
    this.#segments.push(this.#newSegment(baseOffset))
    this.#world.log.info(`[Log partition=${this.name}] Rolled new log segment at offset ${baseOffset}`)
  }

  async #writeLoop(): Promise<void> {
    // What this turn of the event loop appends goes together.
    await null
    try {
      while (this.#pending.length > 0) {
        const batch = this.#pending
        this.#pending = []
        for (const { segment, position, buffers, nextOffset } of batch) {
          await segment.write(buffers, position)
          this.#writtenOffset = nextOffset
        }
        if (this.config.flushMessages <= 1) await this.#flushActive()
        if (this.#sealed.length > 0) await this.#finishSealed()
        if (this.#epochsChanged) await this.#writeEpochs()
        this.#wake()
      }
      this.#writing = null
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  async #finishSealed(): Promise<void> {
    const sealed = this.#sealed
    this.#sealed = []
    for (const segment of sealed) {
      await segment.flush()
      await segment.writeIndexes(true)
    }
    this.#flushedOffset = Math.max(this.#flushedOffset, this.#active.baseOffset)
    await this.#writeSnapshot(this.#active.baseOffset)
  }

  async #writeSnapshot(offset: number): Promise<void> {
    // The state is that of the end; it is a snapshot of `offset` only if nothing was appended since.
    if (offset !== this.#logEndOffset) return
    await this.#world.disk.replaceFile(
      join(this.folder, `${offsetName(offset)}.snapshot`),
      this.producers.encode(),
    )
  }

  async #writeEpochs(): Promise<void> {
    this.#epochsChanged = false
    const lines = this.leaderEpochs.entries.map(entry => [entry.epoch, entry.startOffset])
    await writeCheckpoint(this.#world.disk, join(this.folder, 'leader-epoch-checkpoint'), lines)
  }

  #wake(): void {
    const ready = this.#waiters.filter(waiter => waiter.offset <= this.#writtenOffset)
    if (ready.length === 0) return
    this.#waiters = this.#waiters.filter(waiter => waiter.offset > this.#writtenOffset)
    for (const { resolve } of ready) resolve()
  }

  #fail(error: Error): void {
    if (this.#failure !== null) return
    this.#failure = error
    const waiters = this.#waiters
    this.#waiters = []
    for (const { reject } of waiters) reject(error)
    this.#onFailure(error)
  }

  #assertUsable(): void {
    if (this.#failure !== null)
      throw new LogError(
        errorCode.KAFKA_STORAGE_ERROR,
        `the log of ${this.name} failed: ${this.#failure.message}`,
      )
  }

  /** Resolves when everything appended so far has been handed to the system; rejects if the disk refuses. */
  written(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure)
    if (this.#writtenOffset >= this.#logEndOffset) return Promise.resolve()
    return new Promise((resolve, reject) =>
      this.#waiters.push({ offset: this.#logEndOffset, resolve, reject }),
    )
  }

  // ---- reading ----------------------------------------------------------------------------------------------------------------------

  /**
   * Whole batches from the one that holds `offset`: at least one, even past `maxBytes` (KIP-74), none that begins at or after
   * `upTo`. From memory if they are there.
   */
  readCached(offset: number, maxBytes: number, upTo: number): Buffer[] | null {
    if (offset >= this.#logEndOffset || offset >= upTo) return []
    return this.#tail.read(offset, maxBytes, upTo)
  }

  async read(offset: number, maxBytes: number, upTo: number): Promise<Buffer[]> {
    const cached = this.readCached(offset, maxBytes, upTo)
    if (cached !== null) return cached
    await this.written()
    let index = this.#segments.findLastIndex(segment => segment.baseOffset <= offset)
    for (; index >= 0 && index < this.#segments.length; index++) {
      const bytes = await this.#segments[index]!.read(offset, maxBytes, upTo)
      if (bytes.length > 0) return [bytes]
    }
    return []
  }

  /** The first record at or after `timestampMs`, or null. */
  async offsetForTimestamp(timestampMs: number): Promise<{ offset: number; timestampMs: number } | null> {
    await this.written()
    for (const segment of this.#segments) {
      const found = await segment.offsetAt(timestampMs)
      if (found === null) continue
      for (const record of decodeRecords(found.batch)) {
        if (record.timestampMs >= timestampMs && record.offset >= this.#logStartOffset)
          return { offset: record.offset, timestampMs: record.timestampMs }
      }
      return { offset: found.offset, timestampMs: found.timestampMs }
    }
    return null
  }

  /** The newest timestamp in the log and the offset it stands at. */
  async offsetOfMaxTimestamp(): Promise<{ offset: number; timestampMs: number } | null> {
    const largest = this.#segments.reduce((max, segment) => Math.max(max, segment.largestTimestampMs), -1)
    return largest < 0 ? null : this.offsetForTimestamp(largest)
  }

  /**
   * Where segments begin, newest first, and before them the end: what old consumers look for a time in (ListOffsets 0).
   * A segment is as old as its newest record.
   */
  segmentBounds(): { offset: number; timestampMs: number }[] {
    const bounds = this.#segments.map(segment => ({
      offset: Math.max(segment.baseOffset, this.#logStartOffset),
      timestampMs: segment.largestTimestampMs >= 0 ? segment.largestTimestampMs : segment.createdMs,
    }))
    if (this.#active.sizeBytes > 0)
      bounds.push({ offset: this.#logEndOffset, timestampMs: this.#world.clock.wallMs() })
    return bounds.reverse()
  }

  // ---- cutting --------------------------------------------------------------------------------------------------------------------------

  /** Drops every record at or after `offset`. */
  async truncateTo(offset: number): Promise<void> {
    if (offset >= this.#logEndOffset) {
      // An epoch that began at the end and got no record parts this log from its leader's as well (KAFKA-10706): kept, the
      // leader would send the follower back to this same offset for ever.
      if ((this.leaderEpochs.entries.at(-1)?.startOffset ?? -1) < offset) return
      this.leaderEpochs.truncateFromEnd(offset)
      await this.written()
      return await this.#writeEpochs()
    }
    await this.written()
    this.#world.log.info(`[Log partition=${this.name}] Truncating to offset ${offset}`)
    const kept = this.#segments.filter(
      segment => segment.baseOffset < offset || segment === this.#segments[0],
    )
    for (const segment of this.#segments.slice(kept.length)) await segment.remove()
    this.#segments = kept
    await this.#active.truncateTo(offset)
    this.#logEndOffset = Math.max(await this.#active.endOffset(), this.#active.baseOffset)
    await this.#afterCut()
  }

  /** Forgets everything and goes on at `offset`: the leader's log begins later than this one ends. */
  async truncateFullyAndStartAt(offset: number): Promise<void> {
    await this.written()
    this.#world.log.info(`[Log partition=${this.name}] Truncating and starting at offset ${offset}`)
    for (const segment of this.#segments) await segment.remove()
    this.#segments = [this.#newSegment(offset)]
    await this.#active.open()
    this.leaderEpochs.clear()
    this.#logStartOffset = offset
    this.#logEndOffset = offset
    await this.#afterCut()
  }

  async #afterCut(): Promise<void> {
    this.#writtenOffset = this.#logEndOffset
    this.#flushedOffset = Math.min(this.#flushedOffset, this.#logEndOffset)
    this.#tail.clear()
    this.leaderEpochs.truncateFromEnd(this.#logEndOffset)
    await this.#writeEpochs()
    await this.#loadProducers()
  }

  /** Raises the start of the log; segments wholly before it go. */
  async deleteRecordsBefore(offset: number): Promise<void> {
    assert(offset <= this.#logEndOffset, 'the log does not begin behind its end')
    if (offset > this.#logStartOffset) this.#logStartOffset = offset
    await this.#removeOldest(segment => this.#nextBase(segment) <= this.#logStartOffset)
  }

  /** Removes old segments as retention says, none that holds records at or above `highWatermark`. */
  async retain(highWatermark: number): Promise<void> {
    const { retentionMs, retentionBytes, cleanupPolicy } = this.config
    const nowMs = this.#world.clock.wallMs()
    await this.#removeOldest(segment => this.#nextBase(segment) <= this.#logStartOffset)
    if (!cleanupPolicy.includes('delete')) return
    let excess = retentionBytes < 0 ? 0 : this.sizeBytes - retentionBytes
    await this.#removeOldest(segment => {
      if (this.#nextBase(segment) > highWatermark) return false
      const isOld =
        retentionMs >= 0 &&
        segment.largestTimestampMs >= 0 &&
        nowMs - segment.largestTimestampMs > retentionMs
      const isExcess = retentionBytes >= 0 && excess >= segment.sizeBytes
      if (isExcess) excess -= segment.sizeBytes
      return isOld || isExcess
    })
  }

  async #removeOldest(isOver: (segment: LogSegment) => boolean): Promise<void> {
    while (this.#segments.length > 0 && this.#segments[0]!.sizeBytes > 0 && isOver(this.#segments[0]!)) {
      const oldest = this.#segments[0]!
      if (this.#segments.length === 1) {
        await this.written()
        this.#roll(this.#logEndOffset)
        await this.#active.open()
        this.#sealed = []
      }
      this.#segments.shift()
      this.#logStartOffset = Math.max(this.#logStartOffset, this.#segments[0]!.baseOffset)
      this.leaderEpochs.truncateFromStart(this.#logStartOffset)
      this.#world.log.info(`[Log partition=${this.name}] Deleting segment of offset ${oldest.baseOffset}`)
      await oldest.remove()
    }
  }

  // ---- durability --------------------------------------------------------------------------------------------------------------------------

  async flush(): Promise<void> {
    await this.written()
    const { logEndOffset } = this
    for (const segment of this.#segments) {
      if (this.#nextBase(segment) > this.#flushedOffset || segment === this.#active) await segment.flush()
    }
    await this.#active.writeIndexes(false)
    this.#flushedOffset = Math.max(this.#flushedOffset, logEndOffset)
  }

  async #flushActive(): Promise<void> {
    const offset = this.#writtenOffset
    await this.#active.flush()
    this.#flushedOffset = offset
  }

  /** Makes everything durable and closes the files; the next start need not check them. */
  async close(): Promise<void> {
    await this.#writing
    if (this.#failure !== null) return
    await this.flush()
    await this.#writeSnapshot(this.#logEndOffset)
    await this.#writeEpochs()
    for (const segment of this.#segments) await segment.close()
  }

  /** Closes the files of a log that is going to be deleted. */
  async abandon(): Promise<void> {
    await this.#writing
    for (const segment of this.#segments) await segment.close().catch(() => {})
  }
}

import { crc32c } from '@vivarium/bytes/crc32c'

/** Size of a batch's header in front of its records. */
export const batchHeaderBytes = 61
/** Base offset and length: what stands before the part that the length counts. */
export const batchOverheadBytes = 12

export const compressionTypes = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

/** Bytes that are no record batch of format 2, or whose checksum does not match. */
export class CorruptBatchError extends Error {
  override name = 'CorruptBatchError'
}

/**
 * Moves along the record batches (format 2) in a buffer without decoding records. Fields are read in place; they are those
 * of the batch that `next` last stopped at.
 */
export class BatchCursor {
  readonly buffer: Buffer
  readonly end: number
  start = 0
  sizeBytes = 0
  #next: number

  constructor(buffer: Buffer, position = 0, end: number = buffer.length) {
    this.buffer = buffer
    this.end = end
    this.#next = position
  }

  /** Where the batches stop: behind the last whole one. */
  get position(): number {
    return this.#next
  }

  /** Stops at the next batch. False when no whole one is left. Throws CorruptBatchError on a size no batch can have. */
  next(): boolean {
    const start = this.#next
    if (this.end - start < batchOverheadBytes) return false
    const length = this.buffer.readInt32BE(start + 8)
    if (length < batchHeaderBytes - batchOverheadBytes)
      throw new CorruptBatchError(`a batch of ${length} bytes at position ${start}`)
    if (this.end - start < batchOverheadBytes + length) return false
    this.start = start
    this.sizeBytes = batchOverheadBytes + length
    this.#next = start + this.sizeBytes
    return true
  }

  get baseOffset(): number {
    return readInt64(this.buffer, this.start)
  }

  get lastOffset(): number {
    return this.baseOffset + this.lastOffsetDelta
  }

  get partitionLeaderEpoch(): number {
    return this.buffer.readInt32BE(this.start + 12)
  }

  get magic(): number {
    return this.buffer[this.start + 16]!
  }

  get crc(): number {
    return this.buffer.readUInt32BE(this.start + 17)
  }

  get attributes(): number {
    return this.buffer.readInt16BE(this.start + 21)
  }

  /** Index into `compressionTypes`. */
  get compression(): number {
    return this.attributes & 7
  }

  get isLogAppendTime(): boolean {
    return (this.attributes & 8) !== 0
  }

  get isTransactional(): boolean {
    return (this.attributes & 16) !== 0
  }

  get isControl(): boolean {
    return (this.attributes & 32) !== 0
  }

  get lastOffsetDelta(): number {
    return this.buffer.readInt32BE(this.start + 23)
  }

  get baseTimestampMs(): number {
    return readInt64(this.buffer, this.start + 27)
  }

  get maxTimestampMs(): number {
    return readInt64(this.buffer, this.start + 35)
  }

  /** −1 for a producer that is not idempotent. */
  get producerId(): number {
    return readInt64(this.buffer, this.start + 43)
  }

  get producerEpoch(): number {
    return this.buffer.readInt16BE(this.start + 51)
  }

  get baseSequence(): number {
    return this.buffer.readInt32BE(this.start + 53)
  }

  /** Sequence of the last record; sequences go from 2³¹−1 back to 0. */
  get lastSequence(): number {
    return this.baseSequence < 0 ? -1 : (this.baseSequence + this.lastOffsetDelta) % 2 ** 31
  }

  get recordCount(): number {
    return this.buffer.readInt32BE(this.start + 57)
  }

  /** Throws CorruptBatchError unless the batch is of format 2 and whole. */
  validate(): void {
    if (this.magic !== 2)
      throw new CorruptBatchError(`a batch of format ${this.magic} at position ${this.start}`)
    const computed = crc32c(this.buffer.subarray(this.start + 21, this.start + this.sizeBytes))
    if (computed !== this.crc)
      throw new CorruptBatchError(`the checksum of the batch at position ${this.start} does not match`)
    if (this.recordCount < 0 || this.lastOffsetDelta < 0)
      throw new CorruptBatchError(`a batch of ${this.recordCount} records at position ${this.start}`)
  }

  /** Base offset and leader epoch lie outside the checksum: they are written into the batch as it is. */
  assign(baseOffset: number, leaderEpoch: number): void {
    writeInt64(this.buffer, baseOffset, this.start)
    this.buffer.writeInt32BE(leaderEpoch, this.start + 12)
  }

  /** Sets the time of the log as the time of all records; computes the checksum anew. */
  setLogAppendTime(timestampMs: number): void {
    this.buffer.writeInt16BE(this.attributes | 8, this.start + 21)
    writeInt64(this.buffer, timestampMs, this.start + 35)
    this.buffer.writeUInt32BE(
      crc32c(this.buffer.subarray(this.start + 21, this.start + this.sizeBytes)),
      this.start + 17,
    )
  }
}

function readInt64(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4)
}

function writeInt64(buffer: Buffer, value: number, at: number): void {
  buffer.writeInt32BE(Math.floor(value / 0x1_0000_0000), at)
  buffer.writeUInt32BE(value >>> 0, at + 4)
}

import { ByteReader } from './byte-reader.ts'

/** Bytes that lie among others: a place, cheaper than the view that `slice` makes of it. */
export class Span {
  readonly bytes: Buffer
  readonly start: number
  /** Exclusive. */
  readonly end: number

  constructor(bytes: Buffer, start = 0, end: number = bytes.length) {
    this.bytes = bytes
    this.start = start
    this.end = end
  }

  get length(): number {
    return this.end - this.start
  }

  reader(): ByteReader {
    return new ByteReader(this.bytes, this.start, this.end)
  }

  /** A view that shares memory with `bytes`. */
  slice(): Buffer {
    return this.bytes.subarray(this.start, this.end)
  }
}

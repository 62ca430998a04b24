import { commonText } from './common-texts.ts'
import { readInt64 } from './int64-words.ts'

/** Thrown when bytes from outside do not hold what they should; names the field and the position. */
export class MalformedBytesError extends Error {
  override name = 'MalformedBytesError'
}

/**
 * Reads big-endian values one after another out of a buffer it does not copy.
 *
 * Every read checks that the bytes are there, so a truncated or hostile buffer gives a MalformedBytesError
 * and never a wrong value. Slices share memory with the buffer; whoever keeps them longer than the buffer copies.
 */
export class ByteReader {
  readonly buffer: Buffer
  position: number
  /** Exclusive end of what may be read. */
  readonly end: number

  constructor(buffer: Buffer, position = 0, end: number = buffer.length) {
    this.buffer = buffer
    this.position = position
    this.end = end
  }

  get remaining(): number {
    return this.end - this.position
  }

  /** Moves past `count` bytes and returns where they began. */
  advance(count: number, what: string): number {
    const start = this.position
    if (count < 0 || count > this.end - start) {
      throw new MalformedBytesError(
        `${what} needs ${count} bytes at position ${start}, ${this.end - start} are left`,
      )
    }
    this.position = start + count
    return start
  }

  int8(): number {
    return this.buffer.readInt8(this.advance(1, 'int8'))
  }

  uint8(): number {
    return this.buffer[this.advance(1, 'uint8')]!
  }

  boolean(): boolean {
    return this.uint8() !== 0
  }

  int16(): number {
    return this.buffer.readInt16BE(this.advance(2, 'int16'))
  }

  uint16(): number {
    return this.buffer.readUInt16BE(this.advance(2, 'uint16'))
  }

  int32(): number {
    return this.buffer.readInt32BE(this.advance(4, 'int32'))
  }

  uint32(): number {
    return this.buffer.readUInt32BE(this.advance(4, 'uint32'))
  }

  int64(): bigint {
    return this.int64At(this.advance(8, 'int64'))
  }

  /** The int64 at a position that `advance` gave. */
  int64At(at: number): bigint {
    return readInt64(this.buffer, at)
  }

  /** An int64 that must fit a JavaScript number: offsets, timestamps and sizes (−2⁵³ < n < 2⁵³). */
  safeInt64(): number {
    const at = this.advance(8, 'int64')
    const high = this.buffer.readInt32BE(at)
    if (high < -0x200000 || high >= 0x200000) {
      throw new MalformedBytesError(`int64 at position ${at} does not fit 53 bits`)
    }
    return high * 0x1_0000_0000 + this.buffer.readUInt32BE(at + 4)
  }

  /** An int64 cut to ±(2⁵³−1): for fields whose larger values only stand for «no limit». */
  clampedInt64(): number {
    const at = this.advance(8, 'int64')
    const high = this.buffer.readInt32BE(at)
    if (high >= 0x200000) return Number.MAX_SAFE_INTEGER
    if (high < -0x200000) return Number.MIN_SAFE_INTEGER
    return high * 0x1_0000_0000 + this.buffer.readUInt32BE(at + 4)
  }

  float64(): number {
    return this.buffer.readDoubleBE(this.advance(8, 'float64'))
  }

  /** Base-128, least significant group first, at most 5 bytes; the value is unsigned 32-bit. */
  unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.buffer[this.advance(1, 'varint')]!
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break
        return value
      }
    }
    throw new MalformedBytesError(`varint ending at position ${this.position} is longer than 32 bits`)
  }

  /** Zig-zag 32-bit. */
  varint(): number {
    const raw = this.unsignedVarint()
    return (raw >>> 1) ^ -(raw & 1)
  }

  /** Zig-zag 64-bit that must fit a JavaScript number. */
  varlong(): number {
    let low = 0
    let scale = 1
    for (let count = 0; count < 10; count++) {
      const byte = this.buffer[this.advance(1, 'varlong')]!
      low += (byte & 0x7f) * scale
      if (byte < 0x80) {
        const value = low % 2 === 0 ? low / 2 : -(low + 1) / 2
        if (!Number.isSafeInteger(low)) break
        return value
      }
      scale *= 128
    }
    throw new MalformedBytesError(`varlong ending at position ${this.position} does not fit 53 bits`)
  }

  /** `length` bytes that share memory with the buffer. */
  slice(length: number, what = 'bytes'): Buffer {
    const start = this.advance(length, what)
    return this.buffer.subarray(start, start + length)
  }

  utf8(length: number, what = 'string'): string {
    const start = this.advance(length, what)
    return this.buffer.toString('utf8', start, start + length)
  }

  /** The same for texts that come again and again, such as paths: most are not made, but found. */
  commonUtf8(length: number): string {
    const start = this.advance(length, 'string')
    return commonText(this.buffer, start, start + length)
  }
}

import { Buffer } from 'node:buffer'
import { highWord, int64, int64Words, lowWord } from './int64-words.ts'

/** A call into native code costs more than to write so many characters here. */
const shortText = 64

/** Writes big-endian values one after another into a buffer that grows as needed. */
export class ByteWriter {
  #buffer: Buffer
  #length = 0

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(capacity)
  }

  get length(): number {
    return this.#length
  }

  /** Makes room for `count` bytes and returns where they begin; the caller fills every one of them. */
  reserve(count: number): number {
    const start = this.#length
    const end = start + count
    if (end > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, this.#buffer.length * 2))
      this.#buffer.copy(grown, 0, 0, start)
      this.#buffer = grown
    }
    this.#length = end
    return start
  }

  int8(value: number): void {
    const at = this.reserve(1)
    this.#buffer.writeInt8(value, at)
  }

  uint8(value: number): void {
    const at = this.reserve(1)
    this.#buffer[at] = value
  }

  boolean(value: boolean): void {
    this.uint8(value ? 1 : 0)
  }

  int16(value: number): void {
    const at = this.reserve(2)
    this.#buffer.writeInt16BE(value, at)
  }

  uint16(value: number): void {
    const at = this.reserve(2)
    this.#buffer.writeUInt16BE(value, at)
  }

  int32(value: number): void {
    if (value !== (value | 0)) throw new RangeError(`${value} is no int32`)
    this.#word(value, this.reserve(4))
  }

  uint32(value: number): void {
    if (value !== value >>> 0) throw new RangeError(`${value} is no uint32`)
    this.#word(value, this.reserve(4))
  }

  int64(value: bigint): void {
    const at = this.reserve(8)
    int64[0] = value
    this.#word(int64Words[highWord]!, at)
    this.#word(int64Words[lowWord]!, at + 4)
  }

  #word(value: number, at: number): void {
    const buffer = this.#buffer
    buffer[at] = value >>> 24
    buffer[at + 1] = value >>> 16
    buffer[at + 2] = value >>> 8
    buffer[at + 3] = value
  }

  /** An int64 given as a JavaScript number (a safe integer). */
  safeInt64(value: number): void {
    const at = this.reserve(8)
    this.#buffer.writeInt32BE(Math.floor(value / 0x1_0000_0000), at)
    this.#buffer.writeUInt32BE(value >>> 0, at + 4)
  }

  float64(value: number): void {
    const at = this.reserve(8)
    this.#buffer.writeDoubleBE(value, at)
  }

  unsignedVarint(value: number): void {
    let rest = value
    while (rest > 0x7f) {
      this.uint8((rest & 0x7f) | 0x80)
      rest = Math.floor(rest / 128)
    }
    this.uint8(rest)
  }

  /** Zig-zag 32-bit. */
  varint(value: number): void {
    this.unsignedVarint(((value << 1) ^ (value >> 31)) >>> 0)
  }

  /** Zig-zag of a safe integer of at most 52 bits. */
  varlong(value: number): void {
    this.unsignedVarint(value >= 0 ? value * 2 : -value * 2 - 1)
  }

  bytes(value: Uint8Array): void {
    const at = this.reserve(value.length)
    this.#buffer.set(value, at)
  }

  /** The bytes of `source` from `start` to `end`, without a view between. */
  copy(source: Buffer, start: number, end: number): void {
    const at = this.reserve(end - start)
    // For a few bytes a call into native code costs more than the copy.
    const buffer = this.#buffer
    if (end - start > 48) source.copy(buffer, at, start, end)
    else for (let i = 0; i < end - start; i++) buffer[at + i] = source[start + i]!
  }

  utf8(value: string, knownLength?: number): void {
    if (value.length <= shortText && this.#ascii(value)) return
    const byteLength = knownLength ?? Buffer.byteLength(value)
    const at = this.reserve(byteLength)
    this.#buffer.write(value, at, byteLength, 'utf8')
  }

  /** False, and nothing is written, if the text has other characters. */
  #ascii(value: string): boolean {
    const { length } = value
    const start = this.reserve(length)
    const buffer = this.#buffer
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) {
        this.#length = start
        return false
      }
      buffer[start + i] = code
    }
    return true
  }

  /** Overwrites four bytes written earlier, such as a length known only afterwards. */
  patchInt32(position: number, value: number): void {
    this.#buffer.writeInt32BE(value, position)
  }

  patchInt64(position: number, value: bigint): void {
    this.#buffer.writeBigInt64BE(value, position)
  }

  /** Forgets everything written behind `length`. */
  truncate(length: number): void {
    this.#length = length
  }

  /**
   * What has been written, from a position on. Shares memory with the writer, so it changes if the writer is reset or cut
   * and written to again.
   */
  written(from = 0): Buffer {
    return this.#buffer.subarray(from, this.#length)
  }

  /** Forgets what was written and keeps the memory, unless it has grown past `mostBytes`. */
  reset(mostBytes: number = Number.POSITIVE_INFINITY): void {
    this.#length = 0
    if (this.#buffer.length > mostBytes) this.#buffer = Buffer.allocUnsafe(mostBytes)
  }
}

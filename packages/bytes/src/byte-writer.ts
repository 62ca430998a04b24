import { Buffer } from 'node:buffer'
import { copyBytes, viewOf } from './views.ts'

/** A call into native code costs more than to write so many characters here. */
const shortText = 64

/** Writes big-endian values one after another into a buffer that grows as needed. */
export class ByteWriter {
  #buffer: Buffer
  /** The same memory: a number is one store there, whatever its size. */
  #view: DataView
  #length = 0

  constructor(capacity = 256) {
    this.#buffer = Buffer.allocUnsafe(capacity)
    this.#view = viewOf(this.#buffer)
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
      this.#view = viewOf(grown)
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
    const at = this.reserve(4)
    this.#view.setInt32(at, value)
  }

  uint32(value: number): void {
    if (value !== value >>> 0) throw new RangeError(`${value} is no uint32`)
    const at = this.reserve(4)
    this.#view.setUint32(at, value)
  }

  int64(value: bigint): void {
    const at = this.reserve(8)
    this.#view.setBigInt64(at, value)
  }

  /** An int64 given as a JavaScript number (a safe integer). */
  safeInt64(value: number): void {
    const at = this.reserve(8)
    this.#view.setInt32(at, Math.floor(value / 0x1_0000_0000))
    this.#view.setUint32(at + 4, value >>> 0)
  }

  float64(value: number): void {
    const at = this.reserve(8)
    this.#view.setFloat64(at, value)
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

  /** A few bytes of memory that has a view, from `start` to `end`. */
  copyView(source: DataView, start: number, end: number): void {
    const at = this.reserve(end - start)
    copyBytes(source, start, this.#view, at, end - start)
  }

  /** The bytes of `source` from `start` to `end`, without a view between. */
  copy(source: Buffer, start: number, end: number): void {
    const at = this.reserve(end - start)
    source.copy(this.#buffer, at, start, end)
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
    this.#view.setInt32(position, value)
  }

  patchInt64(position: number, value: bigint): void {
    this.#view.setBigInt64(position, value)
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
    if (this.#buffer.length <= mostBytes) return
    this.#buffer = Buffer.allocUnsafe(mostBytes)
    this.#view = viewOf(this.#buffer)
  }
}

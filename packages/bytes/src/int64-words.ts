/**
 * One 64-bit number and its two halves in the same memory. Node's readBigInt64BE goes through three bigints on the heap;
 * through these a 64-bit number costs one.
 */
const int64: BigInt64Array = new BigInt64Array(1)
const int64Words: Uint32Array = new Uint32Array(int64.buffer)

/** Whether the low byte of a number lies first in typed arrays here. */
export const isLittleEndian: boolean = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
const highWord: 0 | 1 = isLittleEndian ? 1 : 0
const lowWord: 0 | 1 = isLittleEndian ? 0 : 1

/** The big-endian int64 that begins in `bytes` at a position. */
export function readInt64(bytes: Buffer, at: number): bigint {
  int64Words[highWord] = bytes.readUInt32BE(at)
  int64Words[lowWord] = bytes.readUInt32BE(at + 4)
  return int64[0]!
}

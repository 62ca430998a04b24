/**
 * One 64-bit number and its two halves in the same memory. Node's readBigInt64BE and writeBigInt64BE go through three
 * bigints on the heap; through these a 64-bit number costs one to read and none to write.
 */
export const int64: BigInt64Array = new BigInt64Array(1)
export const int64Words: Uint32Array = new Uint32Array(int64.buffer)

/** Whether the low byte of a number lies first in typed arrays here. */
export const isLittleEndian: boolean = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
export const highWord: 0 | 1 = isLittleEndian ? 1 : 0
export const lowWord: 0 | 1 = isLittleEndian ? 0 : 1

import type { Buffer } from 'node:buffer'

/** A view of the same memory. */
export function viewOf({ buffer, byteOffset, length }: Buffer): DataView {
  return new DataView(buffer, byteOffset, length)
}

/**
 * Copies a few bytes from one view to another, without a call into native code, which costs more than that. Eight at a time:
 * compiled, what passes is a register, no bigint.
 */
export function copyBytes(from: DataView, start: number, into: DataView, at: number, length: number): void {
  let i = 0
  for (; i + 8 <= length; i += 8) into.setBigInt64(at + i, from.getBigInt64(start + i, true), true)
  if (i + 4 <= length) {
    into.setInt32(at + i, from.getInt32(start + i, true), true)
    i += 4
  }
  for (; i < length; i++) into.setInt8(at + i, from.getInt8(start + i))
}

import { crc32c as native } from '@node-rs/crc32'

/** CRC-32C (Castagnoli) of `bytes`, continued from `seed` (the CRC of what came before), as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, seed = 0): number {
  return native(bytes, seed) >>> 0
}

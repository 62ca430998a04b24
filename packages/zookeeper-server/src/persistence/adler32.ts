/** Adler-32 of `bytes`, continued from `seed` (1 at the beginning), unsigned. The checksum of ZooKeeper's files. */
export function adler32(bytes: Uint8Array, seed = 1): number {
  let a = seed & 0xffff
  let b = seed >>> 16
  const { length } = bytes
  for (let at = 0; at < length; ) {
    // 3800 additions of at most 255 keep both sums below 2³¹.
    const end = Math.min(at + 3800, length)
    // Eight at once: each sum then waits for itself an eighth as often.
    for (; at < end - 7; at += 8) {
      const x0 = bytes[at]!
      const x1 = bytes[at + 1]!
      const x2 = bytes[at + 2]!
      const x3 = bytes[at + 3]!
      const x4 = bytes[at + 4]!
      const x5 = bytes[at + 5]!
      const x6 = bytes[at + 6]!
      const x7 = bytes[at + 7]!
      b = (b + 8 * a + 8 * x0 + 7 * x1 + 6 * x2 + 5 * x3 + 4 * x4 + 3 * x5 + 2 * x6 + x7) | 0
      a = (a + x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7) | 0
    }
    for (; at < end; at++) {
      a = (a + bytes[at]!) | 0
      b = (b + a) | 0
    }
    a %= 65521
    b %= 65521
  }
  return ((b << 16) | a) >>> 0
}

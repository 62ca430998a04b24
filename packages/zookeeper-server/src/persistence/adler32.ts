/** Adler-32 of `bytes`, continued from `seed` (1 at the beginning), unsigned. The checksum of ZooKeeper's files. */
export function adler32(bytes: Uint8Array, seed = 1): number {
  let a = seed & 0xffff
  let b = seed >>> 16
  const { length } = bytes
  for (let at = 0; at < length; ) {
    // 3800 additions of at most 255 keep both sums below 2³¹.
    const end = Math.min(at + 3800, length)
    for (; at < end; at++) {
      a += bytes[at]!
      b += a
    }
    a %= 65521
    b %= 65521
  }
  return ((b << 16) | a) >>> 0
}

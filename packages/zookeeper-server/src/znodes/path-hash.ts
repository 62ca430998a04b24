/** A path's bytes in UTF-8 and their hash, valid until the next path is hashed. */
export interface HashedPath {
  bytes: Buffer
  start: number
  length: number
  hash: number
}

const prime = 0x0100_0193

/**
 * Hashes paths (FNV-1a with a secret start, so that nobody outside can make paths that all fall together, and a last
 * mixing, so that the low bits depend on every byte).
 */
export class PathHasher {
  readonly #seed: number
  readonly #hashed: HashedPath = { bytes: Buffer.alloc(0), start: 0, length: 0, hash: 0 }
  /** Whose hash `#hashed` is: most paths are looked up several times in a row. */
  #last: string | null = null
  #scratch = Buffer.allocUnsafeSlow(1024)

  constructor(seed: number) {
    this.#seed = seed | 0
  }

  ofString(path: string): HashedPath {
    if (path === this.#last) return this.#hashed
    const { length } = path
    if (length > this.#scratch.length) this.#scratch = Buffer.allocUnsafeSlow(length * 2)
    const scratch = this.#scratch
    let hash = this.#seed
    for (let at = 0; at < length; at++) {
      const code = path.charCodeAt(at)
      if (code > 0x7f) return this.#ofWideString(path)
      scratch[at] = code
      hash = Math.imul(hash ^ code, prime)
    }
    this.#last = path
    return this.#result(scratch, 0, length, hash)
  }

  #ofWideString(path: string): HashedPath {
    const bytes = Buffer.from(path)
    return this.ofBytes(bytes, 0, bytes.length)
  }

  ofBytes(bytes: Buffer, start: number, length: number): HashedPath {
    let hash = this.#seed
    this.#last = null
    for (let at = start; at < start + length; at++) hash = Math.imul(hash ^ bytes[at]!, prime)
    return this.#result(bytes, start, length, hash)
  }

  #result(bytes: Buffer, start: number, length: number, hash: number): HashedPath {
    const hashed = this.#hashed
    hashed.bytes = bytes
    hashed.start = start
    hashed.length = length
    hashed.hash = mixed(hash)
    return hashed
  }
}

function mixed(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35)
  return (h ^ (h >>> 16)) >>> 0
}

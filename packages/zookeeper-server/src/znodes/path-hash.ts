/** A path's bytes in UTF-8 and their hash, valid until the next path is hashed. */
export interface HashedPath {
  readonly bytes: Buffer
  /** The same memory; of its last word only the first bytes may belong to the path. */
  readonly words: Int32Array
  readonly length: number
  /** 32 bits, signed. */
  readonly hash: number
}

const prime = 0x0100_0193

/**
 * Hashes paths (FNV-1a with a secret start, so that nobody outside can make paths that all fall together, and a last
 * mixing, so that the low bits depend on every byte).
 */
export class PathHasher {
  readonly #seed: number
  #hashed: Mutable<HashedPath> = spaceFor(1024)
  /** Whose hash `#hashed` is: most paths are looked up several times in a row. */
  #last: string | null = null

  constructor(seed: number) {
    this.#seed = seed | 0
  }

  ofString(path: string): HashedPath {
    if (path === this.#last) return this.#hashed
    const { length } = path
    const hashed = this.#spaceFor(length)
    const { bytes } = hashed
    let hash = this.#seed
    for (let at = 0; at < length; at++) {
      const code = path.charCodeAt(at)
      if (code > 0x7f) return this.#ofWideString(path)
      bytes[at] = code
      hash = Math.imul(hash ^ code, prime)
    }
    this.#last = path
    hashed.length = length
    hashed.hash = mixed(hash)
    return hashed
  }

  #ofWideString(path: string): HashedPath {
    const bytes = Buffer.from(path)
    return this.ofBytes(bytes, 0, bytes.length)
  }

  /** The hashes alone, of paths that begin in `bytes` where `starts` says. */
  hashEach(bytes: Buffer, starts: Int32Array, lengths: Int32Array, hashes: Int32Array, count: number): void {
    const seed = this.#seed
    for (let i = 0; i < count; i++) {
      const start = starts[i]!
      const end = start + lengths[i]!
      let hash = seed
      for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, prime)
      hashes[i] = mixed(hash)
    }
  }

  ofBytes(source: Buffer, start: number, length: number): HashedPath {
    const hashed = this.#spaceFor(length)
    const { bytes } = hashed
    let hash = this.#seed
    for (let at = 0; at < length; at++) {
      const byte = source[start + at]!
      bytes[at] = byte
      hash = Math.imul(hash ^ byte, prime)
    }
    hashed.length = length
    hashed.hash = mixed(hash)
    return hashed
  }

  #spaceFor(length: number): Mutable<HashedPath> {
    this.#last = null
    if (length > this.#hashed.bytes.length) this.#hashed = spaceFor(length * 2)
    return this.#hashed
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

function spaceFor(length: number): Mutable<HashedPath> {
  const words = new Int32Array(Math.ceil(length / 4))
  return { bytes: Buffer.from(words.buffer), words, length: 0, hash: 0 }
}

function mixed(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85eb_ca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2_ae35)
  return h ^ (h >>> 16)
}

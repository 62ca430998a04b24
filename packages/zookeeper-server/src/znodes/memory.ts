/** What a processor fetches from memory at a time. */
export const lineBytes = 64
/** Large memory begins 16 bytes behind the start of a line, in most C libraries. */
const toLine = 48
/** At most so much is made at a time. */
const largeBytes = 64 * 1024 * 1024

/**
 * Pieces of equal size, outside the JavaScript heap. Each begins with a cache line, so that what is aligned in it touches
 * few of them. As much is made at a time as there is already, so that a small tree takes little, and what a large one takes
 * may lie in huge pages: reading here and there in gigabytes, a processor looks up where each page lies.
 */
export class Pieces {
  readonly #bytes: number
  #made = 0
  #rest: Buffer = Buffer.alloc(0)

  /** `bytes`: of each piece; `largeBytes` is a multiple of it. */
  constructor(bytes: number) {
    this.#bytes = bytes
  }

  next(): Buffer {
    if (this.#rest.length === 0) {
      const length = Math.min(largeBytes, Math.max(1, this.#made) * this.#bytes)
      this.#rest = Buffer.from(new ArrayBuffer(toLine + length), toLine)
    }
    const piece = this.#rest.subarray(0, this.#bytes)
    this.#rest = this.#rest.subarray(this.#bytes)
    this.#made++
    return piece
  }

  /** Those given out are nobody's any more. */
  clear(): void {
    this.#made = 0
    this.#rest = Buffer.alloc(0)
  }
}

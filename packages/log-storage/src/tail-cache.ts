interface CachedBatches {
  baseOffset: number
  nextOffset: number
  bytes: Buffer
}

/**
 * The newest batches of a log, kept in memory: what consumers and followers that keep up read, without a system call.
 * Bounded; the oldest go first.
 */
export class TailCache {
  readonly #maxBytes: number
  #entries: CachedBatches[] = []
  #head = 0
  #sizeBytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  add(baseOffset: number, nextOffset: number, bytes: Buffer): void {
    this.#entries.push({ baseOffset, nextOffset, bytes })
    this.#sizeBytes += bytes.length
    while (this.#sizeBytes > this.#maxBytes && this.#head < this.#entries.length - 1)
      this.#sizeBytes -= this.#entries[this.#head++]!.bytes.length
    if (this.#head > 256 && this.#head * 2 > this.#entries.length) {
      this.#entries = this.#entries.slice(this.#head)
      this.#head = 0
    }
  }

  clear(): void {
    this.#entries = []
    this.#head = 0
    this.#sizeBytes = 0
  }

  /** Whole batches from the one that holds `offset` on, or null if that one is no longer (or not) here. */
  read(offset: number, maxBytes: number, upTo: number): Buffer[] | null {
    let low = this.#head
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#entries[middle]!.nextOffset <= offset) low = middle + 1
      else high = middle
    }
    const first = this.#entries[low]
    if (first === undefined || (low === this.#head && first.baseOffset > offset)) return null
    const found: Buffer[] = []
    let sizeBytes = 0
    for (let i = low; i < this.#entries.length; i++) {
      const { baseOffset, bytes } = this.#entries[i]!
      if (baseOffset >= upTo || (found.length > 0 && sizeBytes + bytes.length > maxBytes)) break
      found.push(bytes)
      sizeBytes += bytes.length
    }
    return found
  }
}

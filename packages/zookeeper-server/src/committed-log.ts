import type { CommittedTxn } from './quorum/replica.ts'

const firstCapacity = 512

/**
 * The newest committed transactions, in a ring. Of each there is only a number and a place in memory: objects that live just
 * so long would be moved twice by the garbage collector, all of them.
 */
export class CommittedLog {
  readonly #most: number
  #zxids = new BigInt64Array(firstCapacity)
  readonly #memory: ArrayBufferLike[] = []
  /** Where in its memory each begins, and its length. */
  #places = new Float64Array(firstCapacity * 2)
  #next = 0
  #length = 0

  /** `most`: so many are kept. */
  constructor(most: number) {
    this.#most = most
  }

  push(zxid: bigint, entry: Buffer): void {
    if (this.#length === this.#zxids.length && this.#length < this.#most) this.#grow()
    const at = this.#next
    this.#zxids[at] = zxid
    this.#memory[at] = entry.buffer
    this.#places[at * 2] = entry.byteOffset
    this.#places[at * 2 + 1] = entry.length
    const capacity = this.#capacity()
    this.#next = (at + 1) % capacity
    if (this.#length < capacity) this.#length++
  }

  #capacity(): number {
    return Math.min(this.#most, this.#zxids.length)
  }

  /** Only while nothing has been forgotten: the newest is the last in the memory. */
  #grow(): void {
    const zxids = new BigInt64Array(this.#zxids.length * 2)
    const places = new Float64Array(this.#places.length * 2)
    zxids.set(this.#zxids)
    places.set(this.#places)
    this.#zxids = zxids
    this.#places = places
    this.#next = this.#length
  }

  /** Oldest first. */
  get txns(): CommittedTxn[] {
    const capacity = this.#capacity()
    const oldest = (this.#next - this.#length + capacity) % capacity
    return Array.from({ length: this.#length }, (_, i) => this.#txnAt((oldest + i) % capacity))
  }

  #txnAt(at: number): CommittedTxn {
    const entry = Buffer.from(this.#memory[at]!, this.#places[at * 2], this.#places[at * 2 + 1])
    return { zxid: this.#zxids[at]!, entry }
  }

  clear(): void {
    this.#memory.length = 0
    this.#next = 0
    this.#length = 0
  }
}

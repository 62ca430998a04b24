const firstCapacity = 8
/** An emptied queue keeps no more than this. */
const keptCapacity = 4096

/** A queue in a ring: nothing in it costs more the longer it is, and what has left it is not kept alive. */
export class Fifo<T> implements Iterable<T> {
  /** As many as a power of two. */
  #slots: (T | undefined)[] = []
  #head = 0
  #length = 0

  get length(): number {
    return this.#length
  }

  push(value: T): void {
    if (this.#length === this.#slots.length) this.#grow()
    this.#slots[this.#slotOf(this.#length)] = value
    this.#length++
  }

  /** The oldest. */
  peek(): T | undefined {
    return this.#slots[this.#head]
  }

  /** Takes the oldest out. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined
    const value = this.#slots[this.#head]
    this.#slots[this.#head] = undefined
    this.#head = this.#slotOf(1)
    this.#length--
    if (this.#length === 0 && this.#slots.length > keptCapacity) this.clear()
    return value
  }

  /** Takes the newest out. */
  pop(): T | undefined {
    if (this.#length === 0) return undefined
    this.#length--
    const slot = this.#slotOf(this.#length)
    const value = this.#slots[slot]
    this.#slots[slot] = undefined
    return value
  }

  clear(): void {
    this.#slots = []
    this.#head = 0
    this.#length = 0
  }

  /** Empties the queue into an array. */
  takeAll(): T[] {
    const all = [...this]
    this.clear()
    return all
  }

  /** From the oldest to the newest. Not to be changed meanwhile. */
  *[Symbol.iterator](): Generator<T> {
    for (let i = 0; i < this.#length; i++) yield this.#slots[this.#slotOf(i)]!
  }

  /** Of the one behind so many others. */
  #slotOf(index: number): number {
    return (this.#head + index) & (this.#slots.length - 1)
  }

  #grow(): void {
    const grown: (T | undefined)[] = new Array(Math.max(firstCapacity, this.#slots.length * 2)).fill(
      undefined,
    )
    for (let i = 0; i < this.#length; i++) grown[i] = this.#slots[this.#slotOf(i)]
    this.#slots = grown
    this.#head = 0
  }
}

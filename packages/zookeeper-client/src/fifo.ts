/** A queue whose `shift` costs the same however long it is. */
export class Fifo<T> {
  #values: (T | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#values.length - this.#head
  }

  push(value: T): void {
    this.#values.push(value)
  }

  peek(): T | undefined {
    return this.#values[this.#head]
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined
    const value = this.#values[this.#head]
    this.#values[this.#head++] = undefined
    if (this.#head > 1024 && this.#head * 2 > this.#values.length) {
      this.#values = this.#values.slice(this.#head)
      this.#head = 0
    }
    return value
  }

  /** Empties the queue into an array. */
  takeAll(): T[] {
    const all = this.#values.slice(this.#head) as T[]
    this.#values = []
    this.#head = 0
    return all
  }
}

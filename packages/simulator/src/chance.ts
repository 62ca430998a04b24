/** Repeatable chance: the same seed gives the same numbers, on every machine. */
export class Chance {
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(seed: number) {
    // Splitmix, so that seeds next to each other have nothing in common.
    let state = seed | 0
    const next = () => {
      state = (state + 0x9e3779b9) | 0
      let z = state
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
      return z ^ (z >>> 16)
    }
    this.#a = next()
    this.#b = next()
    this.#c = next()
    this.#d = next()
  }

  /** sfc32. */
  #next(): number {
    const t = (((this.#a + this.#b) | 0) + this.#d) | 0
    this.#d = (this.#d + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (this.#c << 21) | (this.#c >>> 11)
    this.#c = (this.#c + t) | 0
    return t >>> 0
  }

  /** An integer in 0..bound−1. */
  below(bound: number): number {
    return Math.floor((this.#next() / 2 ** 32) * bound)
  }

  /** An integer in from..to. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1)
  }

  happens(probability: number): boolean {
    return this.#next() / 2 ** 32 < probability
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.below(256)))
  }
}

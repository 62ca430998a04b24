/** A repeatable sequence of chances: the same seed, the same run. */
export class Chance {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** 0 ≤ n < 1. Source: mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  below(bound: number): number {
    return Math.floor(this.next() * bound)
  }

  happens(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }
}

/** Time that passes only when nothing is left to do at the present moment. */
export class SimulatedTime {
  nowMs = 0
  #order = 0
  /** A binary heap by time, then by order of scheduling. */
  readonly #heap: { atMs: number; order: number; task: () => void }[] = []

  after(delayMs: number, task: () => void): void {
    const heap = this.#heap
    let at = heap.push({ atMs: this.nowMs + delayMs, order: this.#order++, task }) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(heap[at]!, heap[parent]!)) break
      ;[heap[at], heap[parent]] = [heap[parent]!, heap[at]!]
      at = parent
    }
  }

  /** Runs everything due up to `untilMs`. */
  runUntil(untilMs: number): void {
    while (this.#heap.length > 0 && this.#heap[0]!.atMs <= untilMs) {
      const { atMs, task } = this.#pop()
      this.nowMs = atMs
      task()
    }
    this.nowMs = untilMs
  }

  #pop(): { atMs: number; task: () => void } {
    const heap = this.#heap
    const first = heap[0]!
    const last = heap.pop()!
    if (heap.length === 0) return first
    heap[0] = last
    for (let at = 0; ; ) {
      let least = at
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child
      }
      if (least === at) return first
      ;[heap[at], heap[least]] = [heap[least]!, heap[at]!]
      at = least
    }
  }
}

function isBefore(a: { atMs: number; order: number }, b: { atMs: number; order: number }): boolean {
  return a.atMs === b.atMs ? a.order < b.order : a.atMs < b.atMs
}

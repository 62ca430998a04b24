interface Event {
  atMs: number
  /** Events of one moment happen in the order they were planned. */
  number: number
  task: () => void
  isCancelled: boolean
}

/** A turn of the real event loop costs more than most steps. */
const realTurnEvery = 64

/** Virtual time: nothing passes but from one planned event to the next. */
export class Timeline {
  nowMs = 0
  /** Events that have happened. */
  steps = 0
  #number = 0
  /** A binary heap, the next event first. */
  readonly #heap: Event[] = []

  /** Plans `task`; gives what cancels it. */
  after(delayMs: number, task: () => void): () => void {
    const event = {
      atMs: this.nowMs + Math.max(0, delayMs),
      number: this.#number++,
      task,
      isCancelled: false,
    }
    this.#push(event)
    return () => {
      event.isCancelled = true
    }
  }

  /**
   * Lets time pass up to `untilMs`, or until `isEnough`. Between two events every promise they set off is carried out.
   */
  async run(untilMs: number, isEnough: () => boolean = () => false): Promise<void> {
    await turn()
    while (!isEnough()) {
      const next = this.#heap[0]
      if (next === undefined || next.atMs > untilMs) {
        this.nowMs = Math.max(this.nowMs, untilMs)
        return
      }
      this.#pop()
      if (next.isCancelled) continue
      this.nowMs = next.atMs
      this.steps++
      next.task()
      await (this.steps % realTurnEvery === 0 ? turn() : settled())
    }
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (isBefore(heap[parent]!, event)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = event
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()!
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (isBefore(last, heap[child]!)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.number < b.number)
}

/** Resolves when all promises have been carried out that wait for nothing but each other. */
function settled(): Promise<void> {
  return new Promise(resolve => process.nextTick(resolve))
}

/** One turn of the real event loop, for what waits for something real after all: work on other threads. */
function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

interface EpochStart {
  epoch: number
  startOffset: number
}

/** At which offset each leader epoch began: how far a follower's log is a leader's own (KIP-101). */
export class LeaderEpochs {
  #entries: EpochStart[]

  constructor(entries: readonly EpochStart[] = []) {
    this.#entries = [...entries]
  }

  get entries(): readonly EpochStart[] {
    return this.#entries
  }

  get latest(): number {
    return this.#entries.at(-1)?.epoch ?? -1
  }

  /** Whether something changed. Entries that contradict a newer one are dropped. */
  assign(epoch: number, startOffset: number): boolean {
    const last = this.#entries.at(-1)
    if (epoch < 0 || (last !== undefined && epoch === last.epoch && startOffset >= last.startOffset))
      return false
    if (last !== undefined && epoch < last.epoch) return false
    this.#entries = this.#entries.filter(entry => entry.epoch < epoch && entry.startOffset < startOffset)
    this.#entries.push({ epoch, startOffset })
    return true
  }

  /**
   * The largest epoch not above `epoch`, and where it ends: the start of the next one, or `logEndOffset` for the newest.
   * −1 and −1 when nothing is known.
   */
  endOffsetFor(epoch: number, logEndOffset: number): { epoch: number; endOffset: number } {
    if (epoch === this.latest) return { epoch, endOffset: logEndOffset }
    const next = this.#entries.findIndex(entry => entry.epoch > epoch)
    if (next === -1) return { epoch: -1, endOffset: -1 }
    if (next === 0) return { epoch, endOffset: this.#entries[0]!.startOffset }
    return { epoch: this.#entries[next - 1]!.epoch, endOffset: this.#entries[next]!.startOffset }
  }

  /** The epoch a record at `offset` was written in; −1 if unknown. */
  epochOf(offset: number): number {
    return this.#entries.findLast(entry => entry.startOffset <= offset)?.epoch ?? -1
  }

  truncateFromEnd(endOffset: number): void {
    this.#entries = this.#entries.filter(entry => entry.startOffset < endOffset)
  }

  truncateFromStart(startOffset: number): void {
    const first = this.#entries.findLast(entry => entry.startOffset <= startOffset)
    if (first === undefined) return
    this.#entries = [
      { epoch: first.epoch, startOffset },
      ...this.#entries.filter(entry => entry.startOffset > startOffset),
    ]
  }

  clear(): void {
    this.#entries = []
  }
}

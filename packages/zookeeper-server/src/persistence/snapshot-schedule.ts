import type { Random } from '@vivarium/platform'

export interface SnapshotLimits {
  /** A log file ends after half as many transactions to this many (`snapCount`). */
  txns: number
  /** Or at about half of this length (`snapSizeLimitInKb`); 0 or less: whatever its length. */
  bytes: number
  /** A snapshot waits until the log behind the last one holds this many transactions per znode (`snapLogFactor`). */
  txnsPerZnode: number
}

/** What there is to be written into a snapshot. */
export interface SnapshotSize {
  znodes: number
  bytes: number
}

interface Logged {
  txns: number
  bytes: number
}

/**
 * When the log begins a new file, and when a snapshot follows. Drawn by lot, so that the servers of an ensemble do not do it
 * all at the same time.
 *
 * Apache's write a snapshot with each file. That of a million znodes would be written over and over again while a twentieth
 * of them change; so a large database waits until there is about as much to gain.
 */
export class SnapshotSchedule {
  readonly #limits: SnapshotLimits
  readonly #random: Random
  #fileEnds: Logged = { txns: 0, bytes: 0 }
  readonly #inFile: Logged = { txns: 0, bytes: 0 }
  readonly #sinceSnapshot: Logged = { txns: 0, bytes: 0 }

  constructor(limits: SnapshotLimits, random: Random) {
    this.#limits = limits
    this.#random = random
    this.fileBegun()
  }

  logged(bytes: number): void {
    this.#inFile.txns++
    this.#inFile.bytes += bytes
    this.#sinceSnapshot.txns++
    this.#sinceSnapshot.bytes += bytes
  }

  get isFileFull(): boolean {
    return this.#inFile.txns > this.#fileEnds.txns || this.#inFile.bytes > this.#fileEnds.bytes
  }

  fileBegun(): void {
    const { txns, bytes } = this.#limits
    const half = Math.floor(txns / 2)
    this.#fileEnds = {
      txns: half + this.#random.below(Math.max(1, half)),
      bytes: bytes > 0 ? bytes / 2 + this.#random.below(2 ** 30) : Number.POSITIVE_INFINITY,
    }
    this.#inFile.txns = 0
    this.#inFile.bytes = 0
  }

  /** Whether a snapshot should be written, now that a file is full. */
  isSnapshotDue({ znodes, bytes }: SnapshotSize): boolean {
    const { txnsPerZnode } = this.#limits
    const logged = this.#sinceSnapshot
    return (
      logged.txns >= znodes * txnsPerZnode ||
      logged.bytes >= bytes * txnsPerZnode ||
      logged.bytes > this.#fileEnds.bytes
    )
  }

  /** Whether the newest snapshot holds everything that was logged. */
  get isCurrent(): boolean {
    return this.#sinceSnapshot.txns === 0
  }

  /** A snapshot is being written; what is given is to be called once it is there. */
  snapshotBegun(): () => void {
    const { txns, bytes } = this.#sinceSnapshot
    return () => {
      this.#sinceSnapshot.txns -= txns
      this.#sinceSnapshot.bytes -= bytes
    }
  }

  /** At a start: the log behind the newest snapshot holds this. */
  replayed({ txns, bytes }: { txns: number; bytes: number }): void {
    this.#sinceSnapshot.txns = txns
    this.#sinceSnapshot.bytes = bytes
  }
}

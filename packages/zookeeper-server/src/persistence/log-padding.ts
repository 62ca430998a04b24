import type { DiskFile } from '@vivarium/platform'

/** Zeros are kept this far ahead of the records, if the file grows by at least twice as much at a time. */
const mostBytesAhead = 1024 * 1024
/** Apache's rule (FilePadding): the file is made longer when less is left. */
const leastBytesLeft = 4096

/**
 * Room in a log file, made before records need it. The file gets its length as in Apache, in large steps, so that a sync need
 * not write a new one. And zeros go ahead of the records, so that their blocks are there: a sync that has to find some waits
 * for the file system's journal too (what PostgreSQL's wal_init_zero is for).
 *
 * Zeros and records are never on their way to the same place. Each have a handle of their own, since the system tells every
 * handle of a failed write once: neither can take the other's error away.
 */
export class LogPadding {
  readonly #records: DiskFile
  /** null: only the length is made. */
  readonly #zeros: DiskFile | null
  readonly #stepBytes: number
  readonly #aheadBytes: number
  /** What is filled at a time. */
  readonly #piece: Buffer
  /** Of the file. */
  #length: number
  /** Where zeros end, or those begin that are on their way. */
  #filledTo = 0
  #filling: Promise<void> | null = null
  #error: Error | null = null

  constructor(records: DiskFile, zeros: DiskFile | null, stepBytes: number, length: number) {
    this.#records = records
    this.#zeros = zeros
    this.#stepBytes = stepBytes
    this.#length = length
    this.#aheadBytes = Math.min(mostBytesAhead, Math.ceil(stepBytes / 2))
    this.#piece = Buffer.alloc(zeros === null ? 0 : Math.ceil(this.#aheadBytes / 2))
  }

  /** Resolves when records may be written up to `end`. Rejects if the file can no longer be trusted. */
  async reserve(end: number): Promise<void> {
    if (end + leastBytesLeft >= this.#length) await this.#lengthen(end)
    if (this.#filling !== null && end > this.#filledTo) await this.#filling
    if (this.#error !== null) throw this.#error
    this.#fillBehind(end)
  }

  async close(): Promise<void> {
    await this.#filling
    await this.#zeros?.close()
  }

  async #lengthen(end: number): Promise<void> {
    let length = this.#length + this.#stepBytes
    while (end > length) length += this.#stepBytes
    await this.#records.write([Buffer.alloc(1)], length - 1)
    this.#length = length
  }

  #fillBehind(end: number): void {
    if (this.#zeros === null || this.#filling !== null || this.#filledTo - end >= this.#aheadBytes) return
    // Where the records have caught up, the next ones are not to wait for zeros.
    const from = this.#filledTo > end ? this.#filledTo : end + Math.ceil(this.#aheadBytes / 16)
    const to = Math.min(from + this.#piece.length, this.#length)
    if (to <= from) return
    this.#filledTo = from
    this.#filling = this.#fill(this.#zeros, from, to)
  }

  async #fill(zeros: DiskFile, from: number, to: number): Promise<void> {
    try {
      await zeros.writeDurably([this.#piece.subarray(0, to - from)], from)
      this.#filledTo = to
    } catch (error) {
      // Without room for zeros there may yet be some for records, which say so themselves.
      if (!isNoRoom(error)) this.#error = error as Error
    }
    this.#filling = null
  }
}

function isNoRoom(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException
  return code === 'ENOSPC' || code === 'EDQUOT'
}

import { beginsEntry } from './log-line.ts'

/** One entry of a log: its lines, and where in the file it stands. */
export interface Entry {
  /** First byte of the entry. */
  offset: number
  /** First byte after it, its last newline included. */
  end: number
  /** The line that begins it. */
  head: string
  /** Lines that followed without a time of their own. */
  more: string[]
  /** It was longer than the cap; the rest is left out. */
  isTruncated: boolean
}

/** Bytes kept of one entry. */
export const maxEntryBytes = 64 * 1024

const newline = 0x0a

/**
 * Puts the bytes of a log file together into entries. Bytes come in order, cut anywhere.
 *
 * An entry ends where the next begins, or when `finish` says that nothing followed for a while. A line without its
 * newline yet is never part of an entry: its writer has not finished it. Memory is bounded by twice `maxEntryBytes`.
 */
export class EntryAssembler {
  #position: number
  #partial: Buffer[] = []
  #partialBytes = 0
  #partialStart: number
  #partialIsCut = false
  #open: (Entry & { sizeBytes: number }) | null = null

  constructor(position: number) {
    this.#position = position
    this.#partialStart = position
  }

  /** The next byte to be pushed. */
  get position(): number {
    return this.#position
  }

  /** Whether an entry waits to be finished. */
  get hasOpenEntry(): boolean {
    return this.#open !== null
  }

  /** Takes the next bytes of the file and gives the entries they complete. */
  push(chunk: Buffer): Entry[] {
    const entries: Entry[] = []
    let from = 0
    while (from < chunk.length) {
      const at = chunk.indexOf(newline, from)
      const to = at < 0 ? chunk.length : at
      this.#keep(chunk.subarray(from, to))
      this.#position += to - from
      if (at < 0) break
      this.#position++
      this.#endLine(entries)
      from = at + 1
    }
    return entries
  }

  /** Gives the open entry: nothing has followed it for a while. A line still without newline stays. */
  finish(): Entry[] {
    const open = this.#open
    this.#open = null
    return open === null ? [] : [entryOf(open)]
  }

  #keep(bytes: Buffer): void {
    const room = maxEntryBytes - this.#partialBytes
    if (bytes.length > room) this.#partialIsCut = true
    if (room <= 0 || bytes.length === 0) return
    // Copied: the chunk is its reader's buffer, and a short line must not keep a long chunk alive.
    const kept = Buffer.from(bytes.subarray(0, room))
    this.#partial.push(kept)
    this.#partialBytes += kept.length
  }

  #endLine(entries: Entry[]): void {
    const line = Buffer.concat(this.#partial).toString('utf8').replace(/\r$/, '')
    const sizeBytes = this.#partialBytes
    const isCut = this.#partialIsCut
    const offset = this.#partialStart
    this.#partial = []
    this.#partialBytes = 0
    this.#partialIsCut = false
    this.#partialStart = this.#position

    if (this.#open !== null && !beginsEntry(line)) {
      const open = this.#open
      open.end = this.#position
      if (open.isTruncated || open.sizeBytes + sizeBytes > maxEntryBytes || isCut) open.isTruncated = true
      else {
        open.more.push(line)
        open.sizeBytes += sizeBytes + 1
      }
      return
    }
    if (this.#open !== null) entries.push(entryOf(this.#open))
    this.#open = { offset, end: this.#position, head: line, more: [], isTruncated: isCut, sizeBytes }
    // A line that begins nothing and follows nothing stands for itself.
    if (!beginsEntry(line)) entries.push(...this.finish())
  }
}

function entryOf({ offset, end, head, more, isTruncated }: Entry): Entry {
  return { offset, end, head, more, isTruncated }
}

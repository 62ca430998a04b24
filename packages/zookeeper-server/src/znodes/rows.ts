import { type Arena, unitBytes } from './arena.ts'
import { lineBytes } from './memory.ts'

/** Where each field of a znode's row lies. */
export const field = {
  // The stat as snapshots hold it, big-endian, so that it is copied as it stands.
  czxid: 0,
  mzxid: 8,
  ctimeMs: 16,
  mtimeMs: 24,
  version: 32,
  cversion: 36,
  aversion: 40,
  ephemeralOwner: 44,
  pzxid: 52,
  // Behind it 32-bit numbers, little-endian.
  /** What the owner field says: an index into `ownerKinds`. */
  kind: 60,
  /** In the table of ACLs. */
  acl: 64,
  /** Address of its content: path and data, one behind the other. */
  content: 68,
  pathLength: 72,
  /** −1 for null. */
  dataLength: 76,
  childCount: 80,
  /** Hash of the path. */
  hash: 84,
  parent: 88,
  firstChild: 92,
  lastChild: 96,
  nextSibling: 100,
  previousSibling: 104,
  /** What the path contributes to the digest; nothing if `isApart`. */
  pathCrc: 108,
  isApart: 112,
  digest: 116,
} as const

export const statBytes = 60
/** Two cache lines. */
const rowBytes = 2 * lineBytes
const rowUnits = rowBytes / unitBytes
/** Content up to so long lies right behind its row: nobody waits for memory a second time. */
const maxBesideBytes = 384

const wordBytes = 4
const lineWords = lineBytes / wordBytes
const contentWord = field.content / wordBytes

/** Rows of equal size, each with its content: behind it, or in a block of its own. A row is known by its address. */
export class Rows {
  readonly #memory: Arena

  constructor(memory: Arena) {
    this.#memory = memory
  }

  /** A row with room for so much content. Its other fields hold anything. */
  allocate(contentBytes: number): number {
    const isBeside = contentBytes <= maxBesideBytes
    const row = this.#memory.allocate(isBeside ? rowBytes + contentBytes : rowBytes)
    this.set(row, field.content, isBeside ? row + rowUnits : this.#memory.allocate(contentBytes))
    return row
  }

  free(row: number): void {
    this.freeContent(row, this.get(row, field.content))
    this.#memory.free(row)
  }

  /** Where content of the row is to lie if it is to be so long: where it lies now, if that will do. */
  placeFor(row: number, contentBytes: number): number {
    const now = this.get(row, field.content)
    const beside = row + rowUnits
    if (contentBytes <= this.#memory.capacityOf(row) - rowBytes) return beside
    if (now === beside) return this.#memory.allocate(contentBytes)
    const capacity = this.#memory.capacityOf(now)
    // What became much smaller moves too: a znode that was large once does not keep the memory.
    const isFit = contentBytes <= capacity && (contentBytes >= capacity / 4 || capacity <= 64)
    return isFit ? now : this.#memory.allocate(contentBytes)
  }

  /** Gives back where content of the row lay. */
  freeContent(row: number, address: number): void {
    if (address !== row + rowUnits) this.#memory.free(address)
  }

  /** A 32-bit field. */
  get(row: number, at: number): number {
    return this.#memory.viewOf(row).getUint32(this.#memory.offsetOf(row) + at, true)
  }

  set(row: number, at: number, value: number): void {
    this.#memory.viewOf(row).setUint32(this.#memory.offsetOf(row) + at, value, true)
  }

  /**
   * Touches what is read of rows and their contents, and gives what was there, of no meaning. In loops as short as can be:
   * a processor waits for several of them at once, but looks only so many instructions ahead.
   */
  touch(rows: Int32Array, count: number): number {
    const memory = this.#memory
    let touched = 0
    for (let i = 0; i < count; i++) {
      const row = rows[i]!
      const words = memory.wordsOf(row)
      const at = memory.wordOffsetOf(row)
      const last = words.length - 1
      touched ^= words[at]! ^ words[at + lineWords]!
      touched ^= words[Math.min(at + 2 * lineWords, last)]! ^ words[Math.min(at + 3 * lineWords, last)]!
    }
    for (let i = 0; i < count; i++) {
      const row = rows[i]!
      const content = memory.wordsOf(row)[memory.wordOffsetOf(row) + contentWord]!
      if (content !== row + rowUnits)
        touched ^= memory.wordsOf(content >>> 0)[memory.wordOffsetOf(content >>> 0)]!
    }
    return touched
  }
}

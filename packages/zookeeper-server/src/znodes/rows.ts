import { lineBytes, Pieces } from './memory.ts'

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
  /** Address of the block with path and data, one behind the other. */
  content: 68,
  pathLength: 72,
  /** −1 for null. */
  dataLength: 76,
  childCount: 80,
  /** Hash of the path, and the next row that fell into the same bucket of the index. */
  hash: 84,
  nextInBucket: 88,
  parent: 92,
  firstChild: 96,
  nextSibling: 100,
  previousSibling: 104,
  /** What the path contributes to the digest; nothing if `isApart`. */
  pathCrc: 108,
  isApart: 112,
  digest: 116,
  lastChild: 120,
} as const

export const statBytes = 60
/** Two cache lines: one with the stat, the other with all that a lookup reads. */
const rowBytes = 2 * lineBytes
const rowsPerChunk = 4096
const chunkShift = 12

/** Rows of equal size, outside the JavaScript heap, known by number. Row 0 is never given out: it stands for none. */
export class Rows {
  readonly #memory = new Pieces(rowsPerChunk * rowBytes)
  readonly #views: DataView[] = []
  readonly #bytes: Buffer[] = []
  readonly #words: Int32Array[] = []
  /** Rows that were never given out begin here. */
  #fresh = 1
  /** The first of the rows that were given back; each names the next. */
  #freed = 0

  /** A row whose fields hold anything. */
  allocate(): number {
    const freed = this.#freed
    if (freed !== 0) {
      this.#freed = this.get(freed, field.nextInBucket)
      return freed
    }
    const row = this.#fresh++
    if (row >> chunkShift === this.#views.length) {
      const bytes = this.#memory.next()
      this.#bytes.push(bytes)
      this.#words.push(new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4))
      this.#views.push(new DataView(bytes.buffer, bytes.byteOffset, bytes.length))
    }
    return row
  }

  free(row: number): void {
    this.set(row, field.nextInBucket, this.#freed)
    this.#freed = row
  }

  /** A 32-bit field. */
  get(row: number, at: number): number {
    return this.#views[row >> chunkShift]!.getUint32(this.startOf(row) + at, true)
  }

  set(row: number, at: number, value: number): void {
    this.#views[row >> chunkShift]!.setUint32(this.startOf(row) + at, value, true)
  }

  /** Touches what is read of a row, and gives what was found there, of no meaning. */
  touch(row: number): number {
    const words = this.#words[row >> chunkShift]!
    const at = (row & (rowsPerChunk - 1)) * (rowBytes / 4)
    return words[at + field.czxid / 4]! ^ words[at + field.hash / 4]!
  }

  /** The memory that holds the row, from `startOf(row)` on. */
  viewOf(row: number): DataView {
    return this.#views[row >> chunkShift]!
  }

  bytesOf(row: number): Buffer {
    return this.#bytes[row >> chunkShift]!
  }

  startOf(row: number): number {
    return (row & (rowsPerChunk - 1)) * rowBytes
  }

  clear(): void {
    this.#memory.clear()
    this.#views.length = 0
    this.#bytes.length = 0
    this.#words.length = 0
    this.#fresh = 1
    this.#freed = 0
  }
}

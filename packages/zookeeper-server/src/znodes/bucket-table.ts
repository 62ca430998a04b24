import { lineBytes, Pieces } from './memory.ts'

const lineWords = lineBytes / 4
/** Where in a line what lies: the line its bucket goes on in (0: in none), how many entries it has, their hashes and rows. */
const word = { next: 0, count: 1, hashes: 2, rows: 9 } as const
const entriesPerLine = 7
/** On average: few buckets have more entries than a line takes. */
const entriesPerBucket = 4
const segmentShift = 12
const linesPerSegment = 1 << segmentShift
const firstMask = 255

/**
 * Which rows have which hash. A bucket is a cache line, seldom more than one: whoever looks a row up waits for memory once.
 * Grows by linear hashing: each row that is added may split one bucket, so that no single addition ever waits for a table
 * to be built anew.
 */
export class BucketTable {
  readonly #memory = new Pieces(linesPerSegment * lineBytes)
  /** The first line of each bucket, known by the bucket's number. */
  readonly #first: Int32Array[] = []
  /** Lines that buckets go on in, known by −1, −2, … */
  readonly #further: Int32Array[] = []
  #furtherCount = 0
  /** The first of the further lines that are free, each of which names the next. */
  #freed = 0
  /** Buckets 0 … mask, one less than a power of two; those before `#split` have been split into two already. */
  #mask = firstMask
  #split = 0
  #entryCount = 0
  /** Hash and row of what was taken out of a bucket, one behind the other. */
  readonly #taken: number[] = []

  constructor() {
    this.#first.push(this.#newSegment())
  }

  /** A row that has this hash, or the next such behind `before`; 0 if there is none. */
  find(hash: number, before = 0): number {
    let isBehind = before === 0
    let line = this.#bucketOf(hash)
    do {
      const words = this.#wordsOf(line)
      const at = startOf(line)
      const end = at + word.hashes + words[at + word.count]!
      for (let entry = at + word.hashes; entry < end; entry++) {
        if (words[entry] !== hash) continue
        const row = words[entry + word.rows - word.hashes]!
        if (isBehind) return row
        isBehind = row === before
      }
      line = words[at + word.next]!
    } while (line !== 0)
    return 0
  }

  /** Touches what looking these hashes up reads, and gives what was found there, of no meaning. */
  touch(hashes: Int32Array, length: number): number {
    const segments = this.#first
    const mask = this.#mask
    const split = this.#split
    let touched = 0
    for (let i = 0; i < length; i++) {
      const bucket = bucketOf(hashes[i]!, mask, split)
      touched ^= segments[bucket >>> segmentShift]![(bucket & (linesPerSegment - 1)) * lineWords]!
    }
    return touched
  }

  add(hash: number, row: number): void {
    this.#put(hash, row)
    this.#entryCount++
    if (this.#entryCount > this.#bucketCount() * entriesPerBucket) this.#splitNext()
  }

  /** Room for so many rows, made at once where there is none yet: then none of them splits a bucket. */
  reserve(rowCount: number): void {
    if (this.#entryCount > 0) return
    while (2 * (this.#mask + 1) * entriesPerBucket <= rowCount) this.#mask = 2 * this.#mask + 1
    while (this.#first.length << segmentShift <= this.#mask) this.#first.push(this.#newSegment())
  }

  remove(hash: number, row: number): void {
    this.#take(this.#bucketOf(hash))
    const taken = this.#taken
    for (let i = 0; i < taken.length; i += 2) if (taken[i + 1] !== row) this.#put(taken[i]!, taken[i + 1]!)
    this.#entryCount--
  }

  clear(): void {
    this.#memory.clear()
    this.#first.length = 0
    this.#further.length = 0
    this.#furtherCount = 0
    this.#freed = 0
    this.#first.push(this.#newSegment())
    this.#mask = firstMask
    this.#split = 0
    this.#entryCount = 0
  }

  #newSegment(): Int32Array {
    const { buffer, byteOffset } = this.#memory.next()
    return new Int32Array(buffer, byteOffset, linesPerSegment * lineWords)
  }

  #bucketCount(): number {
    return this.#mask + 1 + this.#split
  }

  #bucketOf(hash: number): number {
    return bucketOf(hash, this.#mask, this.#split)
  }

  #splitNext(): void {
    if (this.#bucketCount() === this.#first.length << segmentShift) this.#first.push(this.#newSegment())
    this.#take(this.#split)
    this.#split++
    if (this.#split > this.#mask) {
      this.#mask = 2 * this.#mask + 1
      this.#split = 0
    }
    const taken = this.#taken
    for (let i = 0; i < taken.length; i += 2) this.#put(taken[i]!, taken[i + 1]!)
  }

  #put(hash: number, row: number): void {
    let line = this.#bucketOf(hash)
    for (;;) {
      const words = this.#wordsOf(line)
      const at = startOf(line)
      const count = words[at + word.count]!
      if (count < entriesPerLine) {
        words[at + word.hashes + count] = hash
        words[at + word.rows + count] = row
        words[at + word.count] = count + 1
        return
      }
      if (words[at + word.next] === 0) words[at + word.next] = this.#newLine()
      line = words[at + word.next]!
    }
  }

  /** Empties a bucket into `#taken`. */
  #take(bucket: number): void {
    const taken = this.#taken
    taken.length = 0
    let line = bucket
    do {
      const words = this.#wordsOf(line)
      const at = startOf(line)
      const next = words[at + word.next]!
      for (let i = 0; i < words[at + word.count]!; i++)
        taken.push(words[at + word.hashes + i]!, words[at + word.rows + i]!)
      words[at + word.count] = 0
      words[at + word.next] = 0
      if (line < 0) {
        words[at + word.next] = this.#freed
        this.#freed = line
      }
      line = next
    } while (line !== 0)
  }

  /** An empty one, to go on in. */
  #newLine(): number {
    const freed = this.#freed
    if (freed !== 0) {
      const words = this.#wordsOf(freed)
      this.#freed = words[startOf(freed) + word.next]!
      words[startOf(freed) + word.next] = 0
      return freed
    }
    if (this.#furtherCount === this.#further.length << segmentShift) this.#further.push(this.#newSegment())
    this.#furtherCount++
    return -this.#furtherCount
  }

  #wordsOf(line: number): Int32Array {
    return line < 0 ? this.#further[~line >>> segmentShift]! : this.#first[line >>> segmentShift]!
  }
}

/** Of buckets 0 … mask, and those into which the ones before `split` have been split. */
function bucketOf(hash: number, mask: number, split: number): number {
  const bucket = hash & mask
  return bucket < split ? hash & (2 * mask + 1) : bucket
}

/** The index in its segment at which a line begins. */
function startOf(line: number): number {
  return ((line < 0 ? ~line : line) & (linesPerSegment - 1)) * lineWords
}

import { Pieces } from './memory.ts'
import { field, type Rows } from './rows.ts'

const segmentShift = 16
const segmentLength = 1 << segmentShift
const firstMask = 1023
const wordBytes = 4
/** Buckets per row. */
const slack = 2

/**
 * Which rows have which hash. Grows by linear hashing: each row that is added may split one bucket, so that no single
 * addition ever waits for a table to be built anew. Chains run through the rows themselves.
 */
export class BucketTable {
  readonly #memory = new Pieces(segmentLength * wordBytes)
  readonly #segments: Uint32Array[] = []
  /** Buckets 0 … mask, one less than a power of two; those before `#split` have been split into two already. */
  #mask = firstMask
  #split = 0
  #rowCount = 0

  constructor() {
    this.#addSegment()
  }

  /** The first row that may have this hash; `nextInBucket` leads on. */
  first(hash: number): number {
    return this.#get(this.#bucketOf(hash))
  }

  add(rows: Rows, row: number): void {
    this.#put(rows, row)
    this.#rowCount++
    for (let i = 0; i < slack && this.#rowCount * slack > this.#count(); i++) this.#splitNext(rows)
  }

  /** Room for so many rows, made at once where there is none yet: then none of them splits a bucket. */
  reserve(rowCount: number): void {
    if (this.#rowCount > 0) return
    while (2 * (this.#mask + 1) <= rowCount * slack) this.#mask = 2 * this.#mask + 1
    while (this.#segments.length << segmentShift <= this.#mask) this.#addSegment()
  }

  remove(rows: Rows, row: number): void {
    const bucket = this.#bucketOf(rows.get(row, field.hash))
    const next = rows.get(row, field.nextInBucket)
    let before = this.#get(bucket)
    if (before === row) {
      this.#set(bucket, next)
    } else {
      while (rows.get(before, field.nextInBucket) !== row) before = rows.get(before, field.nextInBucket)
      rows.set(before, field.nextInBucket, next)
    }
    this.#rowCount--
  }

  clear(): void {
    this.#memory.clear()
    this.#segments.length = 0
    this.#addSegment()
    this.#mask = firstMask
    this.#split = 0
    this.#rowCount = 0
  }

  #addSegment(): void {
    const { buffer, byteOffset } = this.#memory.next()
    this.#segments.push(new Uint32Array(buffer, byteOffset, segmentLength))
  }

  #count(): number {
    return this.#mask + 1 + this.#split
  }

  #bucketOf(hash: number): number {
    const bucket = hash & this.#mask
    return bucket < this.#split ? hash & (2 * this.#mask + 1) : bucket
  }

  #splitNext(rows: Rows): void {
    if (this.#count() === this.#segments.length << segmentShift) this.#addSegment()
    const bucket = this.#split
    let row = this.#get(bucket)
    this.#set(bucket, 0)
    this.#set(this.#count(), 0)
    this.#split++
    while (row !== 0) {
      const next = rows.get(row, field.nextInBucket)
      this.#put(rows, row)
      row = next
    }
    if (this.#split <= this.#mask) return
    this.#mask = 2 * this.#mask + 1
    this.#split = 0
  }

  #put(rows: Rows, row: number): void {
    const bucket = this.#bucketOf(rows.get(row, field.hash))
    rows.set(row, field.nextInBucket, this.#get(bucket))
    this.#set(bucket, row)
  }

  #get(bucket: number): number {
    return this.#segments[bucket >>> segmentShift]![bucket & (segmentLength - 1)]!
  }

  #set(bucket: number, row: number): void {
    this.#segments[bucket >>> segmentShift]![bucket & (segmentLength - 1)] = row
  }
}

import { viewOf } from '@vivarium/bytes'
import { Pieces } from './memory.ts'

/** Blocks begin at multiples of this. */
export const unitBytes = 16
const wordBytes = 4
const pageBytes = 64 * 1024
const unitsPerPage = pageBytes / unitBytes
const pagesPerSegment = 16
const segmentBytes = pagesPerSegment * pageBytes
const unitsPerSegment = unitsPerPage * pagesPerSegment
const segmentShift = Math.log2(unitsPerSegment)
/** Blocks larger than this get memory of their own. */
const maxBlockBytes = 16 * 1024
/** Marks the address of a block with memory of its own. */
const ownMemory = 0x8000_0000
const none = -1

/** 64 KiB cut into blocks of one size. */
interface Page {
  readonly index: number
  blockBytes: number
  sizeClass: number
  blocksInUse: number
  /** Offset of the first block that was never used. */
  fresh: number
  /** Offset of the first block that was freed; each holds the offset of the next. */
  freed: number
  previous: Page | null
  next: Page | null
}

/**
 * Memory for many small pieces of data, outside the JavaScript heap: nothing in it costs the garbage collector anything,
 * however many there are. A block has a number for an address. Pages hold blocks of one size; an emptied page serves any
 * size again. Nothing lies at address 0.
 */
export class Arena {
  readonly #memory = new Pieces(segmentBytes)
  readonly #segments: Buffer[] = []
  readonly #segmentWords: Int32Array[] = []
  readonly #segmentViews: DataView[] = []
  readonly #pages: Page[] = []
  /** By size class: the first of the pages that have room. */
  readonly #withRoom: (Page | null)[] = []
  readonly #empty: Page[] = []
  readonly #large: (Buffer | null)[] = []
  readonly #largeWords: (Int32Array | null)[] = []
  readonly #largeViews: (DataView | null)[] = []
  readonly #freedLarge: number[] = []

  constructor() {
    this.#nextPage()
  }

  /** The address of a block of at least `length` bytes, which hold anything. */
  allocate(length: number): number {
    if (length > maxBlockBytes) return this.#allocateLarge(length)
    const sizeClass = sizeClassOf(length)
    const page = this.#withRoom[sizeClass] ?? this.#newPage(sizeClass)
    let offset = page.freed
    if (offset === none) {
      offset = page.fresh
      page.fresh += page.blockBytes
    } else {
      page.freed = this.#segmentOf(page).readInt32LE(startOf(page) + offset)
    }
    page.blocksInUse++
    if (!hasRoom(page)) this.#unlink(page)
    return page.index * unitsPerPage + offset / unitBytes
  }

  free(address: number): void {
    if (address >= ownMemory) {
      const index = address - ownMemory
      this.#large[index] = null
      this.#largeWords[index] = null
      this.#largeViews[index] = null
      this.#freedLarge.push(index)
      return
    }
    const page = this.#pages[Math.floor(address / unitsPerPage)]!
    const offset = (address % unitsPerPage) * unitBytes
    const wasFull = !hasRoom(page)
    this.#segmentOf(page).writeInt32LE(page.freed, startOf(page) + offset)
    page.freed = offset
    page.blocksInUse--
    if (wasFull) this.#link(page)
    if (page.blocksInUse > 0) return
    this.#unlink(page)
    this.#empty.push(page)
  }

  /** How many bytes the block can hold. */
  capacityOf(address: number): number {
    if (address >= ownMemory) return this.#large[address - ownMemory]!.length
    return this.#pages[Math.floor(address / unitsPerPage)]!.blockBytes
  }

  /** The memory that holds the block, from `offsetOf(address)` on. */
  memoryOf(address: number): Buffer {
    if (address >= ownMemory) return this.#large[address - ownMemory]!
    return this.#segments[address >>> segmentShift]!
  }

  /** The same memory in words: a block begins with one, and holds its last one whole. */
  wordsOf(address: number): Int32Array {
    if (address >= ownMemory) return this.#largeWords[address - ownMemory]!
    return this.#segmentWords[address >>> segmentShift]!
  }

  /** A view of the same memory. */
  viewOf(address: number): DataView {
    if (address >= ownMemory) return this.#largeViews[address - ownMemory]!
    return this.#segmentViews[address >>> segmentShift]!
  }

  offsetOf(address: number): number {
    return address >= ownMemory ? 0 : (address & (unitsPerSegment - 1)) * unitBytes
  }

  /** The same in words. */
  wordOffsetOf(address: number): number {
    return address >= ownMemory ? 0 : (address & (unitsPerSegment - 1)) * (unitBytes / wordBytes)
  }

  clear(): void {
    this.#memory.clear()
    this.#segments.length = 0
    this.#segmentWords.length = 0
    this.#segmentViews.length = 0
    this.#pages.length = 0
    this.#withRoom.length = 0
    this.#empty.length = 0
    this.#large.length = 0
    this.#largeWords.length = 0
    this.#largeViews.length = 0
    this.#freedLarge.length = 0
    this.#nextPage()
  }

  #allocateLarge(length: number): number {
    const index = this.#freedLarge.pop() ?? this.#large.length
    const bytes = Buffer.allocUnsafeSlow(Math.ceil(length / wordBytes) * wordBytes)
    this.#large[index] = bytes
    this.#largeWords[index] = wordsIn(bytes)
    this.#largeViews[index] = viewOf(bytes)
    return ownMemory + index
  }

  #newPage(sizeClass: number): Page {
    const page = this.#empty.pop() ?? this.#nextPage()
    page.sizeClass = sizeClass
    page.blockBytes = blockBytesOf(sizeClass)
    page.fresh = 0
    page.freed = none
    this.#link(page)
    return page
  }

  #nextPage(): Page {
    const index = this.#pages.length
    if (index === this.#segments.length * pagesPerSegment) {
      const bytes = this.#memory.next()
      this.#segments.push(bytes)
      this.#segmentWords.push(wordsIn(bytes))
      this.#segmentViews.push(viewOf(bytes))
    }
    const page: Page = {
      index,
      blockBytes: 0,
      sizeClass: 0,
      blocksInUse: 0,
      fresh: 0,
      freed: none,
      previous: null,
      next: null,
    }
    this.#pages.push(page)
    return page
  }

  #segmentOf(page: Page): Buffer {
    return this.#segments[Math.floor(page.index / pagesPerSegment)]!
  }

  #link(page: Page): void {
    const first = this.#withRoom[page.sizeClass] ?? null
    page.previous = null
    page.next = first
    if (first !== null) first.previous = page
    this.#withRoom[page.sizeClass] = page
  }

  #unlink(page: Page): void {
    if (page.previous === null) this.#withRoom[page.sizeClass] = page.next
    else page.previous.next = page.next
    if (page.next !== null) page.next.previous = page.previous
  }
}

function wordsIn(bytes: Buffer): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / wordBytes)
}

function hasRoom(page: Page): boolean {
  return page.freed !== none || page.fresh + page.blockBytes <= pageBytes
}

function startOf(page: Page): number {
  return (page.index % pagesPerSegment) * pageBytes
}

/** Every 16 bytes up to 512, then four sizes for each doubling. */
const fineClasses = 32
const coarseShift = 9

function sizeClassOf(length: number): number {
  if (length <= fineClasses * unitBytes) return Math.max(0, Math.ceil(length / unitBytes) - 1)
  const doubling = 31 - Math.clz32(length - 1)
  return fineClasses + (doubling - coarseShift) * 4 + ((length - 1) >> (doubling - 2)) - 4
}

function blockBytesOf(sizeClass: number): number {
  if (sizeClass < fineClasses) return (sizeClass + 1) * unitBytes
  const doubling = coarseShift + ((sizeClass - fineClasses) >> 2)
  return (1 << doubling) + (((sizeClass - fineClasses) & 3) + 1) * (1 << (doubling - 2))
}

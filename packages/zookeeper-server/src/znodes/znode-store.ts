import type { Acl } from '@vivarium/zookeeper-protocol'
import { pathCrcOf, takesNoPart } from '../digest.ts'
import { type OwnerKind, ownerKinds } from '../ephemeral-owner.ts'
import { AclTable } from './acl-table.ts'
import { Arena } from './arena.ts'
import { BucketTable } from './bucket-table.ts'
import { type HashedPath, PathHasher } from './path-hash.ts'
import { field, Rows, statBytes } from './rows.ts'
import { Znode, type ZnodeMemory } from './znode.ts'

/** What a znode begins with. */
export interface NewZnode {
  data: Uint8Array | null
  acl: readonly Acl[]
  owner: bigint
  kind: OwnerKind
  zxid: bigint
  /** Milliseconds. */
  time: bigint
}

/** A znode as a snapshot holds it, in the bytes as they came. */
export interface StoredZnode {
  /** Begins with `pathLength` bytes of path; none for the root. */
  path: Buffer
  pathLength: number
  /** Begins with `dataLength` bytes of data; −1 for null. The 60 bytes from `statAt` on are StatPersisted. */
  rest: Buffer
  dataLength: number
  statAt: number
  /** The key of its ACL here, which is in use already. */
  aclKey: number
}

/** A walk over znodes that the tree may change under. */
interface Cursor {
  /** The row that comes next; 0 at the end. */
  next: number
  /** All znodes are gone: what it has met is no part of what is there now. */
  isCut: boolean
}

/**
 * Every znode by its path, and the tree they form. Millions of them cost the garbage collector nothing: all lie in memory
 * outside the JavaScript heap, in rows that are linked into a tree and found through a hash of the path.
 */
export class ZnodeStore implements Iterable<Znode> {
  readonly acls: AclTable = new AclTable()
  readonly #arena = new Arena()
  readonly #rows = new Rows(this.#arena)
  readonly #memory: ZnodeMemory = { rows: this.#rows, arena: this.#arena, acls: this.acls }
  readonly #hasher: PathHasher
  readonly #buckets = new BucketTable()
  readonly #cursors = new Set<Cursor>()
  /** What `lookAhead` came upon, of no meaning: the compiler would leave out reading what nobody could ask for. */
  touched = 0
  /** Of the paths it was given, in their order: where they begin, their hashes, and the row that a path probably has. */
  #aheadStarts = new Int32Array(0)
  #aheadHashes = new Int32Array(0)
  #aheadRows = new Int32Array(0)
  #aheadCount = 0
  /** The first that nobody has asked for yet. */
  #aheadNext = 0
  #root = 0
  #size = 0

  /** `hashSeed`: 32 bits that nobody outside knows. */
  constructor(hashSeed: number) {
    this.#hasher = new PathHasher(hashSeed)
  }

  get size(): number {
    return this.#size
  }

  get(path: string): Znode | undefined {
    return this.#viewOf(this.#find(this.#hasher.ofString(path)))
  }

  /** The znode whose path lies in `bytes`. */
  getAt(bytes: Buffer, start: number, length: number): Znode | undefined {
    const probable = this.#aheadOf(start)
    if (probable !== 0 && this.#hasPath(probable, bytes, start, length))
      return new Znode(this.#memory, probable)
    const row = this.#find(this.#hasher.ofBytes(bytes, start, length))
    if (row !== 0) return new Znode(this.#memory, row)
    for (let at = start; at < start + length; at++)
      // What is no UTF-8 stands for the text it is read as.
      if (bytes[at]! > 0x7f) return this.get(bytes.toString('utf8', start, start + length))
    return undefined
  }

  /** What was looked up ahead for a path that begins there; 0 if nothing was. */
  #aheadOf(start: number): number {
    const starts = this.#aheadStarts
    while (this.#aheadNext < this.#aheadCount && starts[this.#aheadNext]! < start) this.#aheadNext++
    if (this.#aheadNext === this.#aheadCount || starts[this.#aheadNext] !== start) return 0
    return this.#aheadRows[this.#aheadNext]!
  }

  #hasPath(row: number, bytes: Buffer, start: number, length: number): boolean {
    if (this.#rows.get(row, field.pathLength) !== length) return false
    const content = this.#rows.get(row, field.content)
    const memory = this.#arena.memoryOf(content)
    const offset = this.#arena.offsetOf(content)
    // From the end: siblings differ there.
    for (let at = length - 1; at >= 0; at--) if (memory[offset + at] !== bytes[start + at]) return false
    return true
  }

  /** The hash a path has here: 32 bits, signed. */
  hashOf(path: string): number {
    return this.#hasher.ofString(path).hash
  }

  has(path: string): boolean {
    return this.#find(this.#hasher.ofString(path)) !== 0
  }

  /**
   * Looks up paths that `getAt` will be asked for, in this order; until something is removed, it knows then. One after
   * another, each would wait for memory twice; here all wait together. A path begins in `bytes` where `starts` says.
   */
  lookAhead(bytes: Buffer, starts: Int32Array, lengths: Int32Array, count: number): void {
    if (this.#aheadRows.length < count) {
      this.#aheadStarts = new Int32Array(count)
      this.#aheadHashes = new Int32Array(count)
      this.#aheadRows = new Int32Array(count)
    }
    const hashes = this.#aheadHashes
    const rows = this.#aheadRows
    this.#hasher.hashEach(bytes, starts, lengths, hashes, count)
    const touched = this.#buckets.touch(hashes, count)
    for (let i = 0; i < count; i++) {
      this.#aheadStarts[i] = starts[i]!
      rows[i] = this.#buckets.find(hashes[i]!)
    }
    this.touched = touched ^ this.#rows.touch(rows, count)
    this.#aheadCount = count
    this.#aheadNext = 0
  }

  /** Adds a znode that is not there yet, below one that is, or the root with null. */
  add(path: string, parent: Znode | null, { data, acl, owner, kind, zxid, time }: NewZnode): Znode {
    const key = this.acls.acquire(acl)
    const row = this.#insert(this.#hasher.ofString(path), parent?.row ?? 0, data?.length ?? -1, key, kind)
    const znode = new Znode(this.#memory, row)
    if (data !== null) znode.data = data
    const view = this.#arena.viewOf(row)
    const start = this.#arena.offsetOf(row)
    this.#arena.memoryOf(row).fill(0, start, start + statBytes)
    view.setBigInt64(start + field.czxid, zxid)
    view.setBigInt64(start + field.ctimeMs, time)
    view.setBigInt64(start + field.ephemeralOwner, owner)
    znode.mzxid = zxid
    znode.pzxid = zxid
    znode.mtime = time
    return znode
  }

  /** Adds a znode that was stored. Undefined if its parent is missing, or it is there already. */
  restore(stored: StoredZnode, kind: OwnerKind): Znode | undefined {
    const { path, pathLength, aclKey } = stored
    const isRoot = pathLength === 0
    const parent = isRoot ? 0 : this.#find(this.#hasher.ofBytes(path, 0, parentLength(path, pathLength)))
    if (parent === 0 && !isRoot) return undefined
    const hashed = isRoot ? this.#hasher.ofString('/') : this.#hasher.ofBytes(path, 0, pathLength)
    if (this.#find(hashed) !== 0) return undefined
    this.acls.retain(aclKey)
    const row = this.#insert(hashed, parent, stored.dataLength, aclKey, kind)
    const znode = new Znode(this.#memory, row)
    znode.fill(stored.rest, stored.statAt)
    return znode
  }

  /** Removes a znode that has no children. */
  remove(znode: Znode): void {
    const { row } = znode
    for (const cursor of this.#cursors) if (cursor.next === row) cursor.next = this.#behind(row, 0)
    this.#unlink(row)
    this.#buckets.remove(this.#rows.get(row, field.hash) | 0, row)
    this.acls.release(znode.aclKey)
    this.#rows.free(row)
    this.#aheadCount = 0
    this.#size--
  }

  /** So many are to be added to an empty store, or about as many. */
  expect(count: number): void {
    this.#buckets.reserve(count)
  }

  clear(): void {
    for (const cursor of this.#cursors) cursor.isCut = true
    this.#aheadCount = 0
    this.#arena.clear()
    this.#buckets.clear()
    this.acls.clear()
    this.#root = 0
    this.#size = 0
  }

  // ---- walks -------------------------------------------------------------------------------------------------------------

  /**
   * Every znode, parents before their children. The tree may change meanwhile: whoever was there at the start and still
   * is comes once, who is made meanwhile may come. Throws if all are replaced: a snapshot of that would be half of one.
   */
  *[Symbol.iterator](): Generator<Znode> {
    const cursor: Cursor = { next: this.#root, isCut: false }
    this.#cursors.add(cursor)
    try {
      while (cursor.next !== 0) {
        const row = cursor.next
        cursor.next = this.#after(row, 0)
        yield new Znode(this.#memory, row)
        if (cursor.isCut) throw new Error('all znodes were replaced during a walk over them')
      }
    } finally {
      this.#cursors.delete(cursor)
    }
  }

  /** The children of a znode, in the order they were made. Not to be changed meanwhile. */
  *childrenOf(znode: Znode, behind: Znode | null = null): Generator<Znode> {
    let row =
      behind === null
        ? this.#rows.get(znode.row, field.firstChild)
        : this.#rows.get(behind.row, field.nextSibling)
    for (; row !== 0; row = this.#rows.get(row, field.nextSibling)) yield new Znode(this.#memory, row)
  }

  /** A znode and everything below it, parents before their children. Not to be changed meanwhile. */
  *subtreeOf(znode: Znode): Generator<Znode> {
    for (let { row } = znode; row !== 0; row = this.#after(row, znode.row)) yield new Znode(this.#memory, row)
  }

  /** How many znodes are below one. */
  descendantsOf(znode: Znode): number {
    let count = -1
    for (let { row } = znode; row !== 0; row = this.#after(row, znode.row)) count++
    return count
  }

  /** The row behind one in a walk over the subtree of `top` (0: over everything); 0 at the end. */
  #after(row: number, top: number): number {
    return this.#rows.get(row, field.firstChild) || this.#behind(row, top)
  }

  /** The same, leaving out what is below the row. */
  #behind(row: number, top: number): number {
    for (let at = row; at !== top && at !== 0; at = this.#rows.get(at, field.parent)) {
      const sibling = this.#rows.get(at, field.nextSibling)
      if (sibling !== 0) return sibling
    }
    return 0
  }

  // ---- rows --------------------------------------------------------------------------------------------------------------

  #viewOf(row: number): Znode | undefined {
    return row === 0 ? undefined : new Znode(this.#memory, row)
  }

  #find(path: HashedPath): number {
    let row = this.#buckets.find(path.hash)
    while (row !== 0 && !this.#isAt(row, path)) row = this.#buckets.find(path.hash, row)
    return row
  }

  #isAt(row: number, { words, length }: HashedPath): boolean {
    if (this.#rows.get(row, field.pathLength) !== length) return false
    const address = this.#rows.get(row, field.content)
    const memory = this.#arena.wordsOf(address)
    const offset = this.#arena.wordOffsetOf(address)
    // From the end: siblings differ there.
    const whole = Math.floor(length / wordBytes)
    const rest = length % wordBytes
    if (rest > 0 && ((memory[offset + whole]! ^ words[whole]!) & firstBytes[rest]!) !== 0) return false
    for (let at = whole - 1; at >= 0; at--) if (memory[offset + at] !== words[at]) return false
    return true
  }

  /** A row with everything but its stat and the bytes of its data, for which there is room. */
  #insert(path: HashedPath, parent: number, dataLength: number, aclKey: number, kind: OwnerKind): number {
    const { bytes, length, hash } = path
    const rows = this.#rows
    const row = rows.allocate(length + Math.max(0, dataLength))
    const content = rows.get(row, field.content)
    const memory = this.#arena.memoryOf(content)
    const offset = this.#arena.offsetOf(content)
    for (let at = 0; at < length; at++) memory[offset + at] = bytes[at]!
    const crc = pathCrcOf(bytes, length)
    rows.set(row, field.kind, ownerKinds.indexOf(kind))
    rows.set(row, field.acl, aclKey)
    rows.set(row, field.pathLength, length)
    rows.set(row, field.dataLength, dataLength)
    rows.set(row, field.childCount, 0)
    rows.set(row, field.hash, hash)
    rows.set(row, field.firstChild, 0)
    rows.set(row, field.lastChild, 0)
    rows.set(row, field.pathCrc, crc)
    rows.set(row, field.isApart, crc === takesNoPart ? 1 : 0)
    rows.set(row, field.digest, 0)
    this.#buckets.add(hash, row)
    this.#link(row, parent)
    this.#size++
    return row
  }

  /** Puts a row behind its siblings: children are listed in the order they were made. */
  #link(row: number, parent: number): void {
    const rows = this.#rows
    const last = parent === 0 ? 0 : rows.get(parent, field.lastChild)
    rows.set(row, field.parent, parent)
    rows.set(row, field.previousSibling, last)
    rows.set(row, field.nextSibling, 0)
    if (parent === 0) {
      this.#root = row
      return
    }
    if (last === 0) rows.set(parent, field.firstChild, row)
    else rows.set(last, field.nextSibling, row)
    rows.set(parent, field.lastChild, row)
    rows.set(parent, field.childCount, rows.get(parent, field.childCount) + 1)
  }

  #unlink(row: number): void {
    const rows = this.#rows
    const parent = rows.get(row, field.parent)
    if (parent === 0) {
      this.#root = 0
      return
    }
    const previous = rows.get(row, field.previousSibling)
    const next = rows.get(row, field.nextSibling)
    if (previous === 0) rows.set(parent, field.firstChild, next)
    else rows.set(previous, field.nextSibling, next)
    if (next === 0) rows.set(parent, field.lastChild, previous)
    else rows.set(next, field.previousSibling, previous)
    rows.set(parent, field.childCount, rows.get(parent, field.childCount) - 1)
  }
}

/** Bytes of a path's parent's path. */
function parentLength(path: Buffer, length: number): number {
  let at = length - 1
  while (at > 0 && path[at] !== slash) at--
  return Math.max(1, at)
}

const slash = 0x2f
const wordBytes = 4
/** By count: a word that has ones in its first bytes, as they lie in memory. */
const firstBytes = new Int32Array(wordBytes)
for (let count = 1; count < wordBytes; count++)
  new Uint8Array(firstBytes.buffer, count * wordBytes, count).fill(0xff)

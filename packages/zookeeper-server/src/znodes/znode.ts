import { type ByteWriter, copyBytes } from '@vivarium/bytes'
import type { Acl, Stat } from '@vivarium/zookeeper-protocol'
import { takesNoPart } from '../digest.ts'
import { type OwnerKind, ownerKinds } from '../ephemeral-owner.ts'
import type { AclTable } from './acl-table.ts'
import type { Arena } from './arena.ts'
import { field, type Rows, statBytes } from './rows.ts'

/** Where znodes lie. */
export interface ZnodeMemory {
  /** Where all of it lies. */
  readonly arena: Arena
  readonly rows: Rows
  readonly acls: AclTable
}

const noData = Buffer.alloc(0)
/** A call into native code costs more than to copy so many bytes here. */
const shortBytes = 128

/**
 * One znode: a view of its row, cheap to make. Valid until the znode is removed. Buffers it gives share memory with it:
 * they are to be used, or copied, before the next change.
 */
export class Znode {
  readonly row: number
  readonly #memory: ZnodeMemory
  readonly #view: DataView
  /** Where its row begins in the view. */
  readonly #start: number

  constructor(memory: ZnodeMemory, row: number) {
    this.row = row
    this.#memory = memory
    this.#view = memory.arena.viewOf(row)
    this.#start = memory.arena.offsetOf(row)
  }

  #get(at: number): number {
    return this.#view.getUint32(this.#start + at, true)
  }

  #set(at: number, value: number): void {
    this.#view.setUint32(this.#start + at, value, true)
  }

  // ---- path and data ---------------------------------------------------------------------------------------------------

  get path(): string {
    return this.#text(0)
  }

  /** The last part of its path. */
  get name(): string {
    return this.#text(this.#nameStart())
  }

  #text(from: number): string {
    const { arena } = this.#memory
    const address = this.#get(field.content)
    const start = arena.offsetOf(address)
    return arena.memoryOf(address).toString('utf8', start + from, start + this.pathBytes)
  }

  /** Length of its path in UTF-8. */
  get pathBytes(): number {
    return this.#get(field.pathLength)
  }

  #nameStart(): number {
    const parent = this.#get(field.parent)
    if (parent === 0) return 1
    const before = this.#memory.rows.get(parent, field.pathLength)
    // The path of the root is the slash that stands before the name.
    return before === 1 ? 1 : before + 1
  }

  get data(): Buffer | null {
    const length = this.dataLength
    if (length === -1) return null
    if (length === 0) return noData
    const { arena } = this.#memory
    const address = this.#get(field.content)
    const start = arena.offsetOf(address) + this.pathBytes
    return arena.memoryOf(address).subarray(start, start + length)
  }

  set data(data: Uint8Array | null) {
    const { arena, rows } = this.#memory
    const { pathBytes } = this
    const before = this.#get(field.content)
    const content = rows.placeFor(this.row, pathBytes + (data?.length ?? 0))
    const memory = arena.memoryOf(content)
    const start = arena.offsetOf(content)
    if (content !== before) {
      const from = arena.offsetOf(before)
      arena.memoryOf(before).copy(memory, start, from, from + pathBytes)
      this.#set(field.content, content)
    }
    if (data !== null) memory.set(data, start + pathBytes)
    this.#set(field.dataLength, data === null ? -1 : data.length)
    if (content !== before) rows.freeContent(this.row, before)
  }

  /** Puts in place what a snapshot holds of it: `from` begins with as many bytes of data as it has, `statAt` is StatPersisted. */
  fill(from: Buffer, statAt: number): void {
    const { arena } = this.#memory
    const content = this.#get(field.content)
    const { dataLength } = this
    if (dataLength > 0)
      from.copy(arena.memoryOf(content), arena.offsetOf(content) + this.pathBytes, 0, dataLength)
    from.copy(arena.memoryOf(this.row), this.#start, statAt, statAt + statBytes)
  }

  /** Bytes of its data; −1 for null, which is not the same as empty. */
  get dataLength(): number {
    return this.#get(field.dataLength) | 0
  }

  copyData(into: Buffer): void {
    const { arena } = this.#memory
    const address = this.#get(field.content)
    const start = arena.offsetOf(address) + this.pathBytes
    arena.memoryOf(address).copy(into, 0, start, start + this.dataLength)
  }

  writeDigested(into: DataView, at: number): void {
    const view = this.#view
    const start = this.#start
    copyBytes(view, start + field.czxid, into, at, 16)
    copyBytes(view, start + field.pzxid, into, at + 16, 8)
    copyBytes(view, start + field.ctimeMs, into, at + 24, 36)
  }

  // ---- stat --------------------------------------------------------------------------------------------------------------

  get czxid(): bigint {
    return this.#view.getBigInt64(this.#start + field.czxid)
  }

  get mzxid(): bigint {
    return this.#view.getBigInt64(this.#start + field.mzxid)
  }

  set mzxid(zxid: bigint) {
    this.#view.setBigInt64(this.#start + field.mzxid, zxid)
  }

  get pzxid(): bigint {
    return this.#view.getBigInt64(this.#start + field.pzxid)
  }

  set pzxid(zxid: bigint) {
    this.#view.setBigInt64(this.#start + field.pzxid, zxid)
  }

  get ctimeMs(): number {
    return this.#ms(field.ctimeMs)
  }

  get mtimeMs(): number {
    return this.#ms(field.mtimeMs)
  }

  set mtime(ms: bigint) {
    this.#view.setBigInt64(this.#start + field.mtimeMs, ms)
  }

  #ms(at: number): number {
    const view = this.#view
    const start = this.#start + at
    return view.getInt32(start) * 0x1_0000_0000 + view.getUint32(start + 4)
  }

  get version(): number {
    return this.#view.getInt32(this.#start + field.version)
  }

  set version(version: number) {
    this.#view.setInt32(this.#start + field.version, version)
  }

  /** Counts creations below it only. */
  get cversion(): number {
    return this.#view.getInt32(this.#start + field.cversion)
  }

  set cversion(cversion: number) {
    this.#view.setInt32(this.#start + field.cversion, cversion)
  }

  /** The cversion clients see: counts creations and deletions. */
  get visibleCversion(): number {
    return (2 * this.cversion - this.childCount) | 0
  }

  get aversion(): number {
    return this.#view.getInt32(this.#start + field.aversion)
  }

  set aversion(aversion: number) {
    this.#view.setInt32(this.#start + field.aversion, aversion)
  }

  /** A session, or the mark of a container or of a TTL. */
  get ephemeralOwner(): bigint {
    return this.#view.getBigInt64(this.#start + field.ephemeralOwner)
  }

  /** What `ephemeralOwner` says. */
  get kind(): OwnerKind {
    return ownerKinds[this.#get(field.kind)]!
  }

  get childCount(): number {
    return this.#get(field.childCount)
  }

  get acl(): readonly Acl[] {
    return this.#memory.acls.get(this.aclKey)
  }

  set acl(acl: readonly Acl[]) {
    const { acls } = this.#memory
    const before = this.aclKey
    this.#set(field.acl, acls.acquire(acl))
    acls.release(before)
  }

  /** The key of its ACL in the table of ACLs. */
  get aclKey(): number {
    return this.#get(field.acl) | 0
  }

  /** What clients see of it. */
  get stat(): Stat {
    return {
      czxid: this.czxid,
      mzxid: this.mzxid,
      ctime: this.#view.getBigInt64(this.#start + field.ctimeMs),
      mtime: this.#view.getBigInt64(this.#start + field.mtimeMs),
      version: this.version,
      cversion: this.visibleCversion,
      aversion: this.aversion,
      ephemeralOwner: this.kind === 'session' ? this.ephemeralOwner : 0n,
      dataLength: Math.max(0, this.dataLength),
      numChildren: this.childCount,
      pzxid: this.pzxid,
    }
  }

  /** Its share in the digest of the tree. */
  get digest(): number {
    return this.#get(field.digest)
  }

  set digest(digest: number) {
    this.#set(field.digest, digest)
  }

  /** The part of the digest that its path contributes. */
  get pathCrc(): number {
    return this.#get(field.isApart) === 1 ? takesNoPart : this.#get(field.pathCrc)
  }

  // ---- bytes as they are sent and stored, without objects between ------------------------------------------------------------

  /** The 68 bytes of `stat`. */
  writeStat(out: ByteWriter): void {
    const view = this.#view
    const start = this.#start
    out.copyView(view, start, start + field.cversion)
    out.int32(this.visibleCversion)
    if (this.kind === 'session' || this.kind === 'none') {
      out.copyView(view, start + field.aversion, start + field.pzxid)
    } else {
      out.copyView(view, start + field.aversion, start + field.ephemeralOwner)
      out.int32(0)
      out.int32(0)
    }
    out.int32(Math.max(0, this.dataLength))
    out.int32(this.childCount)
    out.copyView(view, start + field.pzxid, start + statBytes)
  }

  /** Its data behind their length. */
  writeData(out: ByteWriter): void {
    const length = this.dataLength
    out.int32(length)
    if (length > 0) this.#writeContent(out, this.pathBytes, this.pathBytes + length)
  }

  /** Its name behind its length. */
  writeName(out: ByteWriter): void {
    const start = this.#nameStart()
    out.int32(this.pathBytes - start)
    this.#writeContent(out, start, this.pathBytes)
  }

  /** Everything a snapshot holds of it: path, data, the key of an ACL, stat. */
  writePersisted(out: ByteWriter, aclKey: number): void {
    // The root has the empty path there.
    const pathBytes = this.#get(field.parent) === 0 ? 0 : this.pathBytes
    out.int32(pathBytes)
    this.#writeContent(out, 0, pathBytes)
    this.writeData(out)
    out.safeInt64(aclKey)
    out.copyView(this.#view, this.#start, this.#start + statBytes)
  }

  #writeContent(out: ByteWriter, from: number, to: number): void {
    const { arena } = this.#memory
    const address = this.#get(field.content)
    const start = arena.offsetOf(address)
    if (to - from <= shortBytes) out.copyView(arena.viewOf(address), start + from, start + to)
    else out.copy(arena.memoryOf(address), start + from, start + to)
  }
}

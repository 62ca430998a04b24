import { copyBytes } from '@vivarium/bytes'
import type { Acl } from '@vivarium/zookeeper-protocol'
import { type DigestedNode, digested, digestedStatBytes, pathCrcOf, setMs } from '../digest.ts'

/** A znode as it is, or as it will be once everything proposed so far is applied. */
export interface NodeView extends DigestedNode {
  readonly acl: readonly Acl[]
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly ephemeralOwner: bigint
  readonly childCount: number
  readonly digest: number
}

const noAcl: readonly Acl[] = []

/**
 * A znode of the future: `Outlook.draft` gives one as the znode is before, `Outlook.blank` one that is to be made; it is changed,
 * and `Outlook.set` takes it back.
 * Once its transaction is applied it serves another: a write makes no new one.
 */
export class ForeseenNode implements NodeView {
  path = ''
  /** Of its path. */
  hash = 0
  /** The next in a chain of a `ForeseenTable`. */
  behind: ForeseenNode | null = null
  /** The proposal that makes it so. */
  zxid = 0n
  /** What is foreseen is that there is no znode. */
  isGone = false
  data: Buffer | null = null
  acl: readonly Acl[] = noAcl
  childCount = 0
  pathCrc = 0
  digest = 0
  /** As `writeDigested` writes it. */
  readonly #stat = new DataView(new ArrayBuffer(digestedStatBytes))

  /** Becomes what `node` is, but with these data. */
  copy(node: NodeView, data: Buffer | null): void {
    this.isGone = false
    this.data = data
    this.acl = node.acl
    this.childCount = node.childCount
    this.pathCrc = node.pathCrc
    node.writeDigested(this.#stat, 0)
  }

  /** Becomes a znode that is made now. */
  create(
    path: string,
    data: Buffer | null,
    acl: readonly Acl[],
    owner: bigint,
    zxid: bigint,
    ms: number,
  ): void {
    this.isGone = false
    this.data = data
    this.acl = acl
    this.childCount = 0
    this.pathCrc = pathCrcOf(Buffer.from(path))
    const stat = this.#stat
    for (let at = 0; at < digestedStatBytes; at += 4) stat.setInt32(at, 0)
    for (const at of [digested.czxid, digested.mzxid, digested.pzxid]) stat.setBigInt64(at, zxid)
    setMs(stat, digested.ctimeMs, ms)
    setMs(stat, digested.mtimeMs, ms)
    stat.setBigInt64(digested.ephemeralOwner, owner)
  }

  /** Nothing is kept alive by one that waits for its next use. */
  clear(): void {
    this.data = null
    this.acl = noAcl
  }

  get dataLength(): number {
    return this.data === null ? -1 : this.data.length
  }

  copyData(into: Buffer): void {
    into.set(this.data!)
  }

  writeDigested(into: DataView, at: number): void {
    copyBytes(this.#stat, 0, into, at, digestedStatBytes)
  }

  set mzxid(zxid: bigint) {
    this.#stat.setBigInt64(digested.mzxid, zxid)
  }

  set pzxid(zxid: bigint) {
    this.#stat.setBigInt64(digested.pzxid, zxid)
  }

  set mtimeMs(ms: number) {
    setMs(this.#stat, digested.mtimeMs, ms)
  }

  get version(): number {
    return this.#stat.getInt32(digested.version)
  }

  set version(version: number) {
    this.#stat.setInt32(digested.version, version)
  }

  get cversion(): number {
    return this.#stat.getInt32(digested.cversion)
  }

  set cversion(cversion: number) {
    this.#stat.setInt32(digested.cversion, cversion)
  }

  get aversion(): number {
    return this.#stat.getInt32(digested.aversion)
  }

  set aversion(aversion: number) {
    this.#stat.setInt32(digested.aversion, aversion)
  }

  get ephemeralOwner(): bigint {
    return this.#stat.getBigInt64(digested.ephemeralOwner)
  }

  get hasOwner(): boolean {
    const at = digested.ephemeralOwner
    return (this.#stat.getInt32(at) | this.#stat.getInt32(at + 4)) !== 0
  }
}

/** As many as a power of two. */
const firstBuckets = 64

/** Znodes of the future by path. Found by the hash of the path, which the tree has use for as well. */
export class ForeseenTable implements Iterable<ForeseenNode> {
  /** By the low bits of the hash: the first of a chain. */
  #buckets: (ForeseenNode | null)[] = new Array(firstBuckets).fill(null)
  #count = 0

  get(path: string, hash: number): ForeseenNode | undefined {
    let node = this.#buckets[this.#bucketOf(hash)] ?? null
    while (node !== null && (node.hash !== hash || node.path !== path)) node = node.behind
    return node ?? undefined
  }

  /** Takes the place of what was foreseen of its path before. */
  put(node: ForeseenNode): void {
    const { hash, path } = node
    const before = this.get(path, hash)
    if (before !== undefined) this.delete(before)
    this.#add(node)
    this.#count++
    if (this.#count > this.#buckets.length) this.#grow()
  }

  #add(node: ForeseenNode): void {
    const bucket = this.#bucketOf(node.hash)
    node.behind = this.#buckets[bucket] ?? null
    this.#buckets[bucket] = node
  }

  /** False if it is not there any more: another has taken its place. */
  delete(node: ForeseenNode): boolean {
    const bucket = this.#bucketOf(node.hash)
    let before: ForeseenNode | null = null
    for (let at = this.#buckets[bucket] ?? null; at !== null; at = at.behind) {
      if (at === node) {
        if (before === null) this.#buckets[bucket] = node.behind
        else before.behind = node.behind
        node.behind = null
        this.#count--
        return true
      }
      before = at
    }
    return false
  }

  #bucketOf(hash: number): number {
    return hash & (this.#buckets.length - 1)
  }

  #grow(): void {
    const nodes = [...this]
    this.#buckets = new Array(this.#buckets.length * 2).fill(null)
    for (const node of nodes) this.#add(node)
  }

  *[Symbol.iterator](): Generator<ForeseenNode> {
    if (this.#count === 0) return
    for (const first of this.#buckets) for (let node = first; node !== null; node = node.behind) yield node
  }
}

import {
  type Acl,
  acl as aclRecord,
  encode,
  openAcl,
  parentOf,
  readAcl,
  type Stat,
  type TxnHeader,
  vector,
} from '@vivarium/zookeeper-protocol'
import { digestVersion, nodeDigest, pathCrcOf } from './digest.ts'
import { containerOwner, ownerKind, ttlOwner } from './ephemeral-owner.ts'
import {
  LimitedPaths,
  limitedPath,
  measuredPath,
  parseQuota,
  quotaRoot,
  statsOf,
  usageText,
} from './quotas.ts'
import { type Txn, unknownCVersion } from './txn.ts'
import type { Watches } from './watches.ts'

/** One znode. `cversion` counts creations below it only; what clients see is derived in `statOf`. */
export class Znode {
  data: Buffer | null
  acl: readonly Acl[]
  readonly czxid: bigint
  mzxid: bigint
  pzxid: bigint
  readonly ctimeMs: number
  mtimeMs: number
  version = 0
  cversion = 0
  aversion = 0
  readonly ephemeralOwner: bigint
  children: Set<string> | null = null
  /** Its share in the digest of the tree. */
  digest = 0
  readonly pathCrc: number

  constructor(
    path: string,
    data: Buffer | null,
    acl: readonly Acl[],
    owner: bigint,
    zxid: bigint,
    timeMs: number,
  ) {
    this.pathCrc = pathCrcOf(path)
    this.data = data
    this.acl = acl
    this.czxid = zxid
    this.mzxid = zxid
    this.pzxid = zxid
    this.ctimeMs = timeMs
    this.mtimeMs = timeMs
    this.ephemeralOwner = owner
  }

  get childCount(): number {
    return this.children === null ? 0 : this.children.size
  }
}

export interface TreeOptions {
  /** TTL znodes: their owner field is told from a session only when this is on (`extendedTypesEnabled`). */
  extendedTypes: boolean
  /** Keep a digest of all znodes (`digest.enabled`). */
  digests: boolean
}

/** What a transaction did to the tree, for the answer to its client. */
export interface Applied {
  err: number
  /** The opcode of an operation of a multi. */
  code: number
  path: string | null
  /** The znode created or changed, as it is right now. */
  node: Znode | null
  /** Operations of a multi: what the znode was like after this one. */
  stat: Stat | null
  /** One for each operation of a multi. */
  parts: Applied[] | null
}

const specialPaths = ['/zookeeper', '/zookeeper/config', '/zookeeper/quota'] as const
export const configPath = '/zookeeper/config'
const noData = Buffer.alloc(0)

/**
 * The replicated state: every znode, by full path. Changed by `apply` alone, in zxid order; the same transactions give
 * the same tree on every server. Applying a transaction again that is already in a fuzzily taken snapshot does no harm.
 */
export class DataTree {
  readonly nodes = new Map<string, Znode>()
  readonly ephemerals = new Map<bigint, Set<string>>()
  readonly containers = new Set<string>()
  readonly ttls = new Set<string>()
  readonly limited = new LimitedPaths()
  readonly #options: TreeOptions
  readonly #acls = new AclCache()
  lastProcessedZxid = 0n
  /** Sum of the digests of all znodes, modulo 2⁶⁴. */
  digest = 0n
  #dataSizeBytes = 0
  /** While a snapshot is written: the ACL each znode had when it began, for those that were given another since. */
  aclsBeforeSnapshot: Map<string, readonly Acl[]> | null = null

  constructor(options: TreeOptions) {
    this.#options = options
    this.reset()
  }

  #addInitial(path: string, acl: readonly Acl[]): void {
    this.nodes.set(path, new Znode(path, noData, this.#acls.intern(acl), 0n, 0n, 0))
    this.#dataSizeBytes += path.length
  }

  /** Bytes of all paths and data, as `zk_approximate_data_size` reports them. */
  get dataSizeBytes(): number {
    return this.#dataSizeBytes
  }

  /** As `zk_znode_count` reports it: Apache counts the root twice. */
  get nodeCount(): number {
    return this.nodes.size + 1
  }

  get ephemeralCount(): number {
    let count = 0
    for (const paths of this.ephemerals.values()) count += paths.size
    return count
  }

  ephemeralsOf(sessionId: bigint): ReadonlySet<string> {
    return this.ephemerals.get(sessionId) ?? emptySet
  }

  internAcl(acl: readonly Acl[]): readonly Acl[] {
    return this.#acls.intern(acl)
  }

  /** Every ACL in use, with the key it has in snapshots of this process. */
  aclEntries(): { key: number; acl: readonly Acl[] }[] {
    return this.#acls.entries()
  }

  aclKeyOf(acl: readonly Acl[]): number {
    return this.#acls.keyOf(acl)
  }

  /** What clients see of a znode. */
  statOf(node: Znode): Stat {
    return {
      czxid: node.czxid,
      mzxid: node.mzxid,
      ctime: BigInt(node.ctimeMs),
      mtime: BigInt(node.mtimeMs),
      version: node.version,
      cversion: visibleCversion(node),
      aversion: node.aversion,
      ephemeralOwner: this.visibleOwner(node),
      dataLength: node.data === null ? 0 : node.data.length,
      numChildren: node.childCount,
      pzxid: node.pzxid,
    }
  }

  visibleOwner(node: Znode): bigint {
    return ownerKind(node.ephemeralOwner, this.#options.extendedTypes) === 'session'
      ? node.ephemeralOwner
      : 0n
  }

  /** Applies a committed transaction and tells the watchers. */
  apply(header: TxnHeader, txn: Txn, watches: Watches | null): Applied {
    const applied = this.#apply(header, txn, watches)
    if (header.zxid > this.lastProcessedZxid) this.lastProcessedZxid = header.zxid
    return applied
  }

  #apply(header: TxnHeader, txn: Txn, watches: Watches | null): Applied {
    switch (txn.type) {
      case 'create':
        return this.#create(header, txn, txn.ephemeral ? header.clientId : 0n, watches)
      case 'createContainer':
        return this.#create(header, txn, containerOwner, watches)
      case 'createTtl':
        return this.#create(header, txn, ttlOwner(txn.ttl), watches)
      case 'delete':
        return this.#delete(txn.path, header.zxid, watches)
      case 'setData':
        return this.#setData(header, txn.path, txn.data, txn.version, watches)
      case 'setAcl':
        return this.#setAcl(txn.path, txn.acl, txn.version)
      case 'check':
        return { ...nothing, path: txn.path }
      case 'multi': {
        // One failed operation fails them all: none may be applied.
        const failed = txn.txns.some(part => part.txn.type === 'error')
        const parts = txn.txns.map(part => {
          if (part.txn.type === 'error') return { ...nothing, err: part.txn.err }
          if (failed) return nothing
          const applied = this.#apply(header, part.txn, watches)
          const stat = applied.node === null ? null : this.statOf(applied.node)
          return { ...applied, code: part.code, stat }
        })
        return { ...nothing, parts }
      }
      case 'closeSession':
        this.#closeSession(header.clientId, txn.paths, header.zxid, watches)
        return nothing
      case 'error':
        return { ...nothing, err: txn.err }
      case 'createSession':
        return nothing
    }
  }

  #create(
    header: TxnHeader,
    txn: { path: string; data: Buffer | null; acl: Acl[]; parentCVersion: number },
    owner: bigint,
    watches: Watches | null,
  ): Applied {
    const { path } = txn
    const parentPath = parentOf(path)
    const parent = parentPath === null ? undefined : this.nodes.get(parentPath)
    if (parent === undefined) return { ...nothing, err: noNode, path }
    const acl = this.#acls.intern(txn.acl)
    const cversion = txn.parentCVersion === unknownCVersion ? parent.cversion + 1 : txn.parentCVersion
    // Replay over a fuzzy snapshot: the parent may be ahead of this transaction already.
    if (cversion > parent.cversion || header.zxid > parent.pzxid) {
      if (cversion > parent.cversion) parent.cversion = cversion
      if (header.zxid > parent.pzxid) parent.pzxid = header.zxid
      this.#digestChanged(parent)
    }
    const existing = this.nodes.get(path)
    if (existing !== undefined) {
      existing.acl = acl
      return { err: nodeExists, code: 0, path, node: existing, stat: null, parts: null }
    }
    // The bytes may be a slice of a large chunk that was received: keep only what belongs to the znode.
    const node = new Znode(path, owned(txn.data), acl, owner, header.zxid, Number(header.time))
    this.#insert(path, parent, node)
    this.#digestChanged(node)
    this.#account(path, 1, node.data?.length ?? 0)
    if (path.startsWith(quotaRoot)) this.#quotaCreated(path)
    watches?.created(path, header.zxid)
    return { err: 0, code: 0, path, node, stat: null, parts: null }
  }

  #insert(path: string, parent: Znode, node: Znode): void {
    this.nodes.set(path, node)
    if (parent.children === null) parent.children = new Set()
    parent.children.add(path.slice(path.lastIndexOf('/') + 1))
    this.#dataSizeBytes += path.length + (node.data?.length ?? 0)
    switch (ownerKind(node.ephemeralOwner, this.#options.extendedTypes)) {
      case 'container':
        this.containers.add(path)
        break
      case 'ttl':
        this.ttls.add(path)
        break
      case 'session': {
        const paths = this.ephemerals.get(node.ephemeralOwner)
        if (paths === undefined) this.ephemerals.set(node.ephemeralOwner, new Set([path]))
        else paths.add(path)
      }
    }
  }

  #delete(path: string, zxid: bigint, watches: Watches | null): Applied {
    const parentPath = parentOf(path)
    const parent = parentPath === null ? undefined : this.nodes.get(parentPath)
    const node = this.nodes.get(path)
    if (parent !== undefined && zxid > parent.pzxid) {
      parent.pzxid = zxid
      if (node === undefined) this.#digestChanged(parent)
    }
    if (node === undefined || parent === undefined) return { ...nothing, err: noNode, path }
    parent.children?.delete(path.slice(path.lastIndexOf('/') + 1))
    if (parent.children?.size === 0) parent.children = null
    this.nodes.delete(path)
    this.#dataSizeBytes -= path.length + (node.data?.length ?? 0)
    this.containers.delete(path)
    this.ttls.delete(path)
    const paths = this.ephemerals.get(node.ephemeralOwner)
    if (paths?.delete(path) && paths.size === 0) this.ephemerals.delete(node.ephemeralOwner)
    this.digest = BigInt.asUintN(64, this.digest - BigInt(node.digest))
    this.#digestChanged(parent)
    this.#account(path, -1, -(node.data?.length ?? 0))
    if (path.startsWith(quotaRoot)) this.limited.delete(limitedPath(path) ?? '')
    watches?.deleted(path, zxid)
    return { ...nothing, path }
  }

  #setData(
    header: TxnHeader,
    path: string,
    data: Buffer | null,
    version: number,
    watches: Watches | null,
  ): Applied {
    const node = this.nodes.get(path)
    if (node === undefined) return { ...nothing, err: noNode, path }
    const growth = (data?.length ?? 0) - (node.data?.length ?? 0)
    this.#dataSizeBytes += growth
    this.#account(path, 0, growth)
    node.data = owned(data)
    node.version = version
    node.mzxid = header.zxid
    node.mtimeMs = Number(header.time)
    this.#digestChanged(node)
    watches?.dataChanged(path, header.zxid)
    return { err: 0, code: 0, path, node, stat: null, parts: null }
  }

  #setAcl(path: string, acl: Acl[], version: number): Applied {
    const node = this.nodes.get(path)
    if (node === undefined) return { ...nothing, err: noNode, path }
    if (this.aclsBeforeSnapshot !== null && !this.aclsBeforeSnapshot.has(path))
      this.aclsBeforeSnapshot.set(path, node.acl)
    node.acl = this.#acls.intern(acl)
    node.aversion = version
    this.#digestChanged(node)
    return { err: 0, code: 0, path, node, stat: null, parts: null }
  }

  /** Ephemerals go with their session: those the transaction names, and any this server holds besides. */
  #closeSession(sessionId: bigint, named: string[] | null, zxid: bigint, watches: Watches | null): void {
    const paths = new Set([...(named ?? []), ...this.ephemeralsOf(sessionId)])
    for (const path of paths) this.#delete(path, zxid, watches)
  }

  /** Removes ephemerals of sessions that do not exist, as a leader does with what it loaded. */
  dropEphemeralsWithout(sessions: ReadonlyMap<bigint, unknown>, zxid: bigint): void {
    for (const sessionId of [...this.ephemerals.keys()]) {
      if (!sessions.has(sessionId)) this.#closeSession(sessionId, null, zxid, null)
    }
  }

  /** The configuration znode is set by the server itself, not by a transaction of a client. */
  setConfig(text: string, zxid: bigint, timeMs: number): void {
    const node = this.nodes.get(configPath)!
    this.#dataSizeBytes += Buffer.byteLength(text) - (node.data?.length ?? 0)
    node.data = Buffer.from(text)
    // Set by the server itself, it has no version a client could match.
    node.version = -1
    node.mzxid = zxid
    node.mtimeMs = timeMs
    this.#digestChanged(node)
  }

  #digestChanged(node: Znode): void {
    if (!this.#options.digests) return
    const digest = nodeDigest(node)
    if (digest !== node.digest) {
      this.digest = BigInt.asUintN(64, this.digest + BigInt(digest - node.digest))
      node.digest = digest
    }
  }

  get digestVersion(): number {
    return digestVersion
  }

  recomputeDigest(): void {
    this.digest = 0n
    for (const node of this.nodes.values()) {
      node.digest = 0
      this.#digestChanged(node)
    }
  }

  /** Back to the tree of a server that was never written to. */
  reset(): void {
    this.clear()
    this.finishRestore()
    this.nodes.get(configPath)!.aversion = -1
    this.recomputeDigest()
  }

  // ---- quotas ----------------------------------------------------------------------------------------------------------

  /** Usage is kept in a znode that each server changes by itself: no transaction, no version, no watch. */
  #account(path: string, count: number, bytes: number): void {
    const limited = this.limited.covering(path)
    const node = limited === null ? undefined : this.nodes.get(statsOf(limited))
    if (node === undefined) return
    const usage = parseQuota(node.data)
    node.data = usageText({ count: usage.count + count, bytes: usage.bytes + bytes })
  }

  #quotaCreated(znode: string): void {
    const limited = limitedPath(znode)
    if (limited !== null) this.limited.add(limited)
    const measured = measuredPath(znode)
    if (measured !== null) this.nodes.get(znode)!.data = usageText(this.#usageBelow(measured))
  }

  #usageBelow(path: string): { count: number; bytes: number } {
    const total = { count: 0, bytes: 0 }
    const waiting = [path]
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      const node = this.nodes.get(at)
      if (node === undefined) continue
      total.count++
      total.bytes += node.data?.length ?? 0
      for (const name of node.children ?? []) waiting.push(`${at}/${name}`)
    }
    return total
  }

  /** Finds the limits in what was loaded, and counts anew. */
  #loadQuotas(): void {
    this.limited.clear()
    const waiting: string[] = [quotaRoot]
    for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
      this.#quotaCreated(at)
      for (const name of this.nodes.get(at)?.children ?? []) waiting.push(`${at}/${name}`)
    }
  }

  // ---- loading from a snapshot -----------------------------------------------------------------------------------------

  /** Empties the tree altogether, root included: what a snapshot is read into. */
  clear(): void {
    this.nodes.clear()
    this.ephemerals.clear()
    this.containers.clear()
    this.ttls.clear()
    this.limited.clear()
    this.#acls.clear()
    this.digest = 0n
    this.#dataSizeBytes = 0
    this.lastProcessedZxid = 0n
  }

  /** Adds a znode as a snapshot holds it; parents come before their children. False if the parent is missing. */
  restoreNode(path: string, node: Znode): boolean {
    if (path === '/') {
      this.nodes.set('/', node)
      this.#dataSizeBytes += 1 + (node.data?.length ?? 0)
    } else {
      const parent = this.nodes.get(parentOf(path) ?? '')
      if (parent === undefined) return false
      this.#insert(path, parent, node)
    }
    this.#digestChanged(node)
    return true
  }

  /** A snapshot of a server so old that it lacks them still gets the znodes every server has. */
  finishRestore(): void {
    if (!this.nodes.has('/')) this.#addInitial('/', openAcl)
    for (const path of specialPaths) {
      if (this.nodes.has(path)) continue
      this.#addInitial(path, path === configPath ? readAcl : openAcl)
      const parent = this.nodes.get(parentOf(path)!)!
      parent.children ??= new Set()
      parent.children.add(path.slice(path.lastIndexOf('/') + 1))
    }
    this.#loadQuotas()
  }
}

/** cversion as clients see it counts creations and deletions; the stored one counts creations alone. */
export function visibleCversion(node: Znode): number {
  return (2 * node.cversion - node.childCount) | 0
}

const nothing: Applied = Object.freeze({ err: 0, code: 0, path: null, node: null, stat: null, parts: null })
const noNode = -101
const nodeExists = -110
const emptySet: ReadonlySet<string> = new Set()

/** Data of znodes lies together in slabs of its own, so that a few bytes never keep a received chunk in memory. */
const slabBytes = 16 * 1024
let slab: Buffer = Buffer.alloc(0)
let slabUsed = 0

/** A copy unless the buffer has its memory to itself. */
function owned(data: Buffer | null): Buffer | null {
  if (data === null || data.length === 0) return data === null ? null : noData
  if (data.buffer.byteLength === data.length) return data
  const { length } = data
  if (length > slabBytes / 4) {
    const copy = Buffer.allocUnsafeSlow(length)
    copy.set(data)
    return copy
  }
  if (length > slab.length - slabUsed) {
    slab = Buffer.allocUnsafeSlow(slabBytes)
    slabUsed = 0
  }
  slab.set(data, slabUsed)
  slabUsed += length
  return slab.subarray(slabUsed - length, slabUsed)
}

/** Equal ACLs are stored once, however many znodes have them. */
class AclCache {
  readonly #byBytes = new Map<string, readonly Acl[]>()
  readonly #keys = new Map<readonly Acl[], number>()
  #nextKey = 1

  intern(acl: readonly Acl[]): readonly Acl[] {
    if (this.#keys.has(acl) || acl === openAcl) return acl
    if (isOpen(acl)) return openAcl
    const bytes = encode(aclVector, acl as Acl[]).toString('latin1')
    const known = this.#byBytes.get(bytes)
    if (known !== undefined) return known
    const kept = acl.map(entry => ({ perms: entry.perms, id: { ...entry.id } }))
    this.#byBytes.set(bytes, kept)
    this.#keys.set(kept, this.#nextKey++)
    return kept
  }

  /** −1 stands for the open ACL, which is in no table. */
  keyOf(acl: readonly Acl[]): number {
    return acl === openAcl ? -1 : this.#keys.get(acl)!
  }

  entries(): { key: number; acl: readonly Acl[] }[] {
    return [...this.#keys].map(([acl, key]) => ({ key, acl }))
  }

  clear(): void {
    this.#byBytes.clear()
    this.#keys.clear()
    this.#nextKey = 1
  }
}

const aclVector = vector(aclRecord)

function isOpen(acl: readonly Acl[]): boolean {
  const [only] = acl
  return acl.length === 1 && only!.perms === 31 && only!.id.scheme === 'world' && only!.id.id === 'anyone'
}

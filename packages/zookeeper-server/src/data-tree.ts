import { type Acl, openAcl, parentOf, readAcl, type Stat, type TxnHeader } from '@vivarium/zookeeper-protocol'
import { DigestSum, digestVersion, nodeDigest, type TreeDigest } from './digest.ts'
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
import type { Znode } from './znodes/znode.ts'
import { type StoredZnode, ZnodeStore } from './znodes/znode-store.ts'

export interface TreeOptions {
  /** TTL znodes: their owner field is told from a session only when this is on (`extendedTypesEnabled`). */
  extendedTypes: boolean
  /** Keep a digest of all znodes (`digest.enabled`). */
  digests: boolean
  /** 32 bits that nobody outside knows. */
  hashSeed: number
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

export const configPath = '/zookeeper/config'
/** In the order in which Apache's first snapshot holds them. */
const specialPaths = ['/zookeeper', configPath, quotaRoot] as const
const noData = Buffer.alloc(0)

/**
 * The replicated state: every znode, by full path. Changed by `apply` alone, in zxid order; the same transactions give
 * the same tree on every server. Applying a transaction again that is already in a fuzzily taken snapshot does no harm.
 */
export class DataTree {
  readonly nodes: ZnodeStore
  readonly ephemerals = new Map<bigint, Set<string>>()
  readonly containers = new Set<string>()
  readonly ttls = new Set<string>()
  readonly limited = new LimitedPaths()
  readonly #options: TreeOptions
  lastProcessedZxid = 0n
  readonly #digest = new DigestSum()
  #dataSizeBytes = 0
  /** While a snapshot is written: the key of the ACL each znode had when it began, for those given another since. */
  aclsBeforeSnapshot: Map<string, number> | null = null

  constructor(options: TreeOptions) {
    this.#options = options
    this.nodes = new ZnodeStore(options.hashSeed)
    this.reset()
  }

  /** Sum of the digests of all znodes, modulo 2⁶⁴. */
  get digest(): bigint {
    return this.#digest.value
  }

  hasDigest(digest: TreeDigest): boolean {
    return this.#digest.isSame(digest)
  }

  #addInitial(path: string, acl: readonly Acl[]): void {
    const parent = path === '/' ? null : this.nodes.get(parentOf(path)!)!
    this.nodes.add(path, parent, { data: noData, acl, owner: 0n, kind: 'none', zxid: 0n, time: 0n })
    this.#dataSizeBytes += path.length
  }

  /** Bytes of all paths and data, as `zk_approximate_data_size` reports them. */
  get dataSizeBytes(): number {
    return this.#dataSizeBytes
  }

  /** What a snapshot of it takes: beside path and data, 76 bytes for each znode. */
  get snapshotBytes(): number {
    return this.#dataSizeBytes + 76 * this.nodes.size
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
        return this.#setData(header, txn, watches)
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
          const stat = applied.node === null ? null : applied.node.stat
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
    const cversion = txn.parentCVersion === unknownCVersion ? parent.cversion + 1 : txn.parentCVersion
    // Replay over a fuzzy snapshot: the parent may be ahead of this transaction already.
    if (cversion > parent.cversion || header.zxid > parent.pzxid) {
      if (cversion > parent.cversion) parent.cversion = cversion
      if (header.zxid > parent.pzxid) parent.pzxid = header.zxid
      this.#digestChanged(parent)
    }
    const existing = this.nodes.get(path)
    if (existing !== undefined) {
      existing.acl = txn.acl
      return { err: nodeExists, code: 0, path, node: existing, stat: null, parts: null }
    }
    const node = this.nodes.add(path, parent, {
      data: txn.data,
      acl: txn.acl,
      owner,
      kind: ownerKind(owner, this.#options.extendedTypes),
      zxid: header.zxid,
      time: header.time,
    })
    this.#register(path, node)
    this.#digestChanged(node)
    this.#account(path, 1, node.data?.length ?? 0)
    if (path.startsWith(quotaRoot)) this.#quotaCreated(path)
    watches?.created(path, header.zxid, node, parent)
    return { err: 0, code: 0, path, node, stat: null, parts: null }
  }

  /** A znode is there now. */
  #register(path: string, node: Znode): void {
    this.#dataSizeBytes += sizeOf(node)
    switch (node.kind) {
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

  /** A znode goes, for whatever reason. */
  #remove(path: string, node: Znode): void {
    this.#dataSizeBytes -= sizeOf(node)
    switch (node.kind) {
      case 'container':
        this.containers.delete(path)
        break
      case 'ttl':
        this.ttls.delete(path)
        break
      case 'session': {
        const paths = this.ephemerals.get(node.ephemeralOwner)
        if (paths?.delete(path) && paths.size === 0) this.ephemerals.delete(node.ephemeralOwner)
      }
    }
    this.#digest.add(-node.digest)
    this.nodes.remove(node)
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
    // Only in a replay over a fuzzy snapshot: it comes from the future, and will be made again.
    for (const below of node.childCount === 0 ? [] : [...this.nodes.subtreeOf(node)].slice(1).reverse())
      this.#remove(below.path, below)
    // While it can still say who may know.
    watches?.deleted(path, zxid, node, parent)
    const bytes = Math.max(0, node.dataLength)
    this.#remove(path, node)
    this.#digestChanged(parent)
    this.#account(path, -1, -bytes)
    if (path.startsWith(quotaRoot)) this.limited.delete(limitedPath(path) ?? '')
    return { ...nothing, path }
  }

  #setData(
    header: TxnHeader,
    txn: { path: string; data: Buffer | null; version: number; nodeDigest?: number },
    watches: Watches | null,
  ): Applied {
    const { path, data } = txn
    const node = this.nodes.get(path)
    if (node === undefined) return { ...nothing, err: noNode, path }
    const growth = (data?.length ?? 0) - Math.max(0, node.dataLength)
    this.#dataSizeBytes += growth
    this.#account(path, 0, growth)
    node.data = data
    node.version = txn.version
    node.mzxid = header.zxid
    node.mtime = header.time
    // Whoever replicates this, and a restart that reads it from the log, compute it for themselves.
    this.#digestChanged(node, txn.nodeDigest)
    watches?.dataChanged(path, header.zxid, node)
    return { err: 0, code: 0, path, node, stat: null, parts: null }
  }

  #setAcl(path: string, acl: Acl[], version: number): Applied {
    const node = this.nodes.get(path)
    if (node === undefined) return { ...nothing, err: noNode, path }
    if (this.aclsBeforeSnapshot !== null && !this.aclsBeforeSnapshot.has(path))
      this.aclsBeforeSnapshot.set(path, node.aclKey)
    node.acl = acl
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
    this.#dataSizeBytes += Buffer.byteLength(text) - Math.max(0, node.dataLength)
    node.data = Buffer.from(text)
    // Set by the server itself, it has no version a client could match.
    node.version = -1
    node.mzxid = zxid
    node.mtime = BigInt(timeMs)
    this.#digestChanged(node)
  }

  #digestChanged(node: Znode, known?: number): void {
    if (!this.#options.digests) return
    const digest = known ?? nodeDigest(node)
    if (digest !== node.digest) {
      this.#digest.add(digest - node.digest)
      node.digest = digest
    }
  }

  get digestVersion(): number {
    return digestVersion
  }

  recomputeDigest(): void {
    this.#digest.clear()
    for (const node of this.nodes) {
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
    const node = measured === null ? undefined : this.nodes.get(znode)
    if (measured !== null && node !== undefined) node.data = usageText(this.#usageBelow(measured))
  }

  #usageBelow(path: string): { count: number; bytes: number } {
    const total = { count: 0, bytes: 0 }
    const top = this.nodes.get(path)
    if (top === undefined) return total
    for (const node of this.nodes.subtreeOf(top)) {
      total.count++
      total.bytes += Math.max(0, node.dataLength)
    }
    return total
  }

  /** Finds the limits in what was loaded, and counts anew. */
  #loadQuotas(): void {
    this.limited.clear()
    const top = this.nodes.get(quotaRoot)!
    for (const path of Array.from(this.nodes.subtreeOf(top), node => node.path)) this.#quotaCreated(path)
  }

  // ---- loading from a snapshot -----------------------------------------------------------------------------------------

  /** Empties the tree altogether, root included: what a snapshot is read into. */
  clear(): void {
    this.nodes.clear()
    this.ephemerals.clear()
    this.containers.clear()
    this.ttls.clear()
    this.limited.clear()
    this.#digest.clear()
    this.#dataSizeBytes = 0
    this.lastProcessedZxid = 0n
  }

  /** Adds a znode that was stored: parents come before their children. False if its parent is missing, or it is there already. */
  restoreNode(stored: StoredZnode): boolean {
    const { rest, statAt } = stored
    const ownerAt = statAt + 44
    const hasOwner = rest.readInt32BE(ownerAt) !== 0 || rest.readInt32BE(ownerAt + 4) !== 0
    const kind = hasOwner ? ownerKind(rest.readBigInt64BE(ownerAt), this.#options.extendedTypes) : 'none'
    const node = this.nodes.restore(stored, kind)
    if (node === undefined) return false
    if (kind === 'none') this.#dataSizeBytes += sizeOf(node)
    else this.#register(node.path, node)
    this.#digestChanged(node)
    return true
  }

  /** A snapshot of a server so old that it lacks them still gets the znodes every server has. */
  finishRestore(): void {
    if (!this.nodes.has('/')) this.#addInitial('/', openAcl)
    for (const path of specialPaths) {
      if (this.nodes.has(path)) continue
      this.#addInitial(path, path === configPath ? readAcl : openAcl)
    }
    this.#loadQuotas()
  }
}

/** Bytes of path and data. */
function sizeOf(node: Znode): number {
  return node.pathBytes + Math.max(0, node.dataLength)
}

const nothing: Applied = Object.freeze({ err: 0, code: 0, path: null, node: null, stat: null, parts: null })
const noNode = -101
const nodeExists = -110
const emptySet: ReadonlySet<string> = new Set()

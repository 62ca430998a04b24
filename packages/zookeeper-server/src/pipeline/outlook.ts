import type { Acl } from '@vivarium/zookeeper-protocol'
import type { DataTree } from '../data-tree.ts'
import { type DigestedNode, DigestSum, nodeDigest, setMs } from '../digest.ts'

/** A znode as it is, or as it will be once everything proposed so far is applied. */
export interface NodeView extends DigestedNode {
  readonly acl: readonly Acl[]
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly pzxid: bigint
  readonly ctimeMs: number
  readonly mtimeMs: number
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly ephemeralOwner: bigint
  readonly childCount: number
  readonly digest: number
}

/** A znode of the future. Made from what it is before, changed, and then given to `Outlook.set`, which owns it. */
export class ForeseenNode implements NodeView {
  data: Buffer | null
  acl: readonly Acl[]
  czxid: bigint
  mzxid: bigint
  pzxid: bigint
  ctimeMs: number
  mtimeMs: number
  version: number
  cversion: number
  aversion: number
  ephemeralOwner: bigint
  childCount: number
  readonly pathCrc: number
  digest = 0

  get dataLength(): number {
    return this.data === null ? -1 : this.data.length
  }

  copyData(into: Buffer): void {
    into.set(this.data!)
  }

  writeDigested(into: DataView, at: number): void {
    into.setBigInt64(at, this.czxid)
    into.setBigInt64(at + 8, this.mzxid)
    into.setBigInt64(at + 16, this.pzxid)
    setMs(into, at + 24, this.ctimeMs)
    setMs(into, at + 32, this.mtimeMs)
    into.setInt32(at + 40, this.version)
    into.setInt32(at + 44, this.cversion)
    into.setInt32(at + 48, this.aversion)
    into.setBigInt64(at + 52, this.ephemeralOwner)
  }

  /** As `node` is, with other data if some are given. */
  constructor(
    node: Omit<NodeView, 'digest' | 'dataLength' | 'copyData' | 'writeDigested'>,
    data = node.data,
  ) {
    this.data = data
    this.acl = node.acl
    this.czxid = node.czxid
    this.mzxid = node.mzxid
    this.pzxid = node.pzxid
    this.ctimeMs = node.ctimeMs
    this.mtimeMs = node.mtimeMs
    this.version = node.version
    this.cversion = node.cversion
    this.aversion = node.aversion
    this.ephemeralOwner = node.ephemeralOwner
    this.childCount = node.childCount
    this.pathCrc = node.pathCrc
  }
}

interface Prediction {
  /** The newest proposal that touches the znode. */
  zxid: bigint
  /** null: it will be gone. */
  node: NodeView | null
}

/**
 * The tree's future: what znodes will be like when the proposals in flight have been applied. A leader checks requests
 * against it, so that it need not wait for one write before it checks the next.
 */
export class Outlook {
  readonly #tree: DataTree
  readonly #predictions = new Map<string, Prediction>()
  /** By session: the ephemerals among the predictions. */
  readonly #ephemerals = new Map<bigint, Set<string>>()
  /** Touched paths in zxid order, to be forgotten once applied. */
  #touched: { zxid: bigint; path: string }[] = []
  #forgotten = 0
  readonly #digest = new DigestSum()
  readonly #digests: boolean
  /** Inside a multi: predictions as they were before it. */
  #undo: Map<string, Prediction | undefined> | null = null

  constructor(tree: DataTree, options: { digests: boolean }) {
    this.#tree = tree
    this.#digest.value = tree.digest
    this.#digests = options.digests
  }

  /** What the digest of the tree will be. */
  get digest(): bigint {
    return this.#digest.value
  }

  get(path: string): NodeView | null {
    const prediction = this.#predictions.get(path)
    if (prediction !== undefined) return prediction.node
    return this.#tree.nodes.get(path) ?? null
  }

  /** The znode, foreseen as `before` until now, will be like this (null: gone) after transaction `zxid`. */
  set(path: string, zxid: bigint, before: NodeView | null, node: ForeseenNode | null): void {
    if (this.#undo !== null && !this.#undo.has(path)) this.#undo.set(path, this.#predictions.get(path))
    if (this.#digests) {
      if (node !== null) node.digest = nodeDigest(node)
      this.#digest.add((node?.digest ?? 0) - (before?.digest ?? 0))
    }
    this.#predictions.set(path, { zxid, node })
    if (node !== null) this.#addOwned(path, node.ephemeralOwner)
    else if (before !== null) this.#removeOwned(path, before.ephemeralOwner)
    this.#touched.push({ zxid, path })
  }

  /** Ephemerals `sessionId` will own. */
  ephemeralsOf(sessionId: bigint): Set<string> {
    const paths = new Set<string>()
    const isOwn = (path: string) => this.get(path)?.ephemeralOwner === sessionId
    for (const path of this.#tree.ephemeralsOf(sessionId)) if (isOwn(path)) paths.add(path)
    for (const path of this.#ephemerals.get(sessionId) ?? []) if (isOwn(path)) paths.add(path)
    return paths
  }

  #addOwned(path: string, owner: bigint): void {
    if (owner === 0n) return
    const paths = this.#ephemerals.get(owner)
    if (paths === undefined) this.#ephemerals.set(owner, new Set([path]))
    else paths.add(path)
  }

  #removeOwned(path: string, owner: bigint): void {
    const paths = this.#ephemerals.get(owner)
    if (paths?.delete(path) && paths.size === 0) this.#ephemerals.delete(owner)
  }

  /** Nothing is foreseen of this path any more. */
  #forget(path: string): void {
    const node = this.#predictions.get(path)?.node ?? null
    this.#predictions.delete(path)
    if (node !== null) this.#removeOwned(path, node.ephemeralOwner)
  }

  /** The paths of a znode and of everything that will be below it; null if they are more than about `most`. */
  subtreeOf(path: string, most: number): Set<string> | null {
    const paths = new Set<string>()
    const top = this.#tree.nodes.get(path)
    for (const node of top === undefined ? [] : this.#tree.nodes.subtreeOf(top)) {
      if (paths.size === most) return null
      paths.add(node.path)
    }
    for (const [at, { node }] of this.#predictions) {
      if (at !== path && !at.startsWith(`${path}/`)) continue
      if (node === null) paths.delete(at)
      else paths.add(at)
    }
    return paths
  }

  /** How many znodes, and bytes of data, `path` and what is below it will have more than now. */
  growthBelow(path: string): { count: number; bytes: number } {
    const growth = { count: 0, bytes: 0 }
    for (const [at, { node }] of this.#predictions) {
      if (!at.startsWith(path) || (at.length > path.length && at[path.length] !== '/')) continue
      const now = this.#tree.nodes.get(at)
      growth.count += (node === null ? 0 : 1) - (now === undefined ? 0 : 1)
      growth.bytes += (node?.data?.length ?? 0) - (now?.data?.length ?? 0)
    }
    return growth
  }

  /**
   * Runs the parts of a multi. If one throws, everything they foresaw is taken back and the error goes on.
   */
  allOrNothing<T>(parts: () => T): T {
    const { digest } = this
    const length = this.#touched.length
    this.#undo = new Map()
    try {
      return parts()
    } catch (error) {
      for (const [path, prediction] of this.#undo) {
        this.#forget(path)
        if (prediction === undefined) continue
        this.#predictions.set(path, prediction)
        if (prediction.node !== null) this.#addOwned(path, prediction.node.ephemeralOwner)
      }
      this.#touched.length = length
      this.#digest.value = digest
      throw error
    } finally {
      this.#undo = null
    }
  }

  /** Everything up to `zxid` is in the tree now. */
  applied(zxid: bigint): void {
    while (this.#forgotten < this.#touched.length && this.#touched[this.#forgotten]!.zxid <= zxid) {
      const { path } = this.#touched[this.#forgotten++]!
      const prediction = this.#predictions.get(path)
      if (prediction !== undefined && prediction.zxid <= zxid) this.#forget(path)
    }
    if (this.#forgotten === this.#touched.length) {
      this.#touched = []
      this.#forgotten = 0
    } else if (this.#forgotten > 4096) {
      this.#touched = this.#touched.slice(this.#forgotten)
      this.#forgotten = 0
    }
  }
}

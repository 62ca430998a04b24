import { Fifo } from '@vivarium/platform'
import type { DataTree } from '../data-tree.ts'
import { DigestSum, nodeDigest, type TreeDigest } from '../digest.ts'
import { ForeseenNode, ForeseenTable, type NodeView } from './foreseen.ts'

/** More than can usually be in flight. */
const keptNodes = 4096

/**
 * The tree's future: what znodes will be like when the proposals in flight have been applied. A leader checks requests
 * against it, so that it need not wait for one write before it checks the next.
 */
export class Outlook {
  readonly #tree: DataTree
  readonly #predictions = new ForeseenTable()
  /** By session: the ephemerals among the predictions. */
  readonly #ephemerals = new Map<bigint, Set<string>>()
  /** All that is foreseen, in zxid order, to be forgotten once applied. */
  readonly #foreseen = new Fifo<ForeseenNode>()
  /** For further use. */
  readonly #unused: ForeseenNode[] = []
  readonly #digest = new DigestSum()
  readonly #digests: boolean
  /** Inside a multi: predictions as they were before it. */
  #undo: Map<string, ForeseenNode | undefined> | null = null

  constructor(tree: DataTree, options: { digests: boolean }) {
    this.#tree = tree
    this.#digest.value = tree.digest
    this.#digests = options.digests
  }

  /** What the digest of the tree will be. */
  get digest(): TreeDigest {
    return this.#digest.halves
  }

  get(path: string): NodeView | null {
    const foreseen = this.#prediction(path)
    if (foreseen !== undefined) return foreseen.isGone ? null : foreseen
    return this.#tree.nodes.get(path) ?? null
  }

  #prediction(path: string): ForeseenNode | undefined {
    return this.#predictions.get(path, this.#tree.nodes.hashOf(path))
  }

  /** A znode as it is foreseen until now, to be changed. */
  draft(node: NodeView, data: Buffer | null = node.data): ForeseenNode {
    const draft = this.blank()
    draft.copy(node, data)
    return draft
  }

  /** For one that is yet to be made. */
  blank(): ForeseenNode {
    return this.#unused.pop() ?? new ForeseenNode()
  }

  /** The znode, foreseen as `before` until now, will be like this after transaction `zxid`. */
  set(path: string, zxid: bigint, before: NodeView | null, node: ForeseenNode): void {
    if (this.#digests) {
      node.digest = nodeDigest(node)
      this.#digest.add(node.digest - (before?.digest ?? 0))
    }
    this.#foresee(path, zxid, node)
    if (node.hasOwner) this.#addOwned(path, node.ephemeralOwner)
  }

  /** The znode, foreseen as `before` until now, will be gone. */
  remove(path: string, zxid: bigint, before: NodeView): void {
    const node = this.blank()
    node.isGone = true
    this.#digest.add(-before.digest)
    this.#removeOwned(path, before.ephemeralOwner)
    this.#foresee(path, zxid, node)
  }

  #foresee(path: string, zxid: bigint, node: ForeseenNode): void {
    if (this.#undo !== null && !this.#undo.has(path)) this.#undo.set(path, this.#prediction(path))
    node.path = path
    node.hash = this.#tree.nodes.hashOf(path)
    node.zxid = zxid
    this.#predictions.put(node)
    this.#foreseen.push(node)
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
    const paths = this.#ephemerals.get(owner)
    if (paths === undefined) this.#ephemerals.set(owner, new Set([path]))
    else paths.add(path)
  }

  #removeOwned(path: string, owner: bigint): void {
    const paths = this.#ephemerals.get(owner)
    if (paths?.delete(path) && paths.size === 0) this.#ephemerals.delete(owner)
  }

  /** This is foreseen no more, unless something newer is of its path already. */
  #forget(node: ForeseenNode): void {
    if (this.#predictions.delete(node) && !node.isGone && node.hasOwner)
      this.#removeOwned(node.path, node.ephemeralOwner)
  }

  /** The paths of a znode and of everything that will be below it; null if they are more than about `most`. */
  subtreeOf(path: string, most: number): Set<string> | null {
    const paths = new Set<string>()
    const top = this.#tree.nodes.get(path)
    for (const node of top === undefined ? [] : this.#tree.nodes.subtreeOf(top)) {
      if (paths.size === most) return null
      paths.add(node.path)
    }
    for (const { path: at, isGone } of this.#predictions) {
      if (at !== path && !at.startsWith(`${path}/`)) continue
      if (isGone) paths.delete(at)
      else paths.add(at)
    }
    return paths
  }

  /** How many znodes, and bytes of data, `path` and what is below it will have more than now. */
  growthBelow(path: string): { count: number; bytes: number } {
    const growth = { count: 0, bytes: 0 }
    for (const foreseen of this.#predictions) {
      const { path: at } = foreseen
      if (!at.startsWith(path) || (at.length > path.length && at[path.length] !== '/')) continue
      const now = this.#tree.nodes.get(at)
      growth.count += (foreseen.isGone ? 0 : 1) - (now === undefined ? 0 : 1)
      growth.bytes +=
        (foreseen.isGone ? 0 : Math.max(0, foreseen.dataLength)) - Math.max(0, now?.dataLength ?? 0)
    }
    return growth
  }

  /**
   * Runs the parts of a multi. If one throws, everything they foresaw is taken back and the error goes on.
   */
  allOrNothing<T>(parts: () => T): T {
    const digest = this.#digest.value
    const { length } = this.#foreseen
    this.#undo = new Map()
    try {
      return parts()
    } catch (error) {
      for (const [path, before] of this.#undo) {
        this.#forget(this.#prediction(path)!)
        if (before === undefined) continue
        this.#predictions.put(before)
        if (!before.isGone && before.hasOwner) this.#addOwned(path, before.ephemeralOwner)
      }
      while (this.#foreseen.length > length) this.#foreseen.pop()
      this.#digest.value = digest
      throw error
    } finally {
      this.#undo = null
    }
  }

  /** Everything up to `zxid` is in the tree now. */
  applied(zxid: bigint): void {
    for (let node = this.#foreseen.peek(); node !== undefined; node = this.#foreseen.peek()) {
      if (node.zxid > zxid) return
      this.#foreseen.shift()
      this.#forget(node)
      node.clear()
      if (this.#unused.length < keptNodes) this.#unused.push(node)
    }
  }
}

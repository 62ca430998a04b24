import { type Acl, eventType, parentOf } from '@vivarium/zookeeper-protocol'

/** Whoever is told of changes: a client connection. Compared by identity. */
export interface Watcher {
  /**
   * `zxid` is the transaction that fired the watch, −1 when it is caught up on after a reconnect. `acl` says who may know of
   * it: only who may read what the event is about (ZOOKEEPER-4799); null: whoever watches.
   */
  notify(type: number, path: string, zxid: bigint, acl: readonly Acl[] | null): void
}

/** A znode, as far as it says who may know of it. */
export interface Guarded {
  readonly acl: readonly Acl[]
}

export type WatchMode = 'one-shot' | 'persistent' | 'recursive'

const bit = { 'one-shot': 1, persistent: 2, recursive: 4 } as const

/**
 * One table of watches: path → watcher → modes. A server keeps two, one for a znode's data and existence and one for its
 * children. The same registration twice is one; a one-shot watch vanishes when it fires, the others stay.
 */
class WatchTable {
  readonly #byPath = new Map<string, Map<Watcher, number>>()
  readonly #byWatcher = new Map<Watcher, Set<string>>()
  #recursiveCount = 0
  #count = 0

  /** Registrations, one per path, watcher and table. */
  get count(): number {
    return this.#count
  }

  get pathCount(): number {
    return this.#byPath.size
  }

  get watchers(): ReadonlyMap<Watcher, ReadonlySet<string>> {
    return this.#byWatcher
  }

  get paths(): ReadonlyMap<string, ReadonlyMap<Watcher, number>> {
    return this.#byPath
  }

  add(path: string, watcher: Watcher, mode: WatchMode): void {
    const watchers = getOrCreate(this.#byPath, path, () => new Map<Watcher, number>())
    const before = watchers.get(watcher) ?? 0
    const after = before | bit[mode]
    if (after === before) return
    if (before === 0) {
      this.#count++
      getOrCreate(this.#byWatcher, watcher, () => new Set<string>()).add(path)
    }
    if (mode === 'recursive') this.#recursiveCount++
    watchers.set(watcher, after)
  }

  has(path: string, watcher: Watcher, modes: readonly WatchMode[]): boolean {
    const held = this.#byPath.get(path)?.get(watcher) ?? 0
    return modes.some(mode => (held & bit[mode]) !== 0)
  }

  /** Whether anything was removed. */
  remove(path: string, watcher: Watcher, modes: readonly WatchMode[]): boolean {
    const held = this.#byPath.get(path)?.get(watcher) ?? 0
    let kept = held
    for (const mode of modes) kept &= ~bit[mode]
    if (kept === held) return false
    this.#set(path, watcher, held, kept)
    return true
  }

  removeWatcher(watcher: Watcher): void {
    for (const path of [...(this.#byWatcher.get(watcher) ?? [])]) {
      this.#set(path, watcher, this.#byPath.get(path)!.get(watcher)!, 0)
    }
  }

  /**
   * Tells who watches `path` (and, for events of the znode itself, its ancestors recursively) and may know, but nobody in
   * `except`.
   */
  fire(
    type: number,
    path: string,
    zxid: bigint,
    guarded: Guarded,
    except: ReadonlySet<Watcher> | null = null,
  ): ReadonlySet<Watcher> | null {
    return this.#count === 0 ? null : this.#tellOf(type, path, zxid, guarded.acl, except)
  }

  #tellOf(
    type: number,
    path: string,
    zxid: bigint,
    acl: readonly Acl[],
    except: ReadonlySet<Watcher> | null,
  ): ReadonlySet<Watcher> | null {
    let told: Set<Watcher> | null = null
    const tell = (watcher: Watcher) => {
      told ??= new Set()
      if (told.has(watcher) || except?.has(watcher)) return
      told.add(watcher)
      watcher.notify(type, path, zxid, acl)
    }
    const own = this.#byPath.get(path)
    if (own !== undefined) {
      for (const [watcher, modes] of own) {
        if (modes === bit.recursive && type === eventType.NodeChildrenChanged) continue
        if ((modes & bit['one-shot']) !== 0) this.#set(path, watcher, modes, modes & ~bit['one-shot'])
        tell(watcher)
      }
    }
    if (this.#recursiveCount > 0 && type !== eventType.NodeChildrenChanged) {
      for (let ancestor = parentOf(path); ancestor !== null; ancestor = parentOf(ancestor)) {
        const above = this.#byPath.get(ancestor)
        if (above === undefined) continue
        for (const [watcher, modes] of above) if ((modes & bit.recursive) !== 0) tell(watcher)
      }
    }
    return told
  }

  #set(path: string, watcher: Watcher, before: number, after: number): void {
    if ((before & bit.recursive) !== 0 && (after & bit.recursive) === 0) this.#recursiveCount--
    const watchers = this.#byPath.get(path)!
    if (after !== 0) {
      watchers.set(watcher, after)
      return
    }
    this.#count--
    watchers.delete(watcher)
    if (watchers.size === 0) this.#byPath.delete(path)
    const paths = this.#byWatcher.get(watcher)!
    paths.delete(path)
    if (paths.size === 0) this.#byWatcher.delete(watcher)
  }
}

/** Which connection watches what on this server. Watches live and die with their connection. */
export class Watches {
  readonly data: WatchTable = new WatchTable()
  readonly children: WatchTable = new WatchTable()

  get count(): number {
    return this.data.count + this.children.count
  }

  /** A persistent watch stands in both tables; a recursive one hears of children through the data table alone. */
  addPersistent(path: string, watcher: Watcher, isRecursive: boolean): void {
    if (isRecursive) return this.data.add(path, watcher, 'recursive')
    this.data.add(path, watcher, 'persistent')
    this.children.add(path, watcher, 'persistent')
  }

  removeWatcher(watcher: Watcher): void {
    this.data.removeWatcher(watcher)
    this.children.removeWatcher(watcher)
  }

  created(path: string, zxid: bigint, node: Guarded, parent: Guarded): void {
    this.data.fire(eventType.NodeCreated, path, zxid, node)
    this.#childrenChanged(path, zxid, parent)
  }

  /** `node` is about to be removed. */
  deleted(path: string, zxid: bigint, node: Guarded, parent: Guarded): void {
    const told = this.data.fire(eventType.NodeDeleted, path, zxid, node)
    this.children.fire(eventType.NodeDeleted, path, zxid, node, told)
    this.#childrenChanged(path, zxid, parent)
  }

  dataChanged(path: string, zxid: bigint, node: Guarded): void {
    this.data.fire(eventType.NodeDataChanged, path, zxid, node)
  }

  #childrenChanged(path: string, zxid: bigint, parent: Guarded): void {
    const parentPath = parentOf(path)
    if (parentPath !== null) this.children.fire(eventType.NodeChildrenChanged, parentPath, zxid, parent)
  }
}

function getOrCreate<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  let value = map.get(key)
  if (value === undefined) {
    value = create()
    map.set(key, value)
  }
  return value
}

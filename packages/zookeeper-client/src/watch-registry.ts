import {
  encode,
  eventType,
  opCode,
  parentOf,
  setWatches,
  setWatches2,
  type WatcherEvent,
} from '@vivarium/zookeeper-protocol'

/** What happened to a watched znode. */
export type NodeEvent = 'NodeCreated' | 'NodeDeleted' | 'NodeDataChanged' | 'NodeChildrenChanged'

/** What happened to the watch itself: this client has removed it. */
export type RemovedEvent = 'DataWatchRemoved' | 'ChildWatchRemoved' | 'PersistentWatchRemoved'

export interface WatchEvent {
  type: NodeEvent | RemovedEvent
  path: string
  /** The transaction that did it; −1n when it happened while the client was cut off, and for removed watches. */
  zxid: bigint
}

export type WatchListener = (event: WatchEvent) => void

/** `data`, `exist` and `child` fire once; the other two stay until removed. */
export type WatchKind = 'data' | 'exist' | 'child' | 'persistent' | 'persistentRecursive'

const kinds: readonly WatchKind[] = ['data', 'exist', 'child', 'persistent', 'persistentRecursive']

const eventNames: Readonly<Record<number, NodeEvent>> = {
  [eventType.NodeCreated]: 'NodeCreated',
  [eventType.NodeDeleted]: 'NodeDeleted',
  [eventType.NodeDataChanged]: 'NodeDataChanged',
  [eventType.NodeChildrenChanged]: 'NodeChildrenChanged',
}

/** The name of a node event's type; null for what concerns no node. */
export function eventName(type: WatcherEvent['type']): NodeEvent | null {
  return eventNames[type] ?? null
}

/** The kinds of one-shot watch an event uses up. */
const firedOnce: Record<NodeEvent, readonly WatchKind[]> = {
  NodeCreated: ['data', 'exist'],
  NodeDataChanged: ['data', 'exist'],
  NodeDeleted: ['data', 'exist', 'child'],
  NodeChildrenChanged: ['child'],
}

const removedEvents: Record<WatchKind, RemovedEvent> = {
  data: 'DataWatchRemoved',
  exist: 'DataWatchRemoved',
  child: 'ChildWatchRemoved',
  persistent: 'PersistentWatchRemoved',
  persistentRecursive: 'PersistentWatchRemoved',
}

/** A setWatches request is split at this many bytes of paths, so that no server refuses it as too long. */
const maxBatchBytes = 128 * 1024

/** Who wants to hear of what, as the server should know it. Paths are the client's own, without chroot. */
export class WatchRegistry {
  readonly #listeners: Record<WatchKind, Map<string, Set<WatchListener>>> = {
    data: new Map(),
    exist: new Map(),
    child: new Map(),
    persistent: new Map(),
    persistentRecursive: new Map(),
  }

  add(kind: WatchKind, path: string, listener: WatchListener): void {
    const ofKind = this.#listeners[kind]
    const ofPath = ofKind.get(path)
    if (ofPath === undefined) ofKind.set(path, new Set([listener]))
    else ofPath.add(listener)
  }

  /** Removes one listener, or all of the path; gives those that went, and the events each is to hear once. */
  remove(
    kinds: readonly WatchKind[],
    path: string,
    only: WatchListener | null,
  ): { type: RemovedEvent; listener: WatchListener }[] {
    const removed: { type: RemovedEvent; listener: WatchListener }[] = []
    for (const kind of kinds) {
      const ofPath = this.#listeners[kind].get(path)
      for (const listener of only === null ? [...(ofPath ?? [])] : [only]) {
        if (!ofPath?.delete(listener)) continue
        const type = removedEvents[kind]
        if (!removed.some(one => one.type === type && one.listener === listener))
          removed.push({ type, listener })
      }
      if (ofPath?.size === 0) this.#listeners[kind].delete(path)
    }
    return removed
  }

  /** Whether somebody but `listener` watches. */
  hasOthers(kind: WatchKind, path: string, listener: WatchListener): boolean {
    const ofPath = this.#listeners[kind].get(path)
    return ofPath !== undefined && ofPath.size > (ofPath.has(listener) ? 1 : 0)
  }

  /** Those who are to hear of the event, each once; watches that fire once are gone afterwards. */
  fire(type: NodeEvent, path: string): Set<WatchListener> {
    const heard = new Set<WatchListener>()
    for (const kind of firedOnce[type]) {
      collect(this.#listeners[kind].get(path), heard)
      this.#listeners[kind].delete(path)
    }
    collect(this.#listeners.persistent.get(path), heard)
    if (type !== 'NodeChildrenChanged' && this.#listeners.persistentRecursive.size > 0) {
      for (let at: string | null = path; at !== null; at = parentOf(at)) {
        collect(this.#listeners.persistentRecursive.get(at), heard)
      }
    }
    return heard
  }

  /**
   * The requests that tell a new server of all watches, so that it catches up on what happened since `relativeZxid`.
   * None if nothing is watched. Servers before 3.6 know only setWatches: setWatches2 is used when it is needed.
   */
  registrations(relativeZxid: bigint, chroot: string): { op: number; body: Buffer }[] {
    const op =
      this.#listeners.persistent.size + this.#listeners.persistentRecursive.size > 0
        ? opCode.setWatches2
        : opCode.setWatches
    const requests: { op: number; body: Buffer }[] = []
    let batch = emptyBatch()
    let batchBytes = 0
    const flush = () => {
      if (batchBytes === 0) return
      const lists = {
        relativeZxid,
        dataWatches: batch.data,
        existWatches: batch.exist,
        childWatches: batch.child,
        persistentWatches: batch.persistent,
        persistentRecursiveWatches: batch.persistentRecursive,
      }
      requests.push({
        op,
        body: op === opCode.setWatches2 ? encode(setWatches2, lists) : encode(setWatches, lists),
      })
      batch = emptyBatch()
      batchBytes = 0
    }
    for (const kind of kinds) {
      for (const path of this.#listeners[kind].keys()) {
        const full = chroot + (chroot !== '' && path === '/' ? '' : path)
        const bytes = 4 + Buffer.byteLength(full)
        if (batchBytes + bytes > maxBatchBytes) flush()
        batch[kind].push(full)
        batchBytes += bytes
      }
    }
    flush()
    return requests
  }
}

function collect(from: Set<WatchListener> | undefined, into: Set<WatchListener>): void {
  if (from !== undefined) for (const listener of from) into.add(listener)
}

function emptyBatch(): Record<WatchKind, string[]> {
  return { data: [], exist: [], child: [], persistent: [], persistentRecursive: [] }
}

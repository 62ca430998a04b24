import type { Operation, WatchListener } from '@vivarium/zookeeper-client'
import { paths } from '../metadata/zookeeper-layout.ts'
import {
  zooKeeperErrorCode as code,
  isCode,
  MultiError,
  type ZooKeeperSession,
} from '../metadata/zookeeper-session.ts'
import type { SingleWrite, Write, WriteResult, Znode } from './effects.ts'

/** Another broker is controller now: this one's epoch is history. */
export class ControllerMovedError extends Error {
  override name = 'ControllerMovedError'
}

/** How many requests to ZooKeeper are under way at once. */
const maxInFlight = 500

/** Reads and conditional writes of a controller; `watch` hears of changes to what was read with a watch. */
export class ZnodeEffects {
  readonly #zookeeper: ZooKeeperSession
  readonly #epochVersion: number
  readonly #watch: WatchListener

  constructor(zookeeper: ZooKeeperSession, epochVersion: number, watch: WatchListener) {
    this.#zookeeper = zookeeper
    this.#epochVersion = epochVersion
    this.#watch = watch
  }

  read(list: readonly string[], isWatched: boolean): Promise<(Znode | null)[]> {
    return inWindows(list, path => this.#readOne(path, isWatched))
  }

  async children(path: string, isWatched: boolean): Promise<string[] | null> {
    try {
      return (await this.#zookeeper.getChildren(path, isWatched ? { watch: this.#watch } : {})).children
    } catch (error) {
      if (isCode(error, code.NONODE)) return null
      throw error
    }
  }

  /** Rejects with ControllerMovedError when the epoch is not this controller's any more. */
  write(writes: readonly Write[]): Promise<WriteResult[]> {
    return inWindows(writes, one => this.#writeOne(one))
  }

  async #readOne(path: string, isWatched: boolean): Promise<Znode | null> {
    const watch = isWatched ? this.#watch : undefined
    let found = await this.#zookeeper.read(path, watch)
    // The creation of what is not there is an event as well.
    if (found === null && watch !== undefined && (await this.#zookeeper.exists(path, { watch })) !== null) {
      found = await this.#zookeeper.read(path, watch)
    }
    return found && { data: found.data, version: found.stat.version, czxid: found.stat.czxid }
  }

  async #writeOne(one: Write): Promise<WriteResult> {
    const steps = one.op === 'all' ? one.writes : [one]
    const check: Operation = { op: 'check', path: paths.controllerEpoch, version: this.#epochVersion }
    try {
      const results = await this.#zookeeper.multi([check, ...steps.map(operation)])
      return { code: code.OK, version: results[1]?.stat?.version ?? 0 }
    } catch (error) {
      if (!(error instanceof MultiError)) throw error
      if (error.failedIndex === 0) {
        throw new ControllerMovedError(
          `the controller epoch is not at version ${this.#epochVersion} any more`,
          {
            cause: error,
          },
        )
      }
      return { code: error.code, version: -1 }
    }
  }
}

function operation(one: SingleWrite): Operation {
  switch (one.op) {
    case 'create':
      return { op: 'create', path: one.path, data: one.data }
    case 'set':
      return { op: 'setData', path: one.path, data: one.data, version: one.version }
    case 'delete':
      return { op: 'delete', path: one.path, version: one.version }
  }
}

async function inWindows<T, R>(list: readonly T[], each: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (let at = 0; at < list.length; at += maxInFlight) {
    const window = await Promise.allSettled(list.slice(at, at + maxInFlight).map(each))
    for (const one of window) {
      if (one.status === 'rejected') throw one.reason
      results.push(one.value)
    }
  }
  return results
}

import type { World } from '@vivarium/simulator'
import { ZooKeeper, ZooKeeperError } from '@vivarium/zookeeper-client'
import type { Operation, Sight } from './history.ts'

export const paths = ['/k0', '/k1', '/k2']

let sessions = 0

/** A client that reads and writes a few znodes without pause, and writes down what it is told. */
export class SimulatedClient {
  readonly operations: Operation[] = []
  /** Paths of acknowledged creates. */
  readonly created: string[] = []
  /** What broke a promise: seen before the watch that should have told of it, or written over another's write. */
  readonly surprises: string[] = []
  readonly #world: World
  readonly #name: string
  readonly #connect: string
  #isStopped = false
  #writes = 0

  constructor(name: string, world: World, connect: string) {
    this.#name = name
    this.#world = world
    this.#connect = connect
  }

  stop(): void {
    this.#isStopped = true
  }

  /** Goes on until it is stopped; a session that has expired, or whose process died, is followed by another. */
  async run(): Promise<void> {
    const { chance } = this.#world
    const machine = this.#world.machine(this.#name)
    while (!this.#isStopped) {
      const { clock, network, random } = machine.start()
      const session = ++sessions
      const zookeeper = new ZooKeeper({
        connect: this.#connect,
        sessionTimeoutMs: 3_000,
        network,
        clock,
        random,
      })
      // What this session waits to hear of: the znode, as it was when the watch was set.
      const watched = new Map<string, bigint>()
      await zookeeper.create('/alive/s-', null, { mode: 'ephemeral-sequential' }).catch(ifRefused)
      while (!this.#isStopped && (zookeeper.state === 'connecting' || zookeeper.state === 'connected')) {
        await this.#operate(zookeeper, session, watched)
        await new Promise<void>(resolve => clock.after(chance.between(1, 60), resolve))
        if (chance.happens(0.005)) break
      }
      // Some end in order; of others the servers must find out.
      if (chance.happens(0.5)) await zookeeper.close()
      machine.kill()
    }
  }

  async #operate(zookeeper: ZooKeeper, session: number, watched: Map<string, bigint>): Promise<void> {
    const { chance } = this.#world
    const path = chance.pick(paths)
    const calledMs = this.#world.nowMs
    const note = (kind: Operation['kind'], sights: readonly Sight[]) => {
      this.operations.push({ session, kind, calledMs, returnedMs: this.#world.nowMs, sights })
      for (const { path: at, mzxid } of sights) {
        const watchedAt = watched.get(at)
        if (watchedAt !== undefined && mzxid > watchedAt)
          this.surprises.push(`${at} at 0x${mzxid.toString(16)}, watched since 0x${watchedAt.toString(16)}`)
      }
    }
    const value = `${this.#name}-${this.#writes++}`
    try {
      switch (chance.below(8)) {
        case 0:
        case 1: {
          const { mzxid, version } = await zookeeper.setData(path, value)
          note('write', [{ path, value, mzxid, version }])
          break
        }
        case 2: {
          const both = paths.slice(0, 2)
          const results = await zookeeper.multi(
            both.map(at => ({ op: 'setData' as const, path: at, data: value })),
          )
          note(
            'write',
            results.map(({ stat }, i) => ({
              path: both[i]!,
              value,
              mzxid: stat!.mzxid,
              version: stat!.version,
            })),
          )
          break
        }
        case 3: {
          const before = await zookeeper.getData(path)
          const { mzxid, version } = await zookeeper.setData(path, value, before.stat.version)
          if (version !== before.stat.version + 1)
            this.surprises.push(`${path}: ${version} after ${before.stat.version}`)
          note('write', [{ path, value, mzxid, version }])
          break
        }
        case 4:
          note('read', [await this.#look(zookeeper, path)])
          break
        case 5:
          if (chance.happens(0.5)) {
            await zookeeper.sync(path)
            note('sync-read', [await this.#look(zookeeper, path)])
          } else {
            // Sent together, and answered in this order.
            const sent = [zookeeper.sync(path), zookeeper.setData(path, value)] as const
            const [, { mzxid, version }] = await Promise.all(sent)
            note('write', [{ path, value, mzxid, version }])
          }
          break
        case 6: {
          let isTold = false
          const watch = () => {
            isTold = true
            watched.delete(path)
          }
          const { stat } = await zookeeper.getData(path, { watch })
          if (!isTold) watched.set(path, stat.mzxid)
          break
        }
        default:
          this.created.push(
            (await zookeeper.create('/made/n-', value, { mode: 'persistent-sequential' })).path,
          )
      }
    } catch (error) {
      ifRefused(error)
    }
  }

  async #look(zookeeper: ZooKeeper, path: string): Promise<Sight> {
    const { data, stat } = await zookeeper.getData(path)
    return { path, value: data?.toString() ?? null, mzxid: stat.mzxid, version: stat.version }
  }
}

/** Not acknowledged: it may have happened or not. */
function ifRefused(error: unknown): void {
  if (!(error instanceof ZooKeeperError)) throw error
}

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, createLog, type Timer, zookeeperLayout } from '@vivarium/platform'
import { nodeClock, nodeDisk, nodeNetwork, nodeRandom } from '@vivarium/platform/node'
import { readSettings, type ServerWorld, ZooKeeperServer } from '../src/index.ts'

/** A server alone on a free port, inside the test's process; it is stopped and its folder removed at the end. */
export interface EmbeddedServer extends AsyncDisposable {
  readonly server: ZooKeeperServer
  readonly port: number
  readonly folder: string
  /** What it logged. */
  readonly lines: string[]
  /** What it said when it could not go on. */
  readonly failures: Error[]
  stop(): Promise<void>
}

export async function temporaryFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'zookeeper-server-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/** Starts a server on `folder`, or on one of its own. `world` replaces doors to the world. */
export async function startServer(
  options: { folder?: string; config?: Record<string, string | number>; world?: Partial<ServerWorld> } = {},
): Promise<EmbeddedServer> {
  const own = options.folder === undefined ? await temporaryFolder() : null
  const folder = options.folder ?? own!.path
  const config = {
    dataDir: join(folder, 'data'),
    clientPort: 0,
    clientPortAddress: '127.0.0.1',
    tickTime: 2000,
    'admin.enableServer': 'false',
    '4lw.commands.whitelist': '*',
    preAllocSize: 64,
    ...options.config,
  }
  const file = join(folder, 'zoo.cfg')
  await writeFile(
    file,
    Object.entries(config)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  )
  const lines: string[] = []
  const failures: Error[] = []
  const log = createLog({
    layout: zookeeperLayout(() => ''),
    sink: line => lines.push(line),
    wallMs: Date.now,
    name: 'test',
  })
  const world = {
    clock: nodeClock,
    random: nodeRandom,
    disk: nodeDisk,
    network: nodeNetwork,
    log,
    ...options.world,
  }
  const server = new ZooKeeperServer(await readSettings(nodeDisk, file), world, error => failures.push(error))
  await server.start()
  const stop = () => server.stop()
  return {
    server,
    port: server.clientAddress!.port,
    folder,
    lines,
    failures,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop()
      await own?.[Symbol.asyncDispose]()
    },
  }
}

/** A clock whose time passes only when told to. */
export class ManualClock implements Clock {
  #nowMs = 1_000_000
  readonly #timers = new Set<{ atMs: number; everyMs: number | null; task: () => void }>()

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  /** What writes to a real disk does not wait for time that a test must let pass. */
  soon(task: () => void): void {
    setImmediate(task)
  }

  after(delayMs: number, task: () => void): Timer {
    return this.#add({ atMs: this.#nowMs + delayMs, everyMs: null, task })
  }

  every(intervalMs: number, task: () => void): Timer {
    return this.#add({ atMs: this.#nowMs + intervalMs, everyMs: intervalMs, task })
  }

  elapse(ms: number): void {
    const untilMs = this.#nowMs + ms
    for (;;) {
      const next = [...this.#timers].sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined || next.atMs > untilMs) break
      this.#nowMs = next.atMs
      if (next.everyMs === null) this.#timers.delete(next)
      else next.atMs += next.everyMs
      next.task()
    }
    this.#nowMs = untilMs
  }

  #add(timer: { atMs: number; everyMs: number | null; task: () => void }): Timer {
    this.#timers.add(timer)
    return { cancel: () => this.#timers.delete(timer) }
  }
}

import { AssertionError, createLog, zookeeperLayout } from '@vivarium/platform'
import type { World } from '@vivarium/simulator'
import { readSettings, ZooKeeperServer } from '../../src/index.ts'
// Loaded beforehand: the first life would wait for it in real time.
import '../../src/quorum/quorum-peer.ts'

const keptLines = 200

/** A member of a simulated ensemble: the real server on a simulated machine. */
export class Member {
  readonly id: number
  readonly host: string
  readonly #world: World
  #server: ZooKeeperServer | null = null
  #boot: { isOver: boolean } | null = null
  readonly #lines: string[] = []
  /** What its process ended of by itself. */
  failure: Error | null = null

  constructor(id: number, host: string, world: World) {
    this.id = id
    this.host = host
    this.#world = world
  }

  /** Writes the file it starts with, as an operator does. */
  configure(text: string): void {
    const { disk } = this.#world.machine(this.host)
    disk.install('/zoo.cfg', text)
    disk.install('/data/myid', String(this.id))
  }

  get server(): ZooKeeperServer | null {
    return this.#server
  }

  get isUp(): boolean {
    return this.#boot !== null
  }

  get isServing(): boolean {
    return this.#server !== null && this.#server.role !== null
  }

  /** What it logged last. */
  get log(): string {
    return this.#lines.join('')
  }

  boot(): void {
    this.failure = null
    const doors = this.#world.machine(this.host).start()
    const log = createLog({
      layout: zookeeperLayout(() => String(this.id)),
      sink: line => this.#lines.push(line) > keptLines && this.#lines.shift(),
      wallMs: doors.clock.wallMs,
      name: 'main',
    })
    // A process that is killed while it reads its settings has no server to be told of.
    const boot = { isOver: false }
    this.#boot = boot
    const end = (error: Error) => {
      if (boot.isOver) return
      log.error(error.message, error)
      if (error instanceof AssertionError) throw error
      this.failure = error
      // As main.ts: a server that cannot go on ends its process.
      this.kill()
    }
    const start = async () => {
      const settings = await readSettings(doors.disk, '/zoo.cfg')
      const server = new ZooKeeperServer(settings, { ...doors, log }, end)
      this.#server = server
      await server.start()
    }
    start().catch(end)
  }

  kill(): void {
    this.#end()
    this.#world.machine(this.host).kill()
  }

  losePower(): void {
    this.#end()
    this.#world.machine(this.host).losePower()
  }

  #end(): void {
    this.#server = null
    if (this.#boot !== null) this.#boot.isOver = true
    this.#boot = null
  }
}

export interface Ensemble {
  members: readonly Member[]
  connect: string
}

export const hostOf = (id: number) => `10.0.0.${id}`

export function serverLine(id: number): string {
  return `server.${id}=${hostOf(id)}:2888:3888:participant;${hostOf(id)}:2181`
}

const observerLine = (id: number) => serverLine(id).replace(':participant', ':observer')

/** `voters` and observers, none of them up, and as many machines more that may join them. */
export function ensembleOf(
  voters: number,
  world: World,
  settings: Record<string, string | number> = {},
  { observers = 0, spare = 0 }: { observers?: number; spare?: number } = {},
): Ensemble {
  const count = voters + observers
  const ids = Array.from({ length: count + spare }, (_, i) => i + 1)
  const lines = ids.slice(0, count).map(id => (id > voters ? observerLine(id) : serverLine(id)))
  const members = ids.map(id => {
    const member = new Member(id, hostOf(id), world)
    if (id <= count) member.configure(configFor(id, lines, settings))
    return member
  })
  return { members, connect: ids.map(id => `${hostOf(id)}:2181`).join(',') }
}

export function configFor(
  id: number,
  lines: readonly string[],
  more: Record<string, string | number> = {},
): string {
  const config = {
    dataDir: '/data',
    clientPort: 2181,
    clientPortAddress: hostOf(id),
    tickTime: 200,
    initLimit: 15,
    syncLimit: 8,
    maxClientCnxns: 0,
    preAllocSize: 4,
    snapCount: 60,
    commitLogCount: 500,
    'admin.enableServer': 'false',
    'autopurge.snapRetainCount': 3,
    ...more,
  }
  return [...Object.entries(config).map(([key, value]) => `${key}=${value}`), ...lines].join('\n')
}

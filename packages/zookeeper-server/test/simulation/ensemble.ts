import { AssertionError, createLog, type Disk, zookeeperLayout } from '@vivarium/platform'
import type { World } from '@vivarium/simulator'
import { readSettings, type ServerSettings, ZooKeeperServer } from '../../src/index.ts'

const keptLines = 200

/** A member of a simulated ensemble: the real server on a simulated machine. */
export class Member {
  readonly id: number
  readonly host: string
  readonly #world: World
  readonly #settings: ServerSettings
  #server: ZooKeeperServer | null = null
  readonly #lines: string[] = []

  constructor(id: number, host: string, world: World, settings: ServerSettings) {
    this.id = id
    this.host = host
    this.#world = world
    this.#settings = settings
  }

  get server(): ZooKeeperServer | null {
    return this.#server
  }

  get isUp(): boolean {
    return this.#server !== null
  }

  get isServing(): boolean {
    return this.#server !== null && this.#server.role !== null
  }

  /** What it logged last. */
  get log(): string {
    return this.#lines.join('')
  }

  boot(): void {
    const doors = this.#world.machine(this.host).start()
    const log = createLog({
      layout: zookeeperLayout(() => String(this.id)),
      sink: line => this.#lines.push(line) > keptLines && this.#lines.shift(),
      wallMs: doors.clock.wallMs,
      name: 'main',
    })
    const server = new ZooKeeperServer(this.#settings, { ...doors, log }, error => {
      if (error instanceof AssertionError) throw error
      // As main.ts: a server that cannot go on ends its process.
      if (this.#server === server) this.kill()
    })
    this.#server = server
    server.start().catch(error => {
      if (this.#server !== server) return
      log.error((error as Error).message, error)
      if (error instanceof AssertionError) throw error
      this.kill()
    })
  }

  kill(): void {
    this.#server = null
    this.#world.machine(this.host).kill()
  }

  losePower(): void {
    this.#server = null
    this.#world.machine(this.host).losePower()
  }
}

export interface Ensemble {
  members: readonly Member[]
  connect: string
}

/** `count` members, none of them up. */
export async function ensembleOf(
  count: number,
  world: World,
  more: Record<string, string | number> = {},
): Promise<Ensemble> {
  const ids = Array.from({ length: count }, (_, i) => i + 1)
  const hostOf = (id: number) => `10.0.0.${id}`
  const members = await Promise.all(
    ids.map(async id => {
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
        ...Object.fromEntries(ids.map(peer => [`server.${peer}`, `${hostOf(peer)}:2888:3888`])),
        ...more,
      }
      const text = Object.entries(config)
        .map(([key, value]) => `${key}=${value}`)
        .join('\n')
      const files: Record<string, string> = { '/zoo.cfg': text, '/data/myid': String(id) }
      const disk = { readFile: async (path: string) => Buffer.from(files[path]!) } as Disk
      return new Member(id, hostOf(id), world, await readSettings(disk, '/zoo.cfg'))
    }),
  )
  return { members, connect: ids.map(id => `${hostOf(id)}:2181`).join(',') }
}

import { type Figure, less, more } from './results.ts'
import { inTurn, type Kind, kinds, modeOf, Servers, until } from './servers.ts'
import { type Load, load } from './zookeeper-load.ts'

const pipelined = { connections: 8, window: 64 }
const read = { op: 'read', ...pipelined } as const
const write = { op: 'write', ...pipelined } as const
const single = { op: 'write', connections: 1, window: 1 } as const

/** Both kinds are up at once, and their loads take turns so often: the machine may be twice as fast a minute later. */
const turns = 4

/** One round: one server of each kind, then three of each. */
export async function measure(): Promise<Record<Kind, Figure[]>> {
  const figures: Record<Kind, Figure[]> = { ours: [], apache: [] }
  await measureOne(figures)
  await measureThree(figures)
  return figures
}

async function measureOne(figures: Record<Kind, Figure[]>): Promise<void> {
  await using ours = new Servers('ours')
  await using apache = new Servers('apache')
  const servers = { ours, apache }
  const ports = { ours: 0, apache: 0 }
  for (const kind of kinds) {
    const started = await servers[kind].startZooKeeper(1)
    figures[kind].push(less('one server: start', 'ms', started.startMs))
    ports[kind] = started.ports[0]!
    // A JVM compiles what is hot first: neither side is measured cold.
    for (const what of [read, write]) await load(ports[kind], [], { ...what, seconds: 4 })
  }
  for (const kind of inTurn(turns)) {
    const { pids } = servers[kind]
    for (const [name, what] of [
      ['reads', read],
      ['durable writes', write],
    ] as const) {
      const { operations, seconds, cpu } = await load(ports[kind], pids, { ...what, seconds: 2 })
      figures[kind].push(
        more(`one server: ${name}, pipelined`, '1/s', operations / seconds),
        less(`one server: CPU of ${name}`, 'µs', cpu / operations),
      )
    }
  }
  for (const kind of kinds)
    figures[kind].push(less('one server: memory under load (PSS)', 'MB', servers[kind].memoryMb()))
}

async function measureThree(figures: Record<Kind, Figure[]>): Promise<void> {
  await using ours = new Servers('ours')
  await using apache = new Servers('apache')
  const servers = { ours, apache }
  const ports: Record<Kind, number[]> = { ours: [], apache: [] }
  const leader = { ours: 0, apache: 0 }
  const loadLeader = (kind: Kind, what: Load) => load(ports[kind][leader[kind]]!, servers[kind].pids, what)
  for (const kind of kinds) {
    const started = await servers[kind].startZooKeeper(3)
    figures[kind].push(less('three servers: start', 'ms', started.startMs))
    ports[kind] = started.ports
    leader[kind] = (await Promise.all(ports[kind].map(modeOf))).indexOf('leader')
    await loadLeader(kind, { ...write, seconds: 4 })
  }
  for (const kind of inTurn(turns)) {
    const many = await loadLeader(kind, { ...write, seconds: 2 })
    const one = await loadLeader(kind, { ...single, seconds: 2 })
    figures[kind].push(
      more('three servers: writes through the leader, pipelined', '1/s', many.operations / many.seconds),
      less('three servers: CPU of a write, all three', 'µs', many.cpu / many.operations),
      less('three servers: one write at a time, median', 'µs', one.p50),
      less('three servers: one write at a time, 99th percentile', 'µs', one.p99),
    )
  }
  for (const kind of kinds) {
    figures[kind].push(less('three servers: memory under load (PSS)', 'MB', servers[kind].memoryMb()))
    servers[kind].kill(leader[kind])
    const killedMs = performance.now()
    const others = ports[kind].filter((_, index) => index !== leader[kind])
    await until(async () => (await Promise.all(others.map(modeOf))).includes('leader'))
    figures[kind].push(less('three servers: another leads after kill -9', 'ms', performance.now() - killedMs))
  }
}

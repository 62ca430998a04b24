import { type Figure, less, more } from './results.ts'
import { type Kind, modeOf, Servers, until } from './servers.ts'
import { load } from './zookeeper-load.ts'

const pipelined = { connections: 8, window: 64 }

/** One round: one server, then three. */
export async function measure(kind: Kind): Promise<Figure[]> {
  return [...(await measureOne(kind)), ...(await measureThree(kind))]
}

async function measureOne(kind: Kind): Promise<Figure[]> {
  await using servers = new Servers(kind)
  const { ports, startMs } = await servers.startZooKeeper(1)
  const port = ports[0]!
  // A JVM compiles what is hot first: neither side is measured cold.
  await load(port, [], { op: 'read', ...pipelined })
  await load(port, [], { op: 'write', ...pipelined })
  const figures = [less('one server: start', 'ms', startMs)]
  for (const op of ['read', 'write'] as const) {
    const { operations, seconds, cpu } = await load(port, servers.pids, { op, ...pipelined })
    const name = op === 'read' ? 'reads' : 'durable writes'
    figures.push(more(`one server: ${name}, pipelined`, '1/s', operations / seconds))
    figures.push(less(`one server: CPU of ${name}`, 'µs', cpu / operations))
  }
  figures.push(less('one server: memory under load (PSS)', 'MB', servers.memoryMb()))
  return figures
}

async function measureThree(kind: Kind): Promise<Figure[]> {
  await using servers = new Servers(kind)
  const { ports, startMs } = await servers.startZooKeeper(3)
  const modes = await Promise.all(ports.map(modeOf))
  const leader = modes.indexOf('leader')
  const port = ports[leader]!
  await load(port, [], { op: 'write', ...pipelined })
  const { operations, seconds, cpu } = await load(port, servers.pids, { op: 'write', ...pipelined })
  const single = await load(port, [], { op: 'write', connections: 1, window: 1 })
  const memory = servers.memoryMb()
  servers.kill(leader)
  const killedMs = performance.now()
  const others = ports.filter((_, index) => index !== leader)
  await until(async () => (await Promise.all(others.map(modeOf))).includes('leader'))
  return [
    less('three servers: start', 'ms', startMs),
    more('three servers: writes through the leader, pipelined', '1/s', operations / seconds),
    less('three servers: CPU of a write, all three', 'µs', cpu / operations),
    less('three servers: one write at a time, median', 'µs', single.p50),
    less('three servers: one write at a time, 99th percentile', 'µs', single.p99),
    less('three servers: memory under load (PSS)', 'MB', memory),
    less('three servers: another leads after kill -9', 'ms', performance.now() - killedMs),
  ]
}

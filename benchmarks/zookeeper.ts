import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Figure, less, more } from './results.ts'
import { type Kind, modeOf, Servers, until } from './servers.ts'

const cache = fileURLToPath(new URL('../node_modules/.cache/bench/', import.meta.url))
const loader = join(cache, 'zookeeper-load')
const loadSeconds = 4

interface Load {
  operations: number
  errors: number
  seconds: number
  /** Microseconds. */
  p50: number
  p99: number
}

/** Compiles the program that makes the load. */
export function prepare(): void {
  mkdirSync(cache, { recursive: true })
  const source = fileURLToPath(new URL('zookeeper-load.c', import.meta.url))
  execFileSync('gcc', ['-O2', '-Wall', '-o', loader, source])
}

async function load(port: number, op: 'read' | 'write', connections: number, window: number): Promise<Load> {
  const args = [port, op, connections, window, loadSeconds, 1000, 100].map(String)
  const { stdout } = await promisify(execFile)(loader, args)
  const result = JSON.parse(stdout) as Load
  if (result.errors > 0) throw new Error(`${result.errors} of ${result.operations} requests were refused`)
  return result
}

/** One round: one server, then three. */
export async function measure(kind: Kind): Promise<Figure[]> {
  return [...(await measureOne(kind)), ...(await measureThree(kind))]
}

async function measureOne(kind: Kind): Promise<Figure[]> {
  await using servers = new Servers(kind)
  const { ports, startMs } = await servers.startZooKeeper(1)
  const port = ports[0]!
  // A JVM compiles what is hot first: neither side is measured cold.
  await load(port, 'read', 8, 64)
  await load(port, 'write', 8, 64)
  const figures = [less('one server: start', 'ms', startMs)]
  for (const op of ['read', 'write'] as const) {
    const cpu = servers.cpuSeconds()
    const { operations, seconds } = await load(port, op, 8, 64)
    const name = op === 'read' ? 'reads' : 'durable writes'
    figures.push(more(`one server: ${name}, pipelined`, '1/s', operations / seconds))
    figures.push(less(`one server: CPU of ${name}`, 'µs', ((servers.cpuSeconds() - cpu) / operations) * 1e6))
  }
  figures.push(less('one server: memory under load (PSS)', 'MB', servers.memoryMb()))
  return figures
}

async function measureThree(kind: Kind): Promise<Figure[]> {
  await using servers = new Servers(kind)
  const { ports, startMs } = await servers.startZooKeeper(3)
  const modes = await Promise.all(ports.map(modeOf))
  const leader = modes.indexOf('leader')
  await load(ports[leader]!, 'write', 8, 64)
  const cpu = servers.cpuSeconds()
  const { operations, seconds } = await load(ports[leader]!, 'write', 8, 64)
  const cpuEach = ((servers.cpuSeconds() - cpu) / operations) * 1e6
  const single = await load(ports[leader]!, 'write', 1, 1)
  const memory = servers.memoryMb()
  servers.kill(leader)
  const killedMs = performance.now()
  const others = ports.filter((_, index) => index !== leader)
  await until(async () => (await Promise.all(others.map(modeOf))).includes('leader'))
  return [
    less('three servers: start', 'ms', startMs),
    more('three servers: writes through the leader, pipelined', '1/s', operations / seconds),
    less('three servers: CPU of a write, all three', 'µs', cpuEach),
    less('three servers: one write at a time, median', 'µs', single.p50),
    less('three servers: one write at a time, 99th percentile', 'µs', single.p99),
    less('three servers: memory under load (PSS)', 'MB', memory),
    less('three servers: another leads after kill -9', 'ms', performance.now() - killedMs),
  ]
}

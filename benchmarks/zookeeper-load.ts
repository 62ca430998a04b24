import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const cache = fileURLToPath(new URL('../node_modules/.cache/bench/', import.meta.url))
const loader = join(cache, 'zookeeper-load')

export interface Load {
  /** `watch` leaves a watch on every znode and then sets every znode. */
  op: 'read' | 'write' | 'watch'
  connections: number
  /** Requests under way on each. */
  window: number
  seconds?: number
  znodes?: number
}

export interface Loaded {
  operations: number
  errors: number
  seconds: number
  /** Microseconds. */
  p50: number
  p99: number
  max: number
  /** Microseconds of CPU the servers used. */
  cpu: number
}

/** Compiles the program that makes the load. */
export function prepareLoad(): void {
  mkdirSync(cache, { recursive: true })
  const source = fileURLToPath(new URL('zookeeper-load.c', import.meta.url))
  execFileSync('gcc', ['-O2', '-Wall', '-o', loader, source])
}

/** Puts load on a server, on znodes of 100 bytes, and watches the CPU of `pids`. */
export async function load(port: number, pids: readonly number[], what: Load): Promise<Loaded> {
  const { op, connections, window, seconds = 4, znodes = 1000 } = what
  const args = [port, op, connections, window, seconds, znodes, 100, ...pids].map(String)
  const { stdout } = await promisify(execFile)(loader, args)
  const result = JSON.parse(stdout) as Loaded
  if (result.errors > 0) throw new Error(`${result.errors} of ${result.operations} requests were refused`)
  return result
}

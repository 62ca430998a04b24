import { type Figure, less, median } from './results.ts'
import { firstSnapshotMs, type Kind, Servers } from './servers.ts'
import { type Load, load } from './zookeeper-load.ts'

const many = 1_000_000
const heapMb = 3072
const pipelined = { connections: 8, window: 64 }

/** Loads that are compared take turns so often: the machine may be twice as fast a minute later. */
const turns = 5

/** One round: a server with a thousand znodes beside one with a million; eight connections, then ten thousand. */
export async function measure(kind: Kind): Promise<Figure[]> {
  await using few = new Servers(kind, { heapMb })
  await using servers = new Servers(kind, { heapMb })
  const fewPort = (await few.startZooKeeper(1)).ports[0]!
  const port = (await servers.startZooKeeper(1)).ports[0]!
  const cost = async (what: Load) => {
    const { cpu, operations } = await load(port, servers.pids, what)
    return cpu / operations
  }
  const costOfFew = async (what: Load) => {
    const { cpu, operations } = await load(fewPort, few.pids, what)
    return cpu / operations
  }
  const read = { op: 'read', ...pipelined } as const
  const write = { op: 'write', ...pipelined } as const
  // A runtime takes memory for its own work, too: before znodes are weighed, both have worked. A JVM's znodes still weigh what
  // its heap grows by.
  for (const warmUp of [read, write]) {
    await costOfFew(warmUp)
    await cost(warmUp)
  }
  const crowd = { op: 'read', connections: 10_000, window: 64, seconds: 6 } as const
  const crowded = await compared(
    () => costOfFew({ ...read, seconds: 2 }),
    () => costOfFew(crowd),
  )

  const before = servers.memoryMb()
  await load(port, [], { ...read, znodes: many, seconds: 1 })
  await servers.quiet()
  const after = servers.memoryMb()
  await cost({ ...write, znodes: many })
  await servers.quiet()
  const reads = await compared(
    () => costOfFew({ ...read, seconds: 2 }),
    () => cost({ ...read, znodes: many, seconds: 2 }),
  )
  const writes = await compared(
    () => costOfFew({ ...write, seconds: 2 }),
    () => cost({ ...write, znodes: many, seconds: 2 }),
  )
  // A read a time, while eight connections write and snapshots are made of what they wrote.
  const [waited] = await Promise.all([
    load(port, [], { op: 'read', connections: 1, window: 1, znodes: many, seconds: 8 }),
    load(port, [], { ...write, znodes: many, seconds: 8 }),
  ])
  const watches = await cost({ op: 'watch', ...pipelined, znodes: 200_000, seconds: 120 })
  const restartMs = await servers.restartZooKeeper()
  const snapshotMs = await firstSnapshotMs(port)
  return [
    less('read: CPU, 1 000 znodes', 'µs', reads.small),
    less('read: CPU, 1 000 000 znodes', 'µs', reads.large),
    less('read: CPU grows from 1 000 to 1 000 000 znodes', 'x', reads.growth),
    less('read: CPU grows from 8 to 10 000 connections', 'x', crowded.growth),
    less('write: CPU, 1 000 znodes', 'µs', writes.small),
    less('write: CPU, 1 000 000 znodes', 'µs', writes.large),
    less('write: CPU grows from 1 000 to 1 000 000 znodes', 'x', writes.growth),
    less('memory of a znode of 100 bytes (PSS)', 'bytes', ((after - before) * 2 ** 20) / many),
    less('200 000 watches: CPU to set one, fire it and write', 'µs', watches),
    less('longest wait of a read under writes and snapshots', 'ms', waited.max / 1000),
    less('start with 1 000 000 znodes', 'ms', restartMs),
    less('snapshot of 1 000 000 znodes', 'ms', snapshotMs),
  ]
}

/** Medians of what the two cost in turn, and of the second by the first. */
async function compared(
  small: () => Promise<number>,
  large: () => Promise<number>,
): Promise<{ small: number; large: number; growth: number }> {
  const pairs: [number, number][] = []
  for (let turn = 0; turn < turns; turn++) pairs.push([await small(), await large()])
  return {
    small: median(pairs.map(([cost]) => cost)),
    large: median(pairs.map(([, cost]) => cost)),
    growth: median(pairs.map(([cost, larger]) => larger / cost)),
  }
}

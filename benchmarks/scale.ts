import { type Figure, less } from './results.ts'
import { firstSnapshotMs, type Kind, Servers } from './servers.ts'
import { type Load, load } from './zookeeper-load.ts'

const many = 1_000_000
const pipelined = { connections: 8, window: 64 }

/** One round: one server with a thousand znodes, then with a million; with eight connections, then with ten thousand. */
export async function measure(kind: Kind): Promise<Figure[]> {
  await using servers = new Servers(kind, { heapMb: 3072 })
  const { ports } = await servers.startZooKeeper(1)
  const port = ports[0]!
  const cost = async (what: Load) => {
    const { cpu, operations } = await load(port, servers.pids, what)
    return cpu / operations
  }
  const read = { op: 'read', ...pipelined } as const
  const write = { op: 'write', ...pipelined } as const
  await cost(read)
  await cost(write)
  const small = { read: await cost(read), write: await cost(write) }
  const crowd = { op: 'read', connections: 10_000, window: 64, seconds: 8 } as const
  const crowded = await cost(crowd)

  const before = servers.memoryMb()
  await load(port, [], { ...read, znodes: many, seconds: 1 })
  await servers.quiet()
  const after = servers.memoryMb()
  const large = {
    read: await cost({ ...read, znodes: many }),
    write: await cost({ ...write, znodes: many }),
  }
  // A read a time, while eight connections write and snapshots are made of what they wrote.
  const [waited] = await Promise.all([
    load(port, [], { op: 'read', connections: 1, window: 1, znodes: many, seconds: 8 }),
    load(port, [], { ...write, znodes: many, seconds: 8 }),
  ])
  const watches = await cost({ op: 'watch', ...pipelined, znodes: 200_000, seconds: 120 })
  const restartMs = await servers.restartZooKeeper()
  const snapshotMs = await firstSnapshotMs(port)
  return [
    less('read: CPU, 1 000 znodes', 'µs', small.read),
    less('read: CPU, 1 000 000 znodes', 'µs', large.read),
    less('read: CPU grows from 1 000 to 1 000 000 znodes', 'x', large.read / small.read),
    less('read: CPU grows from 8 to 10 000 connections', 'x', crowded / small.read),
    less('write: CPU, 1 000 znodes', 'µs', small.write),
    less('write: CPU, 1 000 000 znodes', 'µs', large.write),
    less('write: CPU grows from 1 000 to 1 000 000 znodes', 'x', large.write / small.write),
    less('memory of a znode of 100 bytes (PSS)', 'bytes', ((after - before) * 2 ** 20) / many),
    less('200 000 watches: CPU to set one, fire it and write', 'µs', watches),
    less('longest wait of a read under writes and snapshots', 'ms', waited.max / 1000),
    less('start with 1 000 000 znodes', 'ms', restartMs),
    less('snapshot of 1 000 000 znodes', 'ms', snapshotMs),
  ]
}

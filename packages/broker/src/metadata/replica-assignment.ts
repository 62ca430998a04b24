import type { Random } from '@vivarium/platform'

export interface AssignableBroker {
  id: number
  rack: string | null
}

/** Replicas for new partitions cannot be placed as asked. */
export class AssignmentError extends Error {
  override name = 'AssignmentError'
  readonly code: 'INVALID_REPLICATION_FACTOR' | 'INVALID_PARTITIONS'
  constructor(code: AssignmentError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** Where the first partition's replicas begin; both random for a new topic, the same broker for more of an old one. */
export interface AssignmentStart {
  firstIndex: number
  shift: number
  /** Number of the first new partition. */
  firstPartition: number
}

/**
 * Spreads replicas over brokers: leaders round robin, followers at a shift that grows by one each round, so that no two
 * brokers share all their partitions; with racks, replicas on as many racks as there are (KIP-36).
 */
export function assignReplicas(
  brokers: readonly AssignableBroker[],
  partitionCount: number,
  replicationFactor: number,
  at: Random | AssignmentStart,
): number[][] {
  if (partitionCount <= 0) {
    throw new AssignmentError('INVALID_PARTITIONS', 'Number of partitions must be larger than 0.')
  }
  if (replicationFactor <= 0) {
    throw new AssignmentError('INVALID_REPLICATION_FACTOR', 'Replication factor must be larger than 0.')
  }
  if (replicationFactor > brokers.length) {
    throw new AssignmentError(
      'INVALID_REPLICATION_FACTOR',
      `Replication factor: ${replicationFactor} larger than available brokers: ${brokers.length}.`,
    )
  }
  const withRack = brokers.filter(({ rack }) => rack !== null).length
  if (withRack > 0 && withRack < brokers.length) {
    throw new AssignmentError(
      'INVALID_REPLICATION_FACTOR',
      'Not all brokers have rack information for replica rack aware assignment.',
    )
  }
  const start =
    'below' in at
      ? { firstIndex: at.below(brokers.length), shift: at.below(brokers.length), firstPartition: 0 }
      : at
  return withRack === 0
    ? withoutRacks(
        brokers.map(({ id }) => id),
        partitionCount,
        replicationFactor,
        start,
      )
    : withRacks(brokers, partitionCount, replicationFactor, start)
}

function withoutRacks(
  ids: readonly number[],
  count: number,
  factor: number,
  start: AssignmentStart,
): number[][] {
  const n = ids.length
  let shift = start.shift
  return Array.from({ length: count }, (_, i) => {
    const partition = start.firstPartition + i
    if (partition > 0 && partition % n === 0) shift++
    const first = (partition + start.firstIndex) % n
    const replicas = [ids[first]!]
    for (let j = 0; j < factor - 1; j++) replicas.push(ids[(first + 1 + ((shift + j) % (n - 1))) % n]!)
    return replicas
  })
}

function withRacks(
  brokers: readonly AssignableBroker[],
  count: number,
  factor: number,
  start: AssignmentStart,
): number[][] {
  const rackOf = new Map(brokers.map(({ id, rack }) => [id, rack!]))
  const ids = alternatingByRack(brokers)
  const n = ids.length
  const rackCount = new Set(rackOf.values()).size
  let shift = start.shift
  return Array.from({ length: count }, (_, i) => {
    const partition = start.firstPartition + i
    if (partition > 0 && partition % n === 0) shift++
    const first = (partition + start.firstIndex) % n
    const leader = ids[first]!
    const replicas = [leader]
    const usedRacks = new Set([rackOf.get(leader)!])
    for (let j = 0, k = 0; j < factor - 1; k++) {
      const index = (first + 1 + ((shift * rackCount + k) % (n - 1))) % n
      const candidate = ids[index]!
      const rack = rackOf.get(candidate)!
      const isRackWanted = !usedRacks.has(rack) || usedRacks.size === rackCount
      if (!isRackWanted || replicas.includes(candidate)) continue
      replicas.push(candidate)
      usedRacks.add(rack)
      j++
    }
    return replicas
  })
}

/** Broker ids taken from one rack after another, racks by name, ids ascending inside a rack. */
function alternatingByRack(brokers: readonly AssignableBroker[]): number[] {
  const racks = new Map<string, number[]>()
  for (const { id, rack } of brokers) {
    const ids = racks.get(rack!)
    if (ids === undefined) racks.set(rack!, [id])
    else ids.push(id)
  }
  const queues = [...racks.keys()].sort().map(rack => racks.get(rack)!.sort((a, b) => a - b))
  const ids: number[] = []
  for (let round = 0; ids.length < brokers.length; round++) {
    for (const queue of queues) if (round < queue.length) ids.push(queue[round]!)
  }
  return ids
}

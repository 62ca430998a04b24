import type { Random } from '@vivarium/platform'
import { UsageError } from './options.ts'
import { ToolError } from './tool.ts'

export interface BrokerPlace {
  id: number
  rack: string | null
}

const maxPartitions = 100_000

/**
 * Spreads the replicas of partitions `from`..`from + count − 1` over brokers: first replicas go round the brokers from a
 * random one, further replicas follow at a distance that grows with each round, and no rack is used twice while another
 * has none.
 */
export function assignReplicas(options: {
  brokers: readonly BrokerPlace[]
  from: number
  count: number
  replicationFactor: number
  random: Random
  /** Leads partition 0 already: added partitions go on round the brokers from there. */
  leaderOfFirst?: number | undefined
}): number[][] {
  const { from, count, replicationFactor, random } = options
  const brokers = ring(options.brokers)
  if (count < 1) throw new ToolError('Number of partitions must be larger than 0.')
  if (count > maxPartitions) throw new ToolError(`Number of partitions must be at most ${maxPartitions}.`)
  if (replicationFactor < 1) throw new ToolError('Replication factor must be larger than 0.')
  if (replicationFactor > brokers.length)
    throw new ToolError(
      `Replication factor: ${replicationFactor} larger than available brokers: ${brokers.length}.`,
    )
  const given = brokers.findIndex(({ id }) => id === options.leaderOfFirst)
  const start = given === -1 ? random.below(brokers.length) : given
  const shift = random.below(brokers.length)
  return Array.from({ length: count }, (_, i) => {
    const partition = from + i
    const round = Math.floor(partition / brokers.length)
    return replicasOf(brokers, (start + partition) % brokers.length, shift + round, replicationFactor)
  })
}

function replicasOf(brokers: readonly BrokerPlace[], first: number, shift: number, count: number): number[] {
  const chosen = [brokers[first]!]
  const others = brokers.length - 1
  const candidates = Array.from(
    { length: others },
    (_, j) => brokers[(first + 1 + ((shift + j) % others)) % brokers.length]!,
  )
  while (chosen.length < count) {
    const free = candidates.filter(candidate => !chosen.includes(candidate))
    const racks = new Set(chosen.map(({ rack }) => rack))
    chosen.push(free.find(({ rack }) => rack === null || !racks.has(rack)) ?? free[0]!)
  }
  return chosen.map(({ id }) => id)
}

/** By id; where racks are known, neighbours lie in different racks as far as possible. */
function ring(brokers: readonly BrokerPlace[]): BrokerPlace[] {
  const sorted = [...brokers].sort((a, b) => a.id - b.id)
  const known = sorted.filter(({ rack }) => rack !== null).length
  if (known === 0) return sorted
  if (known < sorted.length)
    throw new ToolError(
      'Not all brokers have rack information for replica rack aware assignment. Give --disable-rack-aware to assign without.',
    )
  const byRack = new Map<string, BrokerPlace[]>()
  for (const broker of sorted) byRack.set(broker.rack!, [...(byRack.get(broker.rack!) ?? []), broker])
  const racks = [...byRack.keys()].sort()
  const result: BrokerPlace[] = []
  for (let depth = 0; result.length < sorted.length; depth++)
    for (const rack of racks) {
      const broker = byRack.get(rack)![depth]
      if (broker !== undefined) result.push(broker)
    }
  return result
}

/** `1:2,2:3`: partitions separated by commas, the brokers of one by colons. Throws UsageError. */
export function parseReplicaAssignment(text: string): number[][] {
  const partitions = text.split(',')
  if (partitions.length > maxPartitions) throw new UsageError(`more than ${maxPartitions} partitions`)
  const assignment = partitions.map((entry, partition) => {
    const brokers = entry.split(':').map(id => {
      if (!/^\d{1,10}$/.test(id.trim())) throw new UsageError(`${entry} is no list of broker ids`)
      return Number(id)
    })
    const repeated = brokers.filter((id, i) => brokers.indexOf(id) !== i)
    if (repeated.length > 0)
      throw new ToolError(
        `Partition replica lists may not contain duplicate entries: ${[...new Set(repeated)].join(',')} in partition ${partition}`,
      )
    return brokers
  })
  const odd = assignment.findIndex(brokers => brokers.length !== assignment[0]!.length)
  if (odd > 0) throw new ToolError(`Partition ${odd} has different replication factor: ${assignment[odd]}`)
  return assignment
}

import { errorCode, listOffsets } from '@vivarium/kafka-protocol'
import type { Cluster } from './cluster.ts'
import { ServerError } from './server-error.ts'

/** What can be asked for besides a time in milliseconds. */
export const latest = -1
export const earliest = -2
export const maxTimestamp = -3

export interface TopicPartition {
  topic: string
  partition: number
}

export function partitionName({ topic, partition }: TopicPartition): string {
  return `${topic}-${partition}`
}

/** Every partition of the topics, by topic and number. Throws ServerError for a topic that does not exist. */
export async function partitionsOf(cluster: Cluster, topics: readonly string[]): Promise<TopicPartition[]> {
  const answer = await cluster.metadata(topics)
  return answer.topics
    .flatMap(({ name, errorCode: code, partitions }) => {
      if (code !== errorCode.NONE && code !== errorCode.LEADER_NOT_AVAILABLE)
        throw new ServerError(
          code,
          code === errorCode.UNKNOWN_TOPIC_OR_PARTITION ? `Topic '${name}' does not exist` : null,
        )
      return partitions.map(({ partitionIndex }) => ({ topic: name!, partition: partitionIndex }))
    })
    .sort(byTopicAndPartition)
}

export function byTopicAndPartition(a: TopicPartition, b: TopicPartition): number {
  return a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1
}

/** Leaders by `topic-partition`; partitions without one are missing. */
export async function leadersOf(cluster: Cluster, topics: Iterable<string>): Promise<Map<string, number>> {
  const { topics: found } = await cluster.metadata([...new Set(topics)])
  const leaders = new Map<string, number>()
  for (const { name, partitions } of found)
    for (const { partitionIndex, leaderId } of partitions)
      if (leaderId >= 0) leaders.set(`${name}-${partitionIndex}`, leaderId)
  return leaders
}

/**
 * The offset at a time (milliseconds, `latest` or `earliest`) in each partition, by `topic-partition`; −1 where no record
 * is so late. Repeated while leaders change.
 */
export async function offsetsAt(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  timestamp: number,
): Promise<Map<string, number>> {
  const offsets = new Map<string, number>()
  if (partitions.length === 0) return offsets
  await cluster.retry(async () => {
    const missing = partitions.filter(partition => !offsets.has(partitionName(partition)))
    const leaders = await leadersOf(
      cluster,
      missing.map(({ topic }) => topic),
    )
    const byLeader = new Map<number, TopicPartition[]>()
    for (const partition of missing) {
      const leader = leaders.get(partitionName(partition))
      if (leader === undefined)
        throw new ServerError(
          errorCode.LEADER_NOT_AVAILABLE,
          `Partition ${partitionName(partition)} has no leader.`,
        )
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), partition])
    }
    for (const [leader, wanted] of byLeader) await askLeader(cluster, leader, wanted, timestamp, offsets)
  })
  return offsets
}

async function askLeader(
  cluster: Cluster,
  leader: number,
  partitions: readonly TopicPartition[],
  timestamp: number,
  into: Map<string, number>,
): Promise<void> {
  const topics = Map.groupBy(partitions, ({ topic }) => topic)
  const answer = await cluster.broker(leader, listOffsets, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [...topics].map(([name, list]) => ({
      name,
      partitions: list.map(({ partition }) => ({
        partitionIndex: partition,
        currentLeaderEpoch: -1,
        timestamp,
      })),
    })),
    timeoutMs: cluster.options.requestTimeoutMs,
  })
  let refused: ServerError | null = null
  for (const { name, partitions: results } of answer.topics)
    for (const { partitionIndex, errorCode: code, offset } of results) {
      if (code === errorCode.NONE) into.set(`${name}-${partitionIndex}`, offset)
      else refused = new ServerError(code)
    }
  if (refused !== null) throw refused
}

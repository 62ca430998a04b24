import { errorCode, offsetFetch } from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import { splitPartition } from '../groups/coordinator.ts'
import { storedOffset } from '../groups/zookeeper-offsets.ts'
import { handler } from './handler.ts'

type Asked = readonly { name: string; partitionIndexes: readonly number[] }[] | null

const firstVersionWithGroups = 8

/** How far a group has read; null topics ask for all there are. */
export default handler(offsetFetch, [0, 9], async (request, { apiVersion }, broker) => {
  if (apiVersion === 0) return { topics: await oldOffsetsOf(broker, request.groupId, request.topics ?? []) }
  if (apiVersion >= firstVersionWithGroups) {
    return {
      groups: request.groups.map(({ groupId, topics }) => ({
        groupId,
        ...offsetsOf(broker, groupId, topics),
      })),
    }
  }
  const { errorCode: code, topics } = offsetsOf(broker, request.groupId, request.topics)
  // Before version 2 an error stands with each partition alone.
  const partitionError = apiVersion < 2 ? code : errorCode.NONE
  return {
    errorCode: code,
    topics: topics.map(topic => ({
      ...topic,
      partitions: topic.partitions.map(p => ({ ...p, errorCode: partitionError })),
    })),
  }
})

/** Version 0 asks for what OffsetCommit 0 kept in ZooKeeper; a partition without is unknown. */
function oldOffsetsOf(broker: Broker, groupId: string, asked: NonNullable<Asked>) {
  return Promise.all(
    asked.map(async ({ name, partitionIndexes }) => ({
      name,
      partitions: await Promise.all(
        partitionIndexes.map(async partitionIndex => {
          const isKnown = broker.metadata.partition(name, partitionIndex) !== null
          const offset = isKnown ? await storedOffset(broker, groupId, name, partitionIndex) : null
          if (offset === null)
            return { ...absent(partitionIndex), errorCode: errorCode.UNKNOWN_TOPIC_OR_PARTITION as number }
          return { ...absent(partitionIndex), committedOffset: offset }
        }),
      ),
    })),
  )
}

function offsetsOf(broker: Broker, groupId: string, asked: Asked) {
  const stored = broker.groups.offsets(groupId)
  if (typeof stored === 'number')
    return {
      errorCode: stored,
      topics: (asked ?? []).map(topic => ({
        name: topic.name,
        partitions: topic.partitionIndexes.map(absent),
      })),
    }
  const topics = (asked ?? allOf(stored.keys())).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map(partitionIndex => {
      const commit = stored.get(`${name} ${partitionIndex}`)
      if (commit === undefined) return absent(partitionIndex)
      return {
        partitionIndex,
        committedOffset: commit.offset,
        committedLeaderEpoch: commit.leaderEpoch,
        metadata: commit.metadata,
        errorCode: errorCode.NONE as number,
      }
    }),
  }))
  return { errorCode: errorCode.NONE as number, topics }
}

function absent(partitionIndex: number) {
  return {
    partitionIndex,
    committedOffset: -1,
    committedLeaderEpoch: -1,
    metadata: '',
    errorCode: errorCode.NONE as number,
  }
}

function allOf(keys: Iterable<string>): { name: string; partitionIndexes: number[] }[] {
  const topics = new Map<string, number[]>()
  for (const { topic, partition } of [...keys].map(splitPartition))
    topics.set(topic, [...(topics.get(topic) ?? []), partition])
  return [...topics].map(([name, partitionIndexes]) => ({ name, partitionIndexes }))
}

import { errorCode, listOffsets } from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import { handler } from './handler.ts'

const latest = -1
const earliest = -2
const maxTimestamp = -3
const earliestLocal = -4

interface Found {
  errorCode: number
  offset: number
  timestamp: number
  leaderEpoch: number
}

const nothing: Found = { errorCode: errorCode.NONE, offset: -1, timestamp: -1, leaderEpoch: -1 }

/** Where a log begins, ends, or first reaches a time. */
export default handler(listOffsets, [1, 9], async (request, { apiVersion }, broker) => ({
  topics: await Promise.all(
    request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map(async ({ partitionIndex, currentLeaderEpoch, timestamp }) => {
          const { leaderEpoch, ...found } = await find(broker, name, partitionIndex, {
            currentLeaderEpoch,
            timestamp,
            replicaId: request.replicaId,
            apiVersion,
          })
          // Before version 4 there is no field for the epoch.
          return { partitionIndex, ...found, ...(apiVersion >= 4 ? { leaderEpoch } : {}) }
        }),
      ),
    })),
  ),
}))

async function find(
  broker: Broker,
  topic: string,
  index: number,
  {
    currentLeaderEpoch,
    timestamp,
    replicaId,
    apiVersion,
  }: { currentLeaderEpoch: number; timestamp: number; replicaId: number; apiVersion: number },
): Promise<Found> {
  const partition = broker.replicas.partition(topic, index)
  if (partition === null || !partition.isLeader) {
    const isKnown = broker.metadata.partition(topic, index) !== null
    return {
      ...nothing,
      errorCode: isKnown ? errorCode.NOT_LEADER_OR_FOLLOWER : errorCode.UNKNOWN_TOPIC_OR_PARTITION,
    }
  }
  const epochError = partition.checkEpoch(currentLeaderEpoch)
  if (epochError !== errorCode.NONE) return { ...nothing, errorCode: epochError }
  const { log } = partition
  const end = replicaId >= 0 ? log.logEndOffset : partition.highWatermark
  const at = (offset: number, timestampMs: number): Found => ({
    errorCode: errorCode.NONE,
    offset,
    timestamp: timestampMs,
    leaderEpoch: log.leaderEpochs.epochOf(offset),
  })
  // A new leader may not know yet how far consumers had come: telling them less would send them back.
  const isEndKnown = replicaId >= 0 || partition.isHighWatermarkKnown
  const notYet = {
    ...nothing,
    errorCode: apiVersion >= 5 ? errorCode.OFFSET_NOT_AVAILABLE : errorCode.LEADER_NOT_AVAILABLE,
  }
  switch (timestamp) {
    case earliest:
    case earliestLocal:
      return at(log.logStartOffset, -1)
    case latest:
      return isEndKnown ? { ...at(end, -1), leaderEpoch: partition.leaderEpoch } : notYet
    case maxTimestamp: {
      const found = await log.offsetOfMaxTimestamp()
      return found === null || found.offset >= end ? nothing : at(found.offset, found.timestampMs)
    }
    default: {
      if (timestamp < 0) return nothing
      const found = await log.offsetForTimestamp(timestamp)
      if (found !== null && found.offset < end) return at(found.offset, found.timestampMs)
      return isEndKnown ? nothing : notYet
    }
  }
}

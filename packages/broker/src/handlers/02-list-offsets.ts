import { errorCode, type ListOffsetsRequest, listOffsets } from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import { handler } from './handler.ts'

const latest = -1
const earliest = -2
const maxTimestamp = -3
const earliestLocal = -4
const latestTiered = -5
/** Times that stand for something else, and the versions from which on they do. */
const firstVersionOf = new Map([
  [latest, 0],
  [earliest, 0],
  [maxTimestamp, 7],
  [earliestLocal, 8],
  [latestTiered, 9],
])

interface Found {
  errorCode: number
  offset: number
  timestamp: number
  leaderEpoch: number
}

const nothing: Found = { errorCode: errorCode.NONE, offset: -1, timestamp: -1, leaderEpoch: -1 }

/** Where a log begins, ends, or first reaches a time. */
export default handler(listOffsets, [0, 9], async (request, { apiVersion }, broker) => {
  if (apiVersion === 0) return { topics: boundsOf(broker, request) }
  return { topics: await offsetsOf(broker, request, apiVersion) }
})

function offsetsOf(broker: Broker, request: ListOffsetsRequest, apiVersion: number) {
  return Promise.all(
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
  )
}

/** Version 0 asks for bounds of segments, newest first, from the last one not younger than the time. */
function boundsOf(broker: Broker, request: ListOffsetsRequest) {
  return request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex, timestamp, maxNumOffsets }) => {
      const partition = broker.replicas.partition(name, partitionIndex)
      if (partition === null || !partition.isLeader)
        return { partitionIndex, errorCode: absenceError(broker, name, partitionIndex), oldStyleOffsets: [] }
      const bounds = partition.log.segmentBounds()
      const found =
        timestamp === latest
          ? bounds
          : timestamp === earliest
            ? bounds.slice(-1)
            : bounds.filter(bound => bound.timestampMs <= timestamp)
      const end = request.replicaId >= 0 ? partition.log.logEndOffset : partition.highWatermark
      const offsets = found.map(({ offset }) => Math.min(offset, end)).slice(0, Math.max(0, maxNumOffsets))
      return { partitionIndex, errorCode: errorCode.NONE as number, oldStyleOffsets: offsets }
    }),
  }))
}

function absenceError(broker: Broker, topic: string, index: number): number {
  const isKnown = broker.metadata.partition(topic, index) !== null
  return isKnown ? errorCode.NOT_LEADER_OR_FOLLOWER : errorCode.UNKNOWN_TOPIC_OR_PARTITION
}

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
  if (timestamp < 0 && apiVersion < (firstVersionOf.get(timestamp) ?? Number.POSITIVE_INFINITY))
    return { ...nothing, errorCode: errorCode.UNSUPPORTED_VERSION }
  const partition = broker.replicas.partition(topic, index)
  if (partition === null || !partition.isLeader)
    return { ...nothing, errorCode: absenceError(broker, topic, index) }
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
    // Nothing is ever moved to a remote tier.
    case latestTiered:
      return nothing
    default: {
      const found = await log.offsetForTimestamp(timestamp)
      if (found !== null && found.offset < end) return at(found.offset, found.timestampMs)
      return isEndKnown ? nothing : notYet
    }
  }
}

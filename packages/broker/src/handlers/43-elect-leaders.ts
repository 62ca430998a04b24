import { electLeaders, errorCode, errorName } from '@vivarium/kafka-protocol'
import { metadataReached } from '../metadata/topic-creation.ts'
import { handler } from './handler.ts'

const unclean = 1

/** Elects preferred leaders, or leaders at any price (KIP-183, KIP-460). Only the controller does. */
export default handler(electLeaders, [0, 2], async (request, { apiVersion }, broker) => {
  const isUnclean = apiVersion >= 1 && request.electionType === unclean
  const asked =
    request.topicPartitions?.flatMap(({ topic, partitions }) =>
      partitions.map(index => ({ topic, index })),
    ) ?? null
  const outcomes = await broker.controller.electLeaders(asked, isUnclean)
  if (outcomes === null) {
    if (apiVersion >= 1) return { errorCode: errorCode.NOT_CONTROLLER }
    // The oldest version has only the partitions to tell it by.
    const entry = (partitionId: number) => ({
      partitionId,
      errorCode: errorCode.NOT_CONTROLLER,
      errorMessage: null,
    })
    return {
      replicaElectionResults: (request.topicPartitions ?? []).map(({ topic, partitions }) => ({
        topic,
        partitionResult: partitions.map(entry),
      })),
    }
  }
  const elected = outcomes.filter(one => one.errorCode === errorCode.NONE)
  const isVisible = () =>
    elected.every(({ topic, index }) => {
      const partition = broker.metadata.partition(topic, index)
      return isUnclean ? (partition?.leader ?? -1) >= 0 : partition?.leader === partition?.replicas[0]
    })
  const isDone = await metadataReached(broker, isVisible, request.timeoutMs)
  const topics = new Map<string, { partitionId: number; errorCode: number; errorMessage: string | null }[]>()
  for (const { topic, index, errorCode: code } of outcomes) {
    // Of all partitions only those are told that needed something.
    if (asked === null && code === errorCode.ELECTION_NOT_NEEDED) continue
    const late = code === errorCode.NONE && !isDone ? errorCode.REQUEST_TIMED_OUT : code
    const entry = {
      partitionId: index,
      errorCode: late,
      errorMessage: late === errorCode.NONE ? null : errorName(late),
    }
    const list = topics.get(topic)
    if (list === undefined) topics.set(topic, [entry])
    else list.push(entry)
  }
  return {
    replicaElectionResults: [...topics].map(([topic, partitionResult]) => ({ topic, partitionResult })),
  }
})

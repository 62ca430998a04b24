import { alterPartition, errorCode } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** A leader asks the controller for another set of in-sync replicas (KIP-497). */
export default handler(alterPartition, [0, 3], async (request, { apiVersion }, broker) => {
  const answer = await broker.controller.alterPartitions(request, apiVersion)
  if (answer === null) return { errorCode: errorCode.NOT_CONTROLLER }
  const topics = new Map<string, { topicName: string; topicId: string; partitions: object[] }>()
  for (const { topicName, topicId, partitionIndex, errorCode: code, leadership } of answer.outcomes) {
    const key = `${topicName} ${topicId}`
    let topic = topics.get(key)
    if (topic === undefined) {
      topic = { topicName, topicId, partitions: [] }
      topics.set(key, topic)
    }
    topic.partitions.push({
      partitionIndex,
      errorCode: code,
      ...(leadership === null
        ? {}
        : {
            leaderId: leadership.leader,
            leaderEpoch: leadership.leaderEpoch,
            isr: [...leadership.isr],
            leaderRecoveryState: leadership.leaderRecoveryState,
            partitionEpoch: leadership.partitionEpoch,
          }),
    })
  }
  return { errorCode: answer.errorCode, topics: [...topics.values()] }
})

import { leaderAndIsr } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

const firstVersionByTopic = 5

/** The controller gives this broker's replicas their roles. */
export default handler(leaderAndIsr, [0, 7], async (request, { apiVersion }, broker) => {
  const { errorCode, partitionErrors, topics } = await broker.replicas.applyLeaderAndIsr(request)
  if (apiVersion < firstVersionByTopic) return { errorCode, partitionErrors }
  const bare = topics.map(topic => ({
    ...topic,
    partitionErrors: topic.partitionErrors.map(({ partitionIndex, errorCode: code }) => ({
      partitionIndex,
      errorCode: code,
    })),
  }))
  return { errorCode, topics: bare }
})

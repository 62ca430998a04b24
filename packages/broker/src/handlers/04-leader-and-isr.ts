import { leaderAndIsr } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** The controller gives this broker's replicas their roles. */
export default handler(leaderAndIsr, [0, 7], async (request, { apiVersion }, broker) => {
  const { errorCode, topics, partitionErrors } = await broker.replicas.applyLeaderAndIsr(request)
  // Version 5 names topics by their ids.
  return apiVersion >= 5 ? { errorCode, topics } : { errorCode, partitionErrors }
})

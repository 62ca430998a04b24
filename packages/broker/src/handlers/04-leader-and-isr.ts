import { leaderAndIsr } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** The controller gives this broker's replicas their roles. */
export default handler(leaderAndIsr, [0, 7], (request, _context, broker) =>
  broker.replicas.applyLeaderAndIsr(request),
)

import { stopReplica } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** The controller takes replicas off this broker. */
export default handler(stopReplica, [0, 4], (request, _context, broker) =>
  broker.replicas.stopReplicas(request),
)

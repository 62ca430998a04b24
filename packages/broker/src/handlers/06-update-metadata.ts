import { errorCode, updateMetadata } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** The controller says what the cluster looks like. */
export default handler(updateMetadata, [0, 8], (request, _context, broker) => {
  const stale = broker.replicas.checkController(request.controllerEpoch, request.brokerEpoch)
  if (stale !== errorCode.NONE) return { errorCode: stale }
  for (const { topic } of broker.metadata.update(request)) {
    // A namesake must not inherit anything.
    if (broker.metadata.topic(topic) === null) broker.configs.forgetTopic(topic)
  }
  return { errorCode: errorCode.NONE }
})

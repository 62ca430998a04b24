import { errorCode, initProducerId } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** A number for an idempotent producer. Transactional ids are refused: their coordinator is not there yet. */
export default handler(initProducerId, [0, 5], async (request, _context, broker) => {
  if (request.transactionalId !== null) {
    const code =
      request.transactionalId === ''
        ? errorCode.INVALID_REQUEST
        : errorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    return { errorCode: code, producerId: -1, producerEpoch: -1 }
  }
  try {
    return { errorCode: errorCode.NONE, producerId: await broker.producerIds.next(), producerEpoch: 0 }
  } catch (error) {
    broker.log
      .named('kafka.coordinator.transaction.ProducerIdManager')
      .warn('No producer id could be given out', error)
    return { errorCode: errorCode.COORDINATOR_NOT_AVAILABLE, producerId: -1, producerEpoch: -1 }
  }
})

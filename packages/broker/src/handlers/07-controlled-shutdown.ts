import { controlledShutdown, errorCode } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** A broker that is about to stop asks the controller to take its leaderships. */
export default handler(controlledShutdown, [0, 3], async (request, _context, broker) => {
  const answer = await broker.controller.shutDownBroker(request.brokerId, request.brokerEpoch)
  if (answer === null) return { errorCode: errorCode.NOT_CONTROLLER }
  return {
    errorCode: answer.errorCode,
    remainingPartitions: answer.remaining.map(({ topic, index }) => ({
      topicName: topic,
      partitionIndex: index,
    })),
  }
})

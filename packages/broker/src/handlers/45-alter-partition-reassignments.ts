import { alterPartitionReassignments, errorCode } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** Moves partitions to other brokers, or ends that (KIP-455). Only the controller does. */
export default handler(alterPartitionReassignments, [0, 0], async (request, _context, broker) => {
  if (!broker.controller.isActive) return { errorCode: errorCode.NOT_CONTROLLER, errorMessage: null }
  const responses = []
  for (const { name, partitions } of request.topics) {
    const results = []
    for (const { partitionIndex, replicas } of partitions) {
      const answer = await broker.controller.reassign(name, partitionIndex, replicas)
      results.push({
        partitionIndex,
        errorCode: answer?.errorCode ?? errorCode.NOT_CONTROLLER,
        errorMessage: answer?.message ?? null,
      })
    }
    responses.push({ name, partitions: results })
  }
  return { errorCode: errorCode.NONE, errorMessage: null, responses }
})

import { errorCode, listPartitionReassignments } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** Partitions that are being moved (KIP-455). Only the controller knows. */
export default handler(listPartitionReassignments, [0, 0], (request, _context, broker) => {
  const moving = broker.controller.reassignments()
  if (moving === null) return { errorCode: errorCode.NOT_CONTROLLER, errorMessage: null }
  const topics = new Map<string, object[]>()
  for (const { topic, index, replicas, adding, removing } of moving) {
    const isAsked =
      request.topics === null ||
      request.topics.some(one => one.name === topic && one.partitionIndexes.includes(index))
    if (!isAsked) continue
    const entry = {
      partitionIndex: index,
      replicas: [...replicas],
      addingReplicas: [...adding],
      removingReplicas: [...removing],
    }
    const list = topics.get(topic)
    if (list === undefined) topics.set(topic, [entry])
    else list.push(entry)
  }
  return {
    errorCode: errorCode.NONE,
    errorMessage: null,
    topics: [...topics].map(([name, partitions]) => ({ name, partitions })),
  }
})

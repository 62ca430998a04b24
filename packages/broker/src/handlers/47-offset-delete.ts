import { errorCode, offsetDelete } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** Removes committed offsets of a group that does not read those topics (now). */
export default handler(offsetDelete, [0, 0], async (request, _context, broker) => {
  const group = broker.groups.group(request.groupId, errorCode.GROUP_ID_NOT_FOUND)
  if (typeof group === 'number') return { errorCode: group }
  // What an active group reads is known to its members alone: their offsets stay.
  if (group.state !== 'Empty') return { errorCode: errorCode.NON_EMPTY_GROUP }
  const partitions = request.topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex }) => ({ topic: name, partition: partitionIndex })),
  )
  const code = await broker.groups.deleteOffsets(request.groupId, partitions)
  return {
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: code })),
    })),
  }
})

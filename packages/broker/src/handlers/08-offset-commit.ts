import { errorCode, offsetCommit } from '@vivarium/kafka-protocol'
import { storeOffset } from '../groups/zookeeper-offsets.ts'
import { handler } from './handler.ts'

/** Stores how far a group has read: in `__consumer_offsets`, or (version 0) in ZooKeeper. */
export default handler(offsetCommit, [0, 9], async (request, { apiVersion }, broker) => {
  const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch: generation } = request
  const maxMetadataBytes = broker.settings.values['offset.metadata.max.bytes']!
  const isOld = apiVersion === 0
  const refused = isOld ? errorCode.NONE : checkSender()
  const accepted: {
    topic: string
    partition: number
    offset: number
    leaderEpoch: number
    metadata: string
  }[] = []
  const errors = new Map<string, number>()
  for (const { name, partitions } of request.topics) {
    for (const { partitionIndex, committedOffset, committedLeaderEpoch, committedMetadata } of partitions) {
      const metadata = committedMetadata ?? ''
      const key = `${name} ${partitionIndex}`
      if (refused !== errorCode.NONE) errors.set(key, refused)
      else if (broker.metadata.partition(name, partitionIndex) === null)
        errors.set(key, errorCode.UNKNOWN_TOPIC_OR_PARTITION)
      else if (Buffer.byteLength(metadata) > maxMetadataBytes)
        errors.set(key, errorCode.OFFSET_METADATA_TOO_LARGE)
      else
        accepted.push({
          topic: name,
          partition: partitionIndex,
          offset: committedOffset,
          leaderEpoch: committedLeaderEpoch,
          metadata,
        })
    }
  }
  let stored: number = errorCode.NONE
  if (isOld) {
    for (const { topic, partition, offset } of accepted)
      errors.set(`${topic} ${partition}`, await storeOffset(broker, groupId, topic, partition, offset))
  } else if (accepted.length > 0) {
    stored = await broker.groups.commit(groupId, accepted)
  }
  return {
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode: errors.get(`${name} ${partitionIndex}`) ?? stored,
      })),
    })),
  }

  function checkSender(): number {
    const group = broker.groups.group(groupId, errorCode.GROUP_ID_NOT_FOUND)
    if (typeof group !== 'number')
      return group.checkCommit(memberId, groupInstanceId, generation, broker.clock.monotonicMs())
    // A consumer that assigns itself partitions may commit for a group nobody has joined.
    if (group === errorCode.GROUP_ID_NOT_FOUND)
      return generation < 0 ? errorCode.NONE : errorCode.ILLEGAL_GENERATION
    return group
  }
})

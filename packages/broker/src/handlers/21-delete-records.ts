import { deleteRecords, errorCode } from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import { handler } from './handler.ts'

const internalTopics = new Set(['__consumer_offsets', '__transaction_state'])

/** Raises the start of logs; followers learn of it with their next fetch. */
export default handler(deleteRecords, [0, 2], async (request, _context, broker) => ({
  topics: await Promise.all(
    request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map(async ({ partitionIndex, offset }) => ({
          partitionIndex,
          ...(await deleteBefore(broker, name, partitionIndex, offset)),
        })),
      ),
    })),
  ),
}))

async function deleteBefore(
  broker: Broker,
  topic: string,
  index: number,
  offset: number,
): Promise<{ lowWatermark: number; errorCode: number }> {
  const refuse = (code: number) => ({ lowWatermark: -1, errorCode: code })
  if (internalTopics.has(topic)) return refuse(errorCode.INVALID_TOPIC_EXCEPTION)
  const partition = broker.replicas.partition(topic, index)
  if (partition === null || !partition.isLeader) {
    return refuse(
      broker.metadata.partition(topic, index) === null
        ? errorCode.UNKNOWN_TOPIC_OR_PARTITION
        : errorCode.NOT_LEADER_OR_FOLLOWER,
    )
  }
  if (!partition.log.config.cleanupPolicy.includes('delete')) return refuse(errorCode.POLICY_VIOLATION)
  const target = offset === -1 ? partition.highWatermark : offset
  if (target < 0 || target > partition.highWatermark) return refuse(errorCode.OFFSET_OUT_OF_RANGE)
  await partition.log.deleteRecordsBefore(target)
  return { lowWatermark: partition.log.logStartOffset, errorCode: errorCode.NONE }
}

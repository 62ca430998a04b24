import { errorCode, offsetForLeaderEpoch } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** Where a leader epoch ended in this leader's log: how a reader finds out that its records are not (KIP-101, KIP-320). */
export default handler(offsetForLeaderEpoch, [0, 4], (request, _context, broker) => ({
  topics: request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition: index, currentLeaderEpoch, leaderEpoch }) => {
      const none = { partition: index, leaderEpoch: -1, endOffset: -1 }
      const partition = broker.replicas.partition(topic, index)
      if (partition === null || !partition.isLeader) {
        const isKnown = broker.metadata.partition(topic, index) !== null
        return {
          ...none,
          errorCode: isKnown ? errorCode.NOT_LEADER_OR_FOLLOWER : errorCode.UNKNOWN_TOPIC_OR_PARTITION,
        }
      }
      const error = partition.checkEpoch(currentLeaderEpoch)
      if (error !== errorCode.NONE) return { ...none, errorCode: error }
      const end = partition.log.leaderEpochs.endOffsetFor(leaderEpoch, partition.log.logEndOffset)
      return { partition: index, errorCode: errorCode.NONE, leaderEpoch: end.epoch, endOffset: end.endOffset }
    }),
  })),
}))

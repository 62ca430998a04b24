import { describeLogDirs, errorCode } from '@vivarium/kafka-protocol'
import { handler } from './handler.ts'

/** How much each partition takes in each of this broker's folders (KIP-113). */
export default handler(describeLogDirs, [0, 4], (request, _context, broker) => {
  const asked =
    request.topics === null
      ? null
      : new Map(request.topics.map(({ topic, partitions }) => [topic, new Set(partitions)]))
  const results = [...broker.replicas.directories()].map(directory => {
    const topics = new Map<string, { partitionIndex: number; partitionSize: number; offsetLag: number }[]>()
    for (const log of directory.partitions()) {
      if (asked !== null && asked.get(log.topic)?.has(log.partition) !== true) continue
      const replica = broker.replicas.partition(log.topic, log.partition)
      const highWatermark = replica?.highWatermark ?? log.logEndOffset
      const entry = {
        partitionIndex: log.partition,
        partitionSize: log.sizeBytes,
        offsetLag: Math.max(0, highWatermark - log.logEndOffset),
      }
      const list = topics.get(log.topic)
      if (list === undefined) topics.set(log.topic, [entry])
      else list.push(entry)
    }
    return {
      errorCode: errorCode.NONE,
      logDir: directory.path,
      topics: [...topics].map(([name, partitions]) => ({ name, partitions })),
    }
  })
  return { results }
})

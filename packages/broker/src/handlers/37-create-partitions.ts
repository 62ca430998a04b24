import { type CreatePartitionsRequest, createPartitions, errorCode } from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import { assignReplicas } from '../metadata/replica-assignment.ts'
import { assignmentProblem, metadataReached, placed, type Refusal } from '../metadata/topic-creation.ts'
import { paths, readTopic, writeTopic } from '../metadata/zookeeper-layout.ts'
import { isCode, zooKeeperErrorCode as znode } from '../metadata/zookeeper-session.ts'
import { handler } from './handler.ts'

/** Adds partitions to topics. Only the controller does. */
export default handler(createPartitions, [0, 3], async (request, _context, broker) => {
  const names = request.topics.map(({ name }) => name)
  const deadlineMs = broker.clock.monotonicMs() + request.timeoutMs
  const asked = request.topics.filter(({ name }, at) => names.indexOf(name) === at)
  const results = await Promise.all(
    asked.map(async topic => {
      const { name } = topic
      let refusal: Refusal | null
      if (!broker.controller.isActive) refusal = { code: errorCode.NOT_CONTROLLER, message: '' }
      else if (names.indexOf(name) !== names.lastIndexOf(name)) {
        refusal = { code: errorCode.INVALID_REQUEST, message: 'Duplicate topic in request.' }
      } else refusal = await grow(broker, topic, request.validateOnly)
      if (refusal === null && !request.validateOnly) {
        const isReady = () => (broker.metadata.partition(name, topic.count - 1)?.leader ?? -1) >= 0
        const leftMs = request.timeoutMs <= 0 ? 0 : deadlineMs - broker.clock.monotonicMs()
        if (!(await metadataReached(broker, isReady, leftMs))) {
          refusal = { code: errorCode.REQUEST_TIMED_OUT, message: 'The partitions are not ready yet.' }
        }
      }
      return { name, errorCode: refusal?.code ?? errorCode.NONE, errorMessage: refusal?.message || null }
    }),
  )
  return { results }
})

async function grow(
  broker: Broker,
  wanted: CreatePartitionsRequest['topics'][number],
  isOnlyAsked: boolean,
): Promise<Refusal | null> {
  const { name, count, assignments } = wanted
  const found = await broker.zookeeper.read(paths.topic(name))
  if (found === null || broker.controller.isDeleting(name)) {
    return { code: errorCode.UNKNOWN_TOPIC_OR_PARTITION, message: `The topic '${name}' does not exist.` }
  }
  const topic = readTopic(name, found.data)
  const present = topic.partitions.size
  const moving = [...topic.partitions.values()].some(one => one.adding.length + one.removing.length > 0)
  if (moving) {
    return {
      code: errorCode.REASSIGNMENT_IN_PROGRESS,
      message: `A partition reassignment is in progress for ${name}.`,
    }
  }
  if (count <= present) {
    return {
      code: errorCode.INVALID_PARTITIONS,
      message:
        count === present
          ? `Topic already has ${present} partitions.`
          : `Topic currently has ${present} partitions, which is higher than the requested ${count}.`,
    }
  }
  const first = topic.partitions.get(0)?.replicas ?? []
  const brokers = broker.metadata.liveBrokers()
  let lists: readonly (readonly number[])[]
  if (assignments !== null) {
    lists = assignments.map(({ brokerIds }) => brokerIds)
    if (lists.length !== count - present) {
      const message = `Increasing the number of partitions by ${count - present} but ${lists.length} assignments provided.`
      return { code: errorCode.INVALID_REPLICA_ASSIGNMENT, message }
    }
    const problem = assignmentProblem(broker, lists, first.length)
    if (problem !== null) return problem
  } else {
    const index = Math.max(
      0,
      brokers.findIndex(({ id }) => id >= first[0]!),
    )
    const start = { firstIndex: index, shift: index, firstPartition: present }
    const spread = placed(() => assignReplicas(brokers, count - present, first.length, start))
    if ('code' in spread) return spread
    lists = spread
  }
  if (isOnlyAsked) return null
  const partitions = new Map(topic.partitions)
  for (const [at, replicas] of lists.entries()) {
    partitions.set(present + at, { replicas, adding: [], removing: [] })
  }
  try {
    const data = writeTopic({ topicId: topic.topicId, partitions })
    await broker.zookeeper.setData(paths.topic(name), data, found.stat.version)
    return null
  } catch (error) {
    if (!isCode(error, znode.BADVERSION) && !isCode(error, znode.NONODE)) throw error
    // Somebody changed the topic in between; it may have been this request, sent twice over a lost connection.
    const now = await broker.zookeeper.read(paths.topic(name))
    if (now !== null && readTopic(name, now.data).partitions.size === count) return null
    return {
      code: errorCode.INVALID_UPDATE_VERSION,
      message: `Topic ${name} was changed meanwhile; try again.`,
    }
  }
}

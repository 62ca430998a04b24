import { errorCode, metadata, ZERO_UUID } from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import { autoCreateTopic } from '../metadata/topic-creation.ts'
import { internalTopics, topicNameProblem } from '../metadata/topic-names.ts'
import { handler, type RequestContext } from './handler.ts'

/** Bits of the operations a topic and the cluster know, all allowed while there is no authorizer. */
export const topicOperations = 0b1101_1111_1000
export const clusterOperations = 0b1_1111_1010_0000

/** Who is there, and who leads what; may create topics that are asked for (KIP-204, KIP-516). */
export default handler(metadata, [0, 12], async (request, context, broker) => {
  const { apiVersion } = context
  const wantsAll = request.topics === null || (apiVersion === 0 && request.topics.length === 0)
  const invalid = apiVersion < 12 && request.topics?.some(isUnreadable) === true
  const asked = wantsAll
    ? [...broker.metadata.topics()].map(name => ({ name, topicId: ZERO_UUID }))
    : request.topics!
  const topics = []
  const seen = new Set<string>()
  for (const { name, topicId } of asked) {
    const key = name ?? topicId
    if (seen.has(key)) continue
    seen.add(key)
    if (invalid) topics.push(missing(name, ZERO_UUID, errorCode.INVALID_REQUEST))
    else if (name === null || topicId !== ZERO_UUID) topics.push(byId(broker, context, topicId, request))
    else topics.push(await byName(broker, context, name, request))
  }
  return {
    brokers: broker.metadata
      .brokers(context.listenerName)
      .map(({ id, host, port, rack }) => ({ nodeId: id, host, port, rack })),
    clusterId: broker.clusterId,
    controllerId: broker.metadata.controllerId ?? -1,
    topics,
    ...(apiVersion <= 10 && request.includeClusterAuthorizedOperations
      ? { clusterAuthorizedOperations: clusterOperations }
      : {}),
  }
})

type Request = { allowAutoTopicCreation: boolean; includeTopicAuthorizedOperations: boolean }

/** Before version 12 topics could only be asked for by name. */
function isUnreadable({ name, topicId }: { name: string | null; topicId: string }): boolean {
  return name === null || topicId !== ZERO_UUID
}

function missing(name: string | null, topicId: string, code: number) {
  return {
    errorCode: code,
    name,
    topicId,
    isInternal: name !== null && internalTopics.has(name),
    partitions: [] as ReturnType<typeof partitionOf>[],
  }
}

function byId(broker: Broker, context: RequestContext, topicId: string, request: Request) {
  const name = broker.metadata.topicName(topicId)
  if (name === null) return missing(null, topicId, errorCode.UNKNOWN_TOPIC_ID)
  return known(broker, context, name, request)
}

async function byName(broker: Broker, context: RequestContext, name: string, request: Request) {
  if (broker.metadata.topic(name) !== null) return known(broker, context, name, request)
  if (topicNameProblem(name) !== null) return missing(name, ZERO_UUID, errorCode.INVALID_TOPIC_EXCEPTION)
  // Before version 4 a client could not say that it does not want this.
  const mayCreate = context.apiVersion < 4 || request.allowAutoTopicCreation
  if (!mayCreate || !broker.settings.values['auto.create.topics.enable']) {
    return missing(name, ZERO_UUID, errorCode.UNKNOWN_TOPIC_OR_PARTITION)
  }
  return missing(name, ZERO_UUID, await autoCreateTopic(broker, name))
}

function known(broker: Broker, context: RequestContext, name: string, request: Request) {
  const { topicId, partitions } = broker.metadata.topic(name)!
  return {
    errorCode: errorCode.NONE,
    name,
    topicId,
    isInternal: internalTopics.has(name),
    partitions: [...partitions.keys()]
      .sort((a, b) => a - b)
      .map(index => partitionOf(broker, context, name, index)),
    ...(context.apiVersion >= 8 && request.includeTopicAuthorizedOperations
      ? { topicAuthorizedOperations: topicOperations }
      : {}),
  }
}

function partitionOf(broker: Broker, context: RequestContext, topic: string, index: number) {
  const { metadata: cache } = broker
  const { leader, leaderEpoch, isr, replicas, offlineReplicas } = cache.partition(topic, index)!
  const isThere = (id: number) => cache.broker(id, context.listenerName) !== null
  const isOld = context.apiVersion === 0
  const partition = {
    errorCode: errorCode.NONE as number,
    partitionIndex: index,
    leaderId: leader,
    leaderEpoch,
    replicaNodes: isOld ? replicas.filter(isThere) : [...replicas],
    isrNodes: isOld ? isr.filter(isThere) : [...isr],
    offlineReplicas: [...offlineReplicas],
  }
  if (!isThere(leader)) {
    partition.leaderId = -1
    partition.errorCode =
      cache.isAlive(leader) && context.apiVersion >= 6
        ? errorCode.LISTENER_NOT_FOUND
        : errorCode.LEADER_NOT_AVAILABLE
  } else if (partition.replicaNodes.length < replicas.length || partition.isrNodes.length < isr.length) {
    partition.errorCode = errorCode.REPLICA_NOT_AVAILABLE
  }
  return partition
}

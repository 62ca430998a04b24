import {
  createPartitions,
  createTopics,
  deleteTopics,
  describeConfigs,
  errorCode,
  listPartitionReassignments,
  type MetadataResponse,
  ZERO_UUID,
} from '@vivarium/kafka-protocol'
import type { Cluster } from './cluster.ts'
import { check, ServerError } from './server-error.ts'
import { ToolError } from './tool.ts'
import type { PartitionDescription, TopicDescription } from './topic-description.ts'

export const topicResource = 2
const defaultConfigSource = 5

export interface NewTopic {
  name: string
  /** −1: as the brokers' settings say. */
  partitions: number
  replicationFactor: number
  assignment: readonly (readonly number[])[] | null
  configs: ReadonlyMap<string, string>
}

export async function createTopic(cluster: Cluster, topic: NewTopic): Promise<void> {
  const { name, partitions, replicationFactor, assignment, configs } = topic
  const answer = await cluster.controller(
    createTopics,
    {
      topics: [
        {
          name,
          numPartitions: assignment === null ? partitions : -1,
          replicationFactor: assignment === null ? replicationFactor : -1,
          assignments: (assignment ?? []).map((brokerIds, partitionIndex) => ({
            partitionIndex,
            brokerIds: [...brokerIds],
          })),
          configs: [...configs].map(([key, value]) => ({ name: key, value })),
        },
      ],
      timeoutMs: cluster.options.requestTimeoutMs,
      validateOnly: false,
    },
    ({ topics }) => topics.map(outcome => outcome.errorCode),
  )
  for (const outcome of answer.topics) check(outcome.errorCode, outcome.errorMessage)
}

/** Topics that fit, sorted by name. */
export async function listTopics(
  cluster: Cluster,
  isWanted: (name: string) => boolean,
): Promise<MetadataResponse['topics']> {
  const { topics } = await cluster.metadata(null)
  return topics
    .filter(topic => topic.name !== null && isWanted(topic.name))
    .sort((a, b) => (a.name! < b.name! ? -1 : 1))
}

export interface Described {
  topics: TopicDescription[]
  liveBrokers: ReadonlySet<number>
  minIsrOf: (topic: TopicDescription) => number
}

/** Everything `--describe` prints of the topics that fit. */
export async function describeTopics(
  cluster: Cluster,
  isWanted: (topic: { name: string; topicId: string }) => boolean,
): Promise<Described> {
  const { topics, brokers } = await cluster.metadata(null)
  const wanted = topics
    .filter(({ name, topicId }) => name !== null && isWanted({ name, topicId }))
    .sort((a, b) => (a.name! < b.name! ? -1 : 1))
  const names = wanted.map(({ name }) => name!)
  const configs = await configsOf(cluster, names)
  const moves = await reassignments(cluster, names)
  const described = wanted.map(topic => ({
    name: topic.name!,
    topicId: topic.topicId === ZERO_UUID ? null : topic.topicId,
    configs: new Map(
      (configs.get(topic.name!) ?? [])
        .filter(({ source }) => source !== defaultConfigSource)
        .map(({ key, value }) => [key, value]),
    ),
    partitions: topic.partitions
      .map((partition): PartitionDescription => {
        const move = moves.get(`${topic.name} ${partition.partitionIndex}`)
        return {
          index: partition.partitionIndex,
          leader: partition.leaderId < 0 ? null : partition.leaderId,
          replicas: partition.replicaNodes,
          isr: partition.isrNodes,
          adding: move?.addingReplicas ?? [],
          removing: move?.removingReplicas ?? [],
        }
      })
      .sort((a, b) => a.index - b.index),
  }))
  return {
    topics: described,
    liveBrokers: new Set(brokers.map(({ nodeId }) => nodeId)),
    minIsrOf: ({ name }) =>
      Number(configs.get(name)?.find(({ key }) => key === 'min.insync.replicas')?.value ?? 1),
  }
}

async function configsOf(cluster: Cluster, names: readonly string[]) {
  const configs = new Map<string, { key: string; value: string; source: number }[]>()
  if (names.length === 0) return configs
  const answer = await cluster.any(describeConfigs, {
    resources: names.map(resourceName => ({
      resourceType: topicResource,
      resourceName,
      configurationKeys: null,
    })),
    includeSynonyms: false,
    includeDocumentation: false,
  })
  for (const result of answer.results) {
    // A topic deleted meanwhile has no configuration any more.
    if (result.errorCode === errorCode.UNKNOWN_TOPIC_OR_PARTITION) continue
    check(result.errorCode, result.errorMessage)
    configs.set(
      result.resourceName,
      result.configs.map(({ name, value, configSource }) => ({
        key: name,
        value: value ?? '',
        source: configSource,
      })),
    )
  }
  return configs
}

/** Replicas on the move, by `topic partition`; none where brokers cannot say. */
async function reassignments(cluster: Cluster, names: readonly string[]) {
  const moves = new Map<string, { addingReplicas: number[]; removingReplicas: number[] }>()
  if (names.length === 0 || !cluster.supports(listPartitionReassignments)) return moves
  const answer = await cluster.controller(
    listPartitionReassignments,
    { timeoutMs: cluster.options.requestTimeoutMs, topics: null },
    ({ errorCode: code }) => [code],
  )
  const mayNotAsk: readonly number[] = [errorCode.CLUSTER_AUTHORIZATION_FAILED, errorCode.UNSUPPORTED_VERSION]
  if (mayNotAsk.includes(answer.errorCode)) return moves
  check(answer.errorCode, answer.errorMessage)
  for (const { name, partitions } of answer.topics)
    for (const partition of partitions) moves.set(`${name} ${partition.partitionIndex}`, partition)
  return moves
}

/** Raises the number of partitions to `count`; `assignment`, if given, names the replicas of all of them. */
export async function addPartitions(
  cluster: Cluster,
  topics: MetadataResponse['topics'],
  count: number,
  assignment: readonly (readonly number[])[] | null,
): Promise<void> {
  const answer = await cluster.controller(
    createPartitions,
    {
      topics: topics.map(({ name, partitions }) => ({
        name: name!,
        count,
        assignments:
          assignment?.slice(partitions.length).map(brokerIds => ({ brokerIds: [...brokerIds] })) ?? null,
      })),
      timeoutMs: cluster.options.requestTimeoutMs,
      validateOnly: false,
    },
    ({ results }) => results.map(result => result.errorCode),
  )
  for (const result of answer.results) check(result.errorCode, result.errorMessage)
}

export async function removeTopics(cluster: Cluster, names: readonly string[]): Promise<void> {
  const answer = await cluster.controller(
    deleteTopics,
    {
      topics: names.map(name => ({ name, topicId: ZERO_UUID })),
      topicNames: [...names],
      timeoutMs: cluster.options.requestTimeoutMs,
    },
    ({ responses }) => responses.map(response => response.errorCode),
  )
  for (const { name, errorCode: code, errorMessage } of answer.responses) {
    if (code === errorCode.TOPIC_DELETION_DISABLED)
      throw new ServerError(code, errorMessage ?? 'Topic deletion is disabled.')
    if (code === errorCode.UNKNOWN_TOPIC_OR_PARTITION)
      throw new ToolError(`Topic '${name}' does not exist as expected`)
    check(code, errorMessage)
  }
}

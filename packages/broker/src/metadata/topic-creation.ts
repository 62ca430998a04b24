import { type CreateTopicsRequest, errorCode, randomUuid } from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import { AssignmentError, assignReplicas } from './replica-assignment.ts'
import { topicConfigProblem } from './topic-configs.ts'
import { collidingTopics, topicNameProblem } from './topic-names.ts'
import { type PartitionAssignment, paths, readTopic, writeConfig, writeTopic } from './zookeeper-layout.ts'
import { isCode, zooKeeperErrorCode as znode } from './zookeeper-session.ts'

/** A topic that somebody wants. */
export type WantedTopic = Pick<
  CreateTopicsRequest['topics'][number],
  'name' | 'numPartitions' | 'replicationFactor' | 'assignments' | 'configs'
>

export interface TopicPlan {
  topicId: string
  assignment: readonly (readonly number[])[]
  config: Record<string, string>
}

/** Why a topic cannot be made; `code` is Kafka's. */
export interface Refusal {
  code: number
  message: string
}

/** Checks what is wanted, and places the replicas. */
export async function planTopic(broker: Broker, wanted: WantedTopic): Promise<TopicPlan | Refusal> {
  const { name } = wanted
  const problem = topicNameProblem(name)
  if (problem !== null) return { code: errorCode.INVALID_TOPIC_EXCEPTION, message: problem }
  if (await isTaken(broker, name)) {
    return { code: errorCode.TOPIC_ALREADY_EXISTS, message: `Topic '${name}' already exists.` }
  }
  if (/[._]/.test(name)) {
    const { children } = await broker.zookeeper.getChildren(paths.topics)
    const colliding = collidingTopics(name, children)
    if (colliding.length > 0) {
      const message = `Topic '${name}' collides with existing topics: ${colliding.join(', ')}`
      return { code: errorCode.INVALID_TOPIC_EXCEPTION, message }
    }
  }
  const config: Record<string, string> = {}
  for (const { name: key, value } of wanted.configs) {
    if (value === null) {
      return { code: errorCode.INVALID_CONFIG, message: `Null value not supported for topic configs: ${key}` }
    }
    if (key in config) {
      return { code: errorCode.INVALID_CONFIG, message: `Configuration ${key} is given twice` }
    }
    config[key] = value
  }
  const configProblem = topicConfigProblem(config)
  if (configProblem !== null) return { code: errorCode.INVALID_CONFIG, message: configProblem }
  const assignment = assignmentFor(broker, wanted)
  if ('code' in assignment) return assignment
  return { topicId: randomUuid(count => broker.random.bytes(count)), assignment, config }
}

/** Writes the topic down; the controller takes it up from there. Gives null, or why it cannot be. */
export async function storeTopic(broker: Broker, name: string, plan: TopicPlan): Promise<Refusal | null> {
  const { zookeeper } = broker
  const partitions = new Map<number, PartitionAssignment>(
    plan.assignment.map((replicas, index) => [index, { replicas, adding: [], removing: [] }]),
  )
  const configPath = paths.config('topics', name)
  const config = writeConfig(plan.config)
  const topic = writeTopic({ topicId: plan.topicId, partitions })
  for (let attempt = 0; ; attempt++) {
    // A configuration may be left over from a tool that stopped half way; both are written together, or neither.
    const hasConfig = (await zookeeper.exists(configPath)) !== null
    try {
      await zookeeper.multi([
        hasConfig
          ? { op: 'setData', path: configPath, data: config }
          : { op: 'create', path: configPath, data: config },
        { op: 'create', path: paths.topic(name), data: topic },
      ])
      return null
    } catch (error) {
      const isRace = isCode(error, znode.NODEEXISTS) || isCode(error, znode.NONODE)
      if (!isRace || attempt >= 3) throw error
      const found = await zookeeper.read(paths.topic(name))
      if (found === null) continue
      // The same request may have been sent twice over a lost connection.
      if (readTopic(name, found.data).topicId === plan.topicId) return null
      return { code: errorCode.TOPIC_ALREADY_EXISTS, message: `Topic '${name}' already exists.` }
    }
  }
}

const beingCreated = new WeakMap<Broker, Set<string>>()

/**
 * Creates a topic that a client or a coordinator has asked for, with the broker's defaults, or those of an internal topic.
 * Does not wait for it. Gives what is to be told of the topic: LEADER_NOT_AVAILABLE when it will be there soon.
 */
export async function autoCreateTopic(broker: Broker, name: string): Promise<number> {
  let names = beingCreated.get(broker)
  if (names === undefined) {
    names = new Set()
    beingCreated.set(broker, names)
  }
  if (names.has(name)) return errorCode.LEADER_NOT_AVAILABLE
  names.add(name)
  try {
    const plan = await planTopic(broker, defaultsFor(broker, name))
    if ('code' in plan) {
      if (plan.code === errorCode.TOPIC_ALREADY_EXISTS) return errorCode.LEADER_NOT_AVAILABLE
      broker.log
        .named('kafka.server.AutoTopicCreation')
        .warn(`Topic ${name} cannot be created: ${plan.message}`)
      return plan.code
    }
    await storeTopic(broker, name, plan)
    return errorCode.LEADER_NOT_AVAILABLE
  } finally {
    names.delete(name)
  }
}

function defaultsFor({ settings: { values } }: Broker, name: string): WantedTopic {
  if (name === '__consumer_offsets') {
    return {
      name,
      numPartitions: values['offsets.topic.num.partitions']!,
      replicationFactor: values['offsets.topic.replication.factor']!,
      assignments: [],
      configs: [
        { name: 'compression.type', value: 'producer' },
        { name: 'cleanup.policy', value: 'compact' },
        { name: 'segment.bytes', value: String(values['offsets.topic.segment.bytes']) },
      ],
    }
  }
  if (name === '__transaction_state') {
    return {
      name,
      numPartitions: values['transaction.state.log.num.partitions']!,
      replicationFactor: values['transaction.state.log.replication.factor']!,
      assignments: [],
      configs: [
        { name: 'compression.type', value: 'uncompressed' },
        { name: 'cleanup.policy', value: 'compact' },
        { name: 'unclean.leader.election.enable', value: 'false' },
        { name: 'min.insync.replicas', value: String(values['transaction.state.log.min.isr']) },
        { name: 'segment.bytes', value: String(values['transaction.state.log.segment.bytes']) },
      ],
    }
  }
  return { name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [] }
}

async function isTaken({ zookeeper }: Broker, name: string): Promise<boolean> {
  const [topic, deletion] = await Promise.all([
    zookeeper.exists(paths.topic(name)),
    zookeeper.exists(paths.deleteTopic(name)),
  ])
  return topic !== null || deletion !== null
}

function assignmentFor(broker: Broker, wanted: WantedTopic): readonly (readonly number[])[] | Refusal {
  const { numPartitions, replicationFactor, assignments } = wanted
  const { values } = broker.settings
  if (assignments.length > 0) {
    if (numPartitions !== -1 || replicationFactor !== -1) {
      return {
        code: errorCode.INVALID_REQUEST,
        message:
          'Both numPartitions or replicationFactor and replicasAssignments were set. Both cannot be used at the same time.',
      }
    }
    const sorted = [...assignments].sort((a, b) => a.partitionIndex - b.partitionIndex)
    if (sorted.some(({ partitionIndex }, at) => partitionIndex !== at)) {
      return refuseAssignment('Partitions should be a consecutive 0-based integer sequence.')
    }
    const lists = sorted.map(({ brokerIds }) => brokerIds)
    return assignmentProblem(broker, lists, lists[0]!.length) ?? lists
  }
  const count = numPartitions === -1 ? values['num.partitions']! : numPartitions
  const factor = replicationFactor === -1 ? values['default.replication.factor']! : replicationFactor
  return placed(() => assignReplicas(broker.metadata.liveBrokers(), count, factor, broker.random))
}

/** Carries out a placement; an impossible one is refused. */
export function placed<T>(place: () => T): T | Refusal {
  try {
    return place()
  } catch (error) {
    if (!(error instanceof AssignmentError)) throw error
    return { code: errorCode[error.code], message: error.message }
  }
}

/** What is wrong with replica lists somebody has made; each must have `factor` different live brokers. */
export function assignmentProblem(
  broker: Broker,
  lists: readonly (readonly number[])[],
  factor: number,
): Refusal | null {
  for (const list of lists) {
    if (list.length === 0) return refuseAssignment('A partition has no replicas.')
    if (list.length !== factor)
      return refuseAssignment('All partitions should have the same number of replicas.')
    if (new Set(list).size !== list.length) {
      return refuseAssignment(`Duplicate brokers not allowed in replica assignment: ${list.join(', ')}`)
    }
    const unknown = list.filter(id => !broker.metadata.isAlive(id))
    if (unknown.length > 0) {
      return refuseAssignment(`Unknown broker(s) in replica assignment: ${unknown.join(', ')}.`)
    }
  }
  return null
}

function refuseAssignment(message: string): Refusal {
  return { code: errorCode.INVALID_REPLICA_ASSIGNMENT, message }
}

/** Resolves to true as soon as the metadata are as `isReached` wants them; to false after `timeoutMs`. */
export function metadataReached(
  broker: Broker,
  isReached: () => boolean,
  timeoutMs: number,
): Promise<boolean> {
  if (isReached()) return Promise.resolve(true)
  if (timeoutMs <= 0) return Promise.resolve(false)
  return new Promise(resolve => {
    const settle = (result: boolean) => {
      stop()
      timer.cancel()
      resolve(result)
    }
    const stop = broker.metadata.onUpdate(() => {
      if (isReached()) settle(true)
    })
    const timer = broker.clock.after(timeoutMs, () => settle(false))
  })
}

import { ZooKeeperError } from '@vivarium/zookeeper-client'
import type { CommandIo } from '../io.ts'
import { connect } from '../kafka-tools/client-properties.ts'
import type { Cluster } from '../kafka-tools/cluster.ts'
import { type Options, UsageError } from '../kafka-tools/options.ts'
import { parseReplicaAssignment } from '../kafka-tools/replica-assignment.ts'
import { ToolError, tool } from '../kafka-tools/tool.ts'
import { checkTopicConfigNames, checkTopicConfigs, parseTopicConfigs } from '../kafka-tools/topic-configs.ts'
import { describe, type PartitionFilter } from '../kafka-tools/topic-description.ts'
import {
  checkTopicName,
  collisionWarning,
  internalTopics,
  mayCollide,
  topicFilter,
} from '../kafka-tools/topic-names.ts'
import {
  addPartitions,
  createTopic,
  describeTopics,
  listTopics,
  removeTopics,
} from '../kafka-tools/topics-by-broker.ts'
import { ZooKeeperTopics } from '../kafka-tools/topics-by-zookeeper.ts'

const spec = {
  name: 'kafka-topics',
  about: 'Create, list, describe, alter and delete topics.',
  options: {
    'bootstrap-server': { argument: '<host:port,…>', about: 'Brokers to connect to.' },
    zookeeper: {
      argument: '<host:port,…[/chroot]>',
      about: 'Work through the znodes instead, as tools before Kafka 3.0 did.',
    },
    'command-config': { argument: '<file>', about: 'Properties of the client.' },
    create: { about: 'Create a topic.' },
    list: { about: 'List topics.' },
    describe: { about: 'Print the details of topics.' },
    alter: { about: 'Raise the number of partitions (with --zookeeper also configuration).' },
    delete: { about: 'Delete topics.' },
    topic: {
      argument: '<name>',
      about: 'The topic; a regular expression for all actions but --create.',
    },
    'topic-id': { argument: '<id>', about: 'The topic to describe, by its id.' },
    partitions: { argument: '<count>', about: 'Partitions to create, or to have after --alter.' },
    'replication-factor': { argument: '<count>', about: 'Replicas of each partition.' },
    'replica-assignment': {
      argument: '<1:2,2:3,…>',
      about: 'Brokers of each partition, instead of the two counts.',
    },
    config: { argument: '<key=value>', isRepeatable: true, about: 'A setting of the topic.' },
    'delete-config': {
      argument: '<key>',
      isRepeatable: true,
      about: 'A setting to take away (only with --zookeeper).',
    },
    'if-exists': { about: 'Topics that do not exist are no error.' },
    'if-not-exists': { about: 'A topic that exists already is no error.' },
    'exclude-internal': { about: 'Leave the topics of the brokers themselves out.' },
    'topics-with-overrides': { about: 'Describe only topics with settings of their own.' },
    'under-replicated-partitions': { about: 'Describe only partitions with replicas that lag.' },
    'unavailable-partitions': { about: 'Describe only partitions whose leader is not available.' },
    'under-min-isr-partitions': { about: 'Describe only partitions below min.insync.replicas.' },
    'at-min-isr-partitions': { about: 'Describe only partitions at min.insync.replicas.' },
    'partition-size-limit-per-response': {
      argument: '<count>',
      about: 'Accepted for compatibility: metadata is always asked for at once.',
    },
    'disable-rack-aware': { about: 'Assign replicas without regard to racks (with --zookeeper).' },
    force: { about: 'Ask nothing.' },
  },
  examples: [
    'kafka-topics.sh --create --bootstrap-server 127.0.0.1:9092 --replication-factor 3 --partitions 6 --topic orders',
    'kafka-topics.sh --create --zookeeper 127.0.0.1:2181 --replication-factor 1 --partitions 1 --topic zookeeper-logs',
    'kafka-topics.sh --describe --bootstrap-server 127.0.0.1:9092 --under-replicated-partitions',
  ],
} as const

type Name = keyof typeof spec.options
type Given = Options<Name | 'help' | 'version'>
type Action = 'create' | 'list' | 'describe' | 'alter' | 'delete'

const actions = ['list', 'describe', 'create', 'alter', 'delete'] as const
const filterOptions: readonly (readonly [Name, PartitionFilter])[] = [
  ['under-replicated-partitions', 'under-replicated'],
  ['unavailable-partitions', 'unavailable'],
  ['under-min-isr-partitions', 'under-min-isr'],
  ['at-min-isr-partitions', 'at-min-isr'],
]

/** Apache's kafka-topics, with the ZooKeeper form it had before 3.0. Failures are reported where Apache does, on stdout. */
export const run = tool<Name>(
  spec,
  async (options, io) => {
    const action = checkedAction(options)
    const zookeeper = options.value('zookeeper')
    if (zookeeper !== null) return await withZooKeeper(zookeeper, action, options, io)
    const cluster = await connect(options.required('bootstrap-server'), options.value('command-config'), io)
    try {
      return await byBroker[action](cluster, options, io)
    } finally {
      await cluster.close()
    }
  },
  (message, io) => io.stdout.write(`Error while executing topic command : ${message}\n`),
)

function checkedAction(options: Given): Action {
  const [action, ...more] = options.among(actions)
  if (action === undefined || more.length > 0)
    throw new UsageError(
      'Command must include exactly one action: --list, --describe, --create, --alter or --delete',
    )
  const has = (name: Name) => options.has(name)
  if (has('zookeeper') === has('bootstrap-server'))
    throw new UsageError(
      has('zookeeper')
        ? 'Only one of --bootstrap-server or --zookeeper must be specified'
        : '--bootstrap-server must be specified',
    )
  if (action !== 'list' && action !== 'describe' && !has('topic'))
    throw new UsageError('Missing required argument "[topic]"')
  refuse(options, action, [
    ['partitions', ['create', 'alter']],
    ['replication-factor', ['create']],
    ['replica-assignment', ['create', 'alter']],
    ['config', ['create', 'alter']],
    ['delete-config', ['alter']],
    ['topic-id', ['describe']],
    ['if-not-exists', ['create']],
    ['if-exists', ['alter', 'delete', 'describe']],
    ['exclude-internal', ['list', 'describe']],
    ['topics-with-overrides', ['describe']],
    ...filterOptions.map(([name]) => [name, ['describe']] as [Name, Action[]]),
  ])
  if (action === 'create' && has('replica-assignment'))
    for (const name of options.among(['partitions', 'replication-factor']))
      throw new UsageError(`Option "[replica-assignment]" can't be used with option "[${name}]"`)
  if (action === 'alter' && !has('zookeeper')) {
    const [name] = options.among(['config', 'delete-config'])
    if (name !== undefined)
      throw new UsageError(
        `Option combination "[[bootstrap-server], [${name}]]" can't be used with option "[alter]" (the kafka-configs CLI supports altering topic configs with a --bootstrap-server option)`,
      )
    if (!has('partitions')) throw new UsageError('Missing required argument "[partitions]"')
  }
  if (has('zookeeper')) {
    for (const name of options.among(['topic-id', 'under-min-isr-partitions', 'at-min-isr-partitions']))
      throw new UsageError(`Option "[zookeeper]" can't be used with option "[${name}]"`)
  }
  const narrowing = options.among([...filterOptions.map(([name]) => name), 'topics-with-overrides'])
  if (narrowing.length > 1)
    throw new UsageError(`Option "[${narrowing[0]}]" can't be used with option "[${narrowing[1]}]"`)
  return action
}

function refuse(
  options: Given,
  action: Action,
  rules: readonly (readonly [Name, readonly Action[]])[],
): void {
  for (const [name, allowed] of rules)
    if (options.has(name) && !allowed.includes(action))
      throw new UsageError(`Option "[${name}]" can't be used with option "[${action}]"`)
}

/** Counts and assignment of a topic to be created; Apache's complaint about counts below 1. */
function shape(options: Given) {
  const partitions = options.integer('partitions')
  if (partitions !== null && partitions < 1) throw new ToolError('The partitions must be greater than 0')
  const replicationFactor = options.integer('replication-factor')
  if (replicationFactor !== null && (replicationFactor < 1 || replicationFactor > 32_767))
    throw new ToolError('The replication factor must be between 1 and 32767 inclusive')
  const text = options.value('replica-assignment')
  return {
    partitions: partitions ?? -1,
    replicationFactor: replicationFactor ?? -1,
    assignment: text === null ? null : parseReplicaAssignment(text),
  }
}

function checkExists(found: readonly unknown[], options: Given): void {
  if (found.length > 0 || options.has('if-exists')) return
  const pattern = options.value('topic')
  if (pattern !== null) throw new ToolError(`Topic '${pattern}' does not exist as expected`)
}

const byBroker: Record<Action, (cluster: Cluster, options: Given, io: CommandIo) => Promise<number>> = {
  async create(cluster, options, io) {
    const name = options.required('topic')
    const topic = { name, ...shape(options), configs: parseTopicConfigs(options.values('config')) }
    checkTopicName(name)
    if (mayCollide(name)) io.stdout.write(collisionWarning)
    if (options.has('if-not-exists')) {
      const { topics } = await cluster.metadata([name])
      if (topics[0]?.errorCode === 0) return 0
    }
    await createTopic(cluster, topic)
    io.stdout.write(`Created topic ${name}.\n`)
    return 0
  },

  async list(cluster, options, io) {
    const topics = await listTopics(cluster, filterOf(options))
    for (const { name } of topics) io.stdout.write(`${name}\n`)
    return 0
  },

  async describe(cluster, options, io) {
    const isWanted = filterOf(options)
    const id = options.value('topic-id')
    const { topics, liveBrokers, minIsrOf } = await describeTopics(cluster, topic =>
      id === null ? isWanted(topic.name) : topic.topicId === id,
    )
    if (id !== null && topics.length === 0 && !options.has('if-exists'))
      throw new ToolError(`TopicId '${id}' does not exist as expected`)
    checkExists(topics, options)
    io.stdout.write(
      describe(topics, {
        filters: filtersOf(options),
        onlyOverridden: options.has('topics-with-overrides'),
        liveBrokers,
        minIsrOf,
        withElr: true,
      }),
    )
    return 0
  },

  async alter(cluster, options) {
    const { partitions, assignment } = shape(options)
    const topics = await listTopics(cluster, filterOf(options))
    checkExists(topics, options)
    if (topics.length > 0) await addPartitions(cluster, topics, partitions, assignment)
    return 0
  },

  async delete(cluster, options) {
    const topics = await listTopics(cluster, filterOf(options))
    checkExists(topics, options)
    if (topics.length > 0)
      await removeTopics(
        cluster,
        topics.map(({ name }) => name!),
      )
    return 0
  },
}

async function withZooKeeper(
  connectText: string,
  action: Action,
  options: Given,
  io: CommandIo,
): Promise<number> {
  const topics = await ZooKeeperTopics.connect(connectText)
  try {
    return await byZooKeeper[action](topics, options, io)
  } catch (error) {
    if (error instanceof ZooKeeperError) throw new ToolError(`ZooKeeper refused: ${error.message}`)
    throw error
  } finally {
    await topics.close()
  }
}

const byZooKeeper: Record<
  Action,
  (topics: ZooKeeperTopics, options: Given, io: CommandIo) => Promise<number>
> = {
  async create(topics, options, io) {
    const name = options.required('topic')
    if (!options.has('replica-assignment')) {
      options.required('partitions')
      options.required('replication-factor')
    }
    const configs = parseTopicConfigs(options.values('config'))
    // No broker looks at what goes into a znode: a wrong name would stay there for good.
    checkTopicConfigs(configs)
    checkTopicName(name)
    if (mayCollide(name)) io.stdout.write(collisionWarning)
    if (options.has('if-not-exists') && (await topics.names()).includes(name)) return 0
    const isRackAware = !options.has('disable-rack-aware')
    await topics.create({ name, ...shape(options), configs, isRackAware })
    io.stdout.write(`Created topic ${name}.\n`)
    return 0
  },

  async list(topics, options, io) {
    const marked = await topics.markedForDeletion()
    const isWanted = filterOf(options)
    for (const name of (await topics.names()).filter(isWanted))
      io.stdout.write(`${name}${marked.has(name) ? ' - marked for deletion' : ''}\n`)
    return 0
  },

  async describe(topics, options, io) {
    const names = (await topics.names()).filter(filterOf(options))
    checkExists(names, options)
    const marked = await topics.markedForDeletion()
    const found = []
    for (const name of names) {
      const topic = await topics.describe(name, marked.has(name))
      if (topic !== null) found.push(topic)
    }
    io.stdout.write(
      describe(found, {
        filters: filtersOf(options),
        onlyOverridden: options.has('topics-with-overrides'),
        liveBrokers: new Set((await topics.liveBrokers()).map(({ id }) => id)),
        minIsrOf: ({ configs }) => Number(configs.get('min.insync.replicas') ?? 1),
        withElr: false,
      }),
    )
    return 0
  },

  async alter(topics, options, io) {
    const names = (await topics.names()).filter(filterOf(options))
    checkExists(names, options)
    const added = parseTopicConfigs(options.values('config'))
    const removed = options.values('delete-config')
    checkTopicConfigs(added)
    checkTopicConfigNames(removed)
    const { partitions, assignment } = shape(options)
    for (const name of names) {
      if (added.size + removed.length > 0) {
        await topics.alterConfig(name, added, removed)
        io.stdout.write(`Updated config for topic ${name}.\n`)
      }
      if (partitions < 0) continue
      io.stdout.write(
        'WARNING: If partitions are increased for a topic that has a key, the partition logic or ordering of the messages will be affected\n',
      )
      await topics.addPartitions(name, partitions, assignment, !options.has('disable-rack-aware'))
      io.stdout.write('Adding partitions succeeded!\n')
    }
    return 0
  },

  async delete(topics, options, io) {
    const names = (await topics.names()).filter(filterOf(options))
    checkExists(names, options)
    const internal = names.find(name => internalTopics.has(name))
    if (internal !== undefined)
      throw new ToolError(
        `Topic ${internal} is a kafka internal topic and is not allowed to be marked for deletion.`,
      )
    for (const name of names) {
      const outcome = await topics.delete(name)
      io.stdout.write(
        outcome === 'marked'
          ? `Topic ${name} is marked for deletion.\nNote: This will have no impact if delete.topic.enable is not set to true.\n`
          : `Topic ${name} is already marked for deletion.\n`,
      )
    }
    return 0
  },
}

function filterOf(options: Given): (name: string) => boolean {
  return topicFilter(options.value('topic'), options.has('exclude-internal'))
}

function filtersOf(options: Given): PartitionFilter[] {
  return filterOptions.filter(([name]) => options.has(name)).map(([, filter]) => filter)
}

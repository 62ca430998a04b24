import { readFile } from 'node:fs/promises'
import {
  type DescribeConfigsResponse,
  describeConfigs,
  errorCode,
  incrementalAlterConfigs,
} from '@vivarium/kafka-protocol'
import { parseProperties } from '@vivarium/platform'
import type { CommandIo } from '../io.ts'
import { connect } from '../kafka-tools/client-properties.ts'
import type { Cluster } from '../kafka-tools/cluster.ts'
import { parseConfigList } from '../kafka-tools/config-list.ts'
import { type Options, UsageError } from '../kafka-tools/options.ts'
import { check, ServerError } from '../kafka-tools/server-error.ts'
import { ToolError, tool } from '../kafka-tools/tool.ts'

const spec = {
  name: 'kafka-configs',
  about: 'Describe and alter the configuration of topics and brokers.',
  options: {
    'bootstrap-server': { argument: '<host:port,…>', about: 'Brokers to connect to.' },
    'command-config': { argument: '<file>', about: 'Properties of the client.' },
    describe: { about: 'Print settings.' },
    alter: { about: 'Change settings.' },
    'entity-type': {
      argument: '<topics|brokers|broker-loggers>',
      isRepeatable: true,
      about: 'What the settings belong to.',
    },
    'entity-name': { argument: '<name>', isRepeatable: true, about: 'Name of the topic, id of the broker.' },
    'entity-default': { about: 'The default of all brokers.' },
    topic: { argument: '<name>', about: 'Short for --entity-type topics --entity-name.' },
    broker: { argument: '<id>', about: 'Short for --entity-type brokers --entity-name.' },
    'broker-defaults': { about: 'Short for --entity-type brokers --entity-default.' },
    'broker-logger': { argument: '<id>', about: 'Short for --entity-type broker-loggers --entity-name.' },
    'add-config': { argument: '<k=v,k=[v,v]>', about: 'Settings to set; values with commas in brackets.' },
    'add-config-file': { argument: '<file>', about: 'Settings to set, as properties.' },
    'delete-config': { argument: '<k,k>', about: 'Settings to take away.' },
    all: { about: 'Describe defaults too.' },
    force: { about: 'Ask nothing.' },
    zookeeper: {
      argument: '<host:port,…>',
      about: 'Not for topics (Kafka 3.9 has it for users and dead brokers only).',
    },
  },
  examples: [
    'kafka-configs.sh --bootstrap-server 127.0.0.1:9092 --describe --topic orders',
    'kafka-configs.sh --bootstrap-server 127.0.0.1:9092 --alter --topic orders --add-config retention.ms=3600000',
    'kafka-configs.sh --bootstrap-server 127.0.0.1:9092 --alter --broker-defaults --delete-config log.cleaner.threads',
  ],
} as const

type Name = keyof typeof spec.options
type Given = Options<Name | 'help' | 'version'>

/** What settings belong to. An empty name is the default of all brokers; null means every one there is. */
interface Entity {
  type: 'topics' | 'brokers' | 'broker-loggers'
  name: string | null
}

const resourceTypes = { topics: 2, brokers: 4, 'broker-loggers': 8 } as const
const setOperation = 0
const deleteOperation = 1

const sources: Readonly<Record<number, string>> = {
  1: 'DYNAMIC_TOPIC_CONFIG',
  2: 'DYNAMIC_BROKER_CONFIG',
  3: 'DYNAMIC_DEFAULT_BROKER_CONFIG',
  4: 'STATIC_BROKER_CONFIG',
  5: 'DEFAULT_CONFIG',
  6: 'DYNAMIC_BROKER_LOGGER_CONFIG',
  7: 'DYNAMIC_CLIENT_METRICS_CONFIG',
  8: 'DYNAMIC_GROUP_CONFIG',
}

/** Apache's kafka-configs, for topics, brokers and the loggers of brokers. */
export const run = tool<Name>(
  spec,
  async (options, io) => {
    const [action, ...more] = options.among(['describe', 'alter'])
    if (action === undefined || more.length > 0)
      throw new UsageError('Command must include exactly one action: --describe, --alter')
    const entity = entityOf(options)
    const changes = action === 'alter' ? await changesOf(options) : null
    const cluster = await connect(options.required('bootstrap-server'), options.value('command-config'), io)
    try {
      if (changes === null) await describe(cluster, entity, options, io)
      else await alter(cluster, entity, changes, io)
    } finally {
      await cluster.close()
    }
    return 0
  },
  // Apache repeats the arguments here; they may hold secrets.
  (message, io) => io.stderr.write(`Error while executing config command: ${message}\n`),
)

function entityOf(options: Given): Entity {
  if (options.has('zookeeper'))
    throw new UsageError(
      'Invalid entity type, the entity type must be one of users, brokers with a --zookeeper argument; this tool has neither form: use --bootstrap-server',
    )
  const shortcuts: (Entity | null)[] = [
    options.has('topic') ? { type: 'topics', name: options.value('topic') } : null,
    options.has('broker') ? { type: 'brokers', name: options.value('broker') } : null,
    options.has('broker-defaults') ? { type: 'brokers', name: '' } : null,
    options.has('broker-logger') ? { type: 'broker-loggers', name: options.value('broker-logger') } : null,
  ]
  const given = shortcuts.filter(shortcut => shortcut !== null)
  if (options.has('entity-type')) given.push(entityByType(options))
  const [entity] = given
  if (entity === undefined) throw new UsageError('At least one entity type must be specified')
  if (given.length > 1) throw new UsageError('Only one entity can be described or altered at a time')
  if (entity.type !== 'topics' && entity.name && !/^\d{1,10}$/.test(entity.name))
    throw new UsageError(
      `The entity name for ${entity.type} must be a valid integer broker id, found: ${entity.name}`,
    )
  if (entity.type === 'topics' && entity.name === '')
    throw new UsageError('Topics have no default of their own: set the setting of the brokers')
  if (entity.type === 'broker-loggers' && !entity.name)
    throw new UsageError('The name of a broker must be given for broker-loggers')
  if (options.has('alter') && entity.name === null)
    throw new UsageError(
      'An entity-name or default entity must be specified with --alter of topics, brokers and broker-loggers',
    )
  return entity
}

function entityByType(options: Given): Entity {
  const type = options.required('entity-type')
  if (!Object.hasOwn(resourceTypes, type)) {
    const known = ['users', 'clients', 'ips'].includes(type)
    throw new UsageError(
      known
        ? `The entity type ${type} is not supported by this tool yet: it has topics, brokers, broker-loggers`
        : `Invalid entity type ${type}, the entity type must be one of topics, brokers, broker-loggers`,
    )
  }
  if (options.has('entity-name') && options.has('entity-default'))
    throw new UsageError('Only one of --entity-name and --entity-default can be given')
  const name = options.has('entity-default') ? '' : options.value('entity-name')
  return { type: type as Entity['type'], name }
}

interface Changes {
  added: ReadonlyMap<string, string>
  deleted: readonly string[]
}

async function changesOf(options: Given): Promise<Changes> {
  const file = options.value('add-config-file')
  if (file !== null && options.has('add-config'))
    throw new UsageError('Only one of --add-config and --add-config-file can be given')
  const added = file === null ? parseConfigList(options.value('add-config') ?? '') : await configFile(file)
  const deleted = (options.value('delete-config') ?? '')
    .split(',')
    .map(key => key.trim())
    .filter(key => key !== '')
  if (added.size + deleted.length === 0)
    throw new UsageError(
      'At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter',
    )
  const both = deleted.find(key => added.has(key))
  if (both !== undefined) throw new UsageError(`${both} cannot be added and deleted at once`)
  return { added, deleted }
}

async function configFile(file: string): Promise<Map<string, string>> {
  try {
    const properties = parseProperties(await readFile(file, 'utf8'), file)
    return new Map([...properties].map(([key, { value }]) => [key, value]))
  } catch (error) {
    throw new ToolError(`Cannot read ${file}: ${(error as Error).message}`)
  }
}

type Config = DescribeConfigsResponse['results'][number]['configs'][number]

async function describe(cluster: Cluster, entity: Entity, options: Given, io: CommandIo): Promise<void> {
  for (const name of await namesOf(cluster, entity)) {
    const isAll = options.has('all') || entity.type === 'broker-loggers'
    io.stdout.write(`${headingOf(entity.type, name, isAll)} are:\n`)
    const configs = await configsOf(cluster, { type: entity.type, name })
    const own = ownSource(entity.type, name)
    for (const config of configs.sort((a, b) => (a.name < b.name ? -1 : 1)))
      if (isAll || config.configSource === own) io.stdout.write(lineOf(config))
  }
}

async function namesOf(cluster: Cluster, { type, name }: Entity): Promise<string[]> {
  if (name !== null) return [name]
  const { topics, brokers } = await cluster.metadata(type === 'topics' ? null : [])
  if (type === 'topics') return topics.map(topic => topic.name!).sort()
  return [
    ...brokers
      .map(({ nodeId }) => nodeId)
      .sort((a, b) => a - b)
      .map(String),
    '',
  ]
}

/** Where the settings come from that belong to the entity itself. */
function ownSource(type: Entity['type'], name: string): number {
  if (type === 'topics') return 1
  return name === '' ? 3 : 2
}

function headingOf(type: Entity['type'], name: string, isAll: boolean): string {
  const kind = isAll ? 'All configs' : 'Dynamic configs'
  if (type === 'topics') return `${kind} for topic ${name}`
  if (type === 'broker-loggers') return `Dynamic configs for broker-logger ${name}`
  return name === '' ? 'Default configs for brokers in the cluster' : `${kind} for broker ${name}`
}

function lineOf({ name, value, isSensitive, synonyms }: Config): string {
  const chain = synonyms.map(
    synonym => `${sources[synonym.source] ?? synonym.source}:${synonym.name}=${synonym.value}`,
  )
  return `  ${name}=${value} sensitive=${isSensitive} synonyms={${chain.join(', ')}}\n`
}

async function configsOf(
  cluster: Cluster,
  entity: { type: Entity['type']; name: string },
): Promise<Config[]> {
  const body = {
    resources: [
      { resourceType: resourceTypes[entity.type], resourceName: entity.name, configurationKeys: null },
    ],
    includeSynonyms: true,
    includeDocumentation: false,
  }
  const answer = isOfOneBroker(entity)
    ? await cluster.broker(Number(entity.name), describeConfigs, body)
    : await cluster.any(describeConfigs, body)
  const result = answer.results[0]
  if (result === undefined) throw new ToolError('The broker said nothing about it.')
  if (result.errorCode === errorCode.UNKNOWN_TOPIC_OR_PARTITION)
    throw new ServerError(result.errorCode, `Topic '${entity.name}' does not exist.`)
  check(result.errorCode, result.errorMessage)
  return result.configs
}

/** The settings of a broker are known to it alone. */
function isOfOneBroker({ type, name }: { type: Entity['type']; name: string }): boolean {
  return type !== 'topics' && name !== ''
}

async function alter(cluster: Cluster, entity: Entity, changes: Changes, io: CommandIo): Promise<void> {
  const name = entity.name!
  const target = { type: entity.type, name }
  const present = await configsOf(cluster, target)
  const own = ownSource(entity.type, name)
  const unset = changes.deleted.filter(
    key =>
      !present.some(config => config.name === key && (config.configSource === own || hasSource(config, own))),
  )
  if (entity.type !== 'broker-loggers' && unset.length > 0)
    throw new UsageError(`Invalid config(s): ${unset.join(',')}`)
  const body = {
    resources: [
      {
        resourceType: resourceTypes[entity.type],
        resourceName: name,
        configs: [
          ...[...changes.added].map(([key, value]) => ({ name: key, configOperation: setOperation, value })),
          ...changes.deleted.map(key => ({ name: key, configOperation: deleteOperation, value: null })),
        ],
      },
    ],
    validateOnly: false,
  }
  const answer = isOfOneBroker(target)
    ? await cluster.broker(Number(name), incrementalAlterConfigs, body)
    : await cluster.controller(incrementalAlterConfigs, body, ({ responses }) =>
        responses.map(r => r.errorCode),
      )
  for (const { errorCode: code, errorMessage } of answer.responses) {
    check(code, errorMessage)
  }
  const what =
    name === ''
      ? 'default config for brokers in the cluster'
      : `config for ${entity.type.slice(0, -1)} ${name}`
  io.stdout.write(`Completed updating ${what}.\n`)
}

function hasSource(config: Config, source: number): boolean {
  return config.synonyms.some(synonym => synonym.source === source)
}

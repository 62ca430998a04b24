/**
 * Where a cluster keeps what in ZooKeeper: every path, and how its data is written and read. Kafka 3.9's layout to the
 * letter; members of JSON objects stand in the order Apache's broker writes them.
 *
 * Readers ignore what they do not know and take older versions; what they cannot use is a ZnodeError naming the path.
 */
import { formatAddress } from '@vivarium/platform'
import { type Acl, creatorAcl, openAcl, readAcl } from './zookeeper-acl.ts'

/** Data of a znode that cannot be what it should be. */
export class ZnodeError extends Error {
  override name = 'ZnodeError'
  constructor(path: string, problem: string, options?: ErrorOptions) {
    super(`znode ${path} ${problem}`, options)
  }
}

const topics = '/brokers/topics'
const partitionsOf = (topic: string) => `${topics}/${topic}/partitions`

export const paths = {
  brokerIds: '/brokers/ids',
  brokerSequence: '/brokers/seqid',
  topics,
  controller: '/controller',
  controllerEpoch: '/controller_epoch',
  clusterId: '/cluster/id',
  feature: '/feature',
  deleteTopics: '/admin/delete_topics',
  reassignPartitions: '/admin/reassign_partitions',
  preferredReplicaElection: '/admin/preferred_replica_election',
  isrChanges: '/isr_change_notification',
  logDirEvents: '/log_dir_event_notification',
  producerIdBlock: '/latest_producer_id_block',
  configChanges: '/config/changes',
  configChangePrefix: '/config/changes/config_change_',
  logDirEventPrefix: '/log_dir_event_notification/log_dir_event_',
  broker: (id: number) => `/brokers/ids/${id}`,
  topic: (topic: string) => `${topics}/${topic}`,
  partitions: partitionsOf,
  partition: (topic: string, partition: number) => `${partitionsOf(topic)}/${partition}`,
  partitionState: (topic: string, partition: number) => `${partitionsOf(topic)}/${partition}/state`,
  /** Where consumers from before Kafka 0.9 keep how far they have read: a number as text. */
  consumerOffset: (group: string, topic: string, partition: number) =>
    `/consumers/${group}/offsets/${topic}/${partition}`,
  deleteTopic: (topic: string) => `/admin/delete_topics/${topic}`,
  configs: (type: ConfigEntityType) => `/config/${type}`,
  /** `entity` as in a path: already sanitized, or `<default>`. */
  config: (type: ConfigEntityType, entity: string) => `/config/${type}/${entity}`,
} as const

export type ConfigEntityType = 'topics' | 'clients' | 'users' | 'brokers' | 'ips'

/** Made at the start of every broker, with no data. */
export const persistentPaths: readonly string[] = [
  '/consumers',
  paths.brokerIds,
  paths.topics,
  paths.configChanges,
  paths.deleteTopics,
  paths.brokerSequence,
  paths.isrChanges,
  paths.producerIdBlock,
  paths.logDirEvents,
  paths.configs('topics'),
  paths.configs('clients'),
  paths.configs('users'),
  paths.configs('brokers'),
  paths.configs('ips'),
]

const sensitiveRoots = ['/config/users', '/config/brokers', '/delegation_token/tokens']

/** Who may touch a znode that a broker makes; `isSecure` is zookeeper.set.acl. */
export function aclOf(path: string, isSecure: boolean): readonly Acl[] {
  if (!isSecure || path === '/consumers') return openAcl
  const isSensitive = sensitiveRoots.some(root => path === root || path.startsWith(`${root}/`))
  return isSensitive ? creatorAcl : [...creatorAcl, ...readAcl]
}

/** The default entity of a config type, as it stands in a path. */
export const defaultEntity = '<default>'

/** An entity's name as it stands in a path: form-encoded, with %20 and %2A for blank and star. */
export function sanitized(name: string): string {
  return encodeURIComponent(name).replace(
    /[!'()~*]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

// ---- reading JSON ------------------------------------------------------------------------------------------------------

type Json = { readonly [key: string]: unknown }

function parseObject(path: string, data: Buffer | null): Json {
  if (data === null || data.length === 0) throw new ZnodeError(path, 'is empty; a JSON object belongs there')
  let value: unknown
  try {
    value = JSON.parse(data.toString('utf8'))
  } catch (cause) {
    throw new ZnodeError(path, 'is not JSON', { cause })
  }
  if (!isObject(value)) throw new ZnodeError(path, 'is JSON, but not an object')
  return value
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function integer(path: string, json: Json, key: string, fallback?: number): number {
  const value = json[key] ?? fallback
  if (!Number.isSafeInteger(value)) throw new ZnodeError(path, `has no whole number in ${key}`)
  return value as number
}

function isIntegers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every(one => Number.isSafeInteger(one))
}

function integers(path: string, json: Json, key: string): number[] {
  const value = json[key]
  if (!isIntegers(value)) throw new ZnodeError(path, `has no list of whole numbers in ${key}`)
  return value
}

// ---- /controller, /controller_epoch ------------------------------------------------------------------------------------

export interface ControllerZnode {
  brokerId: number
  /** Above 0: a KRaft controller owns the cluster. */
  kraftControllerEpoch: number
}

export function writeController(brokerId: number, wallMs: number): string {
  return JSON.stringify({
    version: 2,
    brokerid: brokerId,
    timestamp: String(wallMs),
    kraftControllerEpoch: -1,
  })
}

export function readController(data: Buffer | null): ControllerZnode {
  const json = parseObject(paths.controller, data)
  return {
    brokerId: integer(paths.controller, json, 'brokerid'),
    kraftControllerEpoch: integer(paths.controller, json, 'kraftControllerEpoch', -1),
  }
}

export function readControllerEpoch(data: Buffer | null): number {
  const text = data?.toString('utf8') ?? ''
  if (!/^\d{1,10}$/.test(text)) throw new ZnodeError(paths.controllerEpoch, 'holds no decimal number')
  return Number(text)
}

// ---- /brokers/ids/<id> -------------------------------------------------------------------------------------------------

export type SecurityProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL'

/** Numbers of the protocols in UpdateMetadata. */
export const securityProtocolIds: Record<SecurityProtocol, number> = {
  PLAINTEXT: 0,
  SSL: 1,
  SASL_PLAINTEXT: 2,
  SASL_SSL: 3,
}

export interface Endpoint {
  listener: string
  securityProtocol: SecurityProtocol
  host: string
  port: number
}

export interface BrokerZnode {
  endpoints: readonly Endpoint[]
  rack: string | null
  /** Ranges of features the broker supports. */
  features: { readonly [name: string]: { min_version: number; max_version: number } }
}

export function writeBroker(broker: BrokerZnode, wallMs: number): string {
  const plain = broker.endpoints.find(({ securityProtocol }) => securityProtocol === 'PLAINTEXT')
  return JSON.stringify({
    features: broker.features,
    listener_security_protocol_map: Object.fromEntries(
      broker.endpoints.map(({ listener, securityProtocol }) => [listener, securityProtocol]),
    ),
    endpoints: broker.endpoints.map(
      ({ listener, host, port }) => `${listener}://${formatAddress({ host, port })}`,
    ),
    jmx_port: -1,
    port: plain?.port ?? -1,
    host: plain?.host ?? null,
    version: 5,
    timestamp: String(wallMs),
    ...(broker.rack === null ? {} : { rack: broker.rack }),
  })
}

export function readBroker(id: number, data: Buffer | null): BrokerZnode {
  const path = paths.broker(id)
  const json = parseObject(path, data)
  const version = integer(path, json, 'version')
  if (version < 1) throw new ZnodeError(path, `has version ${version}, which is none`)
  const rack = typeof json.rack === 'string' ? json.rack : null
  const features = isObject(json.features) ? (json.features as BrokerZnode['features']) : {}
  if (version === 1) {
    const host = String(json.host)
    const port = integer(path, json, 'port')
    return {
      endpoints: [{ listener: 'PLAINTEXT', securityProtocol: 'PLAINTEXT', host, port }],
      rack,
      features,
    }
  }
  if (!Array.isArray(json.endpoints)) throw new ZnodeError(path, 'has no list in endpoints')
  const map = isObject(json.listener_security_protocol_map) ? json.listener_security_protocol_map : {}
  const endpoints = json.endpoints.map(text => {
    const match = /^([A-Za-z0-9_-]*):\/\/\[?([^\]]*?)\]?:(-?\d+)$/.exec(String(text))
    if (match === null) throw new ZnodeError(path, `has an endpoint that is none: ${String(text)}`)
    const listener = match[1]!.toUpperCase()
    // Before version 4 a listener was named after its protocol.
    const securityProtocol = String(map[listener] ?? listener)
    if (!(securityProtocol in securityProtocolIds)) {
      throw new ZnodeError(path, `has an endpoint of an unknown security protocol: ${String(text)}`)
    }
    return {
      listener,
      securityProtocol: securityProtocol as SecurityProtocol,
      host: match[2]!,
      port: Number(match[3]),
    }
  })
  return { endpoints, rack, features }
}

// ---- /brokers/topics/<topic> -------------------------------------------------------------------------------------------

export interface PartitionAssignment {
  /** All replicas; the first is the preferred leader. While reassigning: the target's, then those that are leaving. */
  replicas: readonly number[]
  adding: readonly number[]
  removing: readonly number[]
}

export interface TopicZnode {
  /** null for a topic made by an old tool. */
  topicId: string | null
  partitions: ReadonlyMap<number, PartitionAssignment>
}

export function writeTopic(topic: TopicZnode): string {
  const entries = [...topic.partitions]
  const pick = (list: (assignment: PartitionAssignment) => readonly number[]) =>
    Object.fromEntries(
      entries.filter(([, one]) => list(one).length > 0).map(([index, one]) => [String(index), list(one)]),
    )
  return JSON.stringify({
    partitions: Object.fromEntries(entries.map(([index, one]) => [String(index), one.replicas])),
    ...(topic.topicId === null ? {} : { topic_id: topic.topicId }),
    adding_replicas: pick(one => one.adding),
    removing_replicas: pick(one => one.removing),
    version: 3,
  })
}

export function readTopic(topic: string, data: Buffer | null): TopicZnode {
  const path = paths.topic(topic)
  const json = parseObject(path, data)
  if (!isObject(json.partitions)) throw new ZnodeError(path, 'has no object in partitions')
  const adding = isObject(json.adding_replicas) ? json.adding_replicas : {}
  const removing = isObject(json.removing_replicas) ? json.removing_replicas : {}
  const partitions = new Map<number, PartitionAssignment>()
  for (const [index, replicas] of Object.entries(json.partitions)) {
    if (!/^\d+$/.test(index) || !isIntegers(replicas)) {
      throw new ZnodeError(path, `has no list of brokers for partition ${index}`)
    }
    const listOf = (from: Json): number[] => {
      const list = from[index]
      return isIntegers(list) ? list : []
    }
    partitions.set(Number(index), { replicas, adding: listOf(adding), removing: listOf(removing) })
  }
  return { topicId: typeof json.topic_id === 'string' ? json.topic_id : null, partitions }
}

// ---- /brokers/topics/<topic>/partitions/<n>/state ----------------------------------------------------------------------

/** Leader and in-sync replicas of a partition, as stored. */
export interface PartitionStateZnode {
  /** −1: none. */
  leader: number
  leaderEpoch: number
  isr: readonly number[]
  /** 1: its leader was chosen outside the ISR and has not caught up with that yet (KIP-704). */
  leaderRecoveryState: number
  /** Of the controller that wrote it. */
  controllerEpoch: number
}

export function writePartitionState(state: PartitionStateZnode): string {
  return JSON.stringify({
    controller_epoch: state.controllerEpoch,
    leader: state.leader,
    version: 1,
    leader_epoch: state.leaderEpoch,
    isr: state.isr,
    ...(state.leaderRecoveryState === 0 ? {} : { leader_recovery_state: state.leaderRecoveryState }),
  })
}

export function readPartitionState(
  topic: string,
  partition: number,
  data: Buffer | null,
): PartitionStateZnode {
  const path = paths.partitionState(topic, partition)
  const json = parseObject(path, data)
  return {
    leader: integer(path, json, 'leader'),
    leaderEpoch: integer(path, json, 'leader_epoch'),
    isr: integers(path, json, 'isr'),
    leaderRecoveryState: integer(path, json, 'leader_recovery_state', 0),
    controllerEpoch: integer(path, json, 'controller_epoch'),
  }
}

// ---- /config -----------------------------------------------------------------------------------------------------------

export function writeConfig(config: Readonly<Record<string, string>>): string {
  return JSON.stringify({ version: 1, config })
}

/** No data means no overrides. */
export function readConfig(path: string, data: Buffer | null): Record<string, string> {
  if (data === null || data.length === 0) return {}
  const json = parseObject(path, data)
  if (integer(path, json, 'version') !== 1) throw new ZnodeError(path, `has version ${json.version}, not 1`)
  if (!isObject(json.config)) throw new ZnodeError(path, 'has no object in config')
  return Object.fromEntries(Object.entries(json.config).map(([key, value]) => [key, String(value)]))
}

/** `entityPath` such as `topics/orders` or `users/<default>/clients/app`. */
export function writeConfigChange(entityPath: string): string {
  return JSON.stringify({ version: 2, entity_path: entityPath })
}

/** Gives the entity path. */
export function readConfigChange(path: string, data: Buffer | null): string {
  const json = parseObject(path, data)
  if (json.version === 1 && typeof json.entity_type === 'string' && typeof json.entity_name === 'string') {
    return `${json.entity_type}/${json.entity_name}`
  }
  if (json.version === 2 && typeof json.entity_path === 'string') return json.entity_path
  throw new ZnodeError(path, 'names no entity whose configuration has changed')
}

// ---- /cluster/id, /feature, /admin, notifications, /latest_producer_id_block -------------------------------------------

export function writeClusterId(id: string): string {
  return JSON.stringify({ version: '1', id })
}

export function readClusterId(data: Buffer | null): string {
  const { id } = parseObject(paths.clusterId, data)
  if (typeof id !== 'string' || id === '') throw new ZnodeError(paths.clusterId, 'has no text in id')
  return id
}

/** Enabled, nothing finalized, unless `features` of an earlier controller are to be kept. */
export function writeFeature(features: Json = {}): string {
  return JSON.stringify({ features, version: 2, status: 1 })
}

export function readFeature(data: Buffer | null): { version: number; status: number; features: Json } {
  const json = parseObject(paths.feature, data)
  return {
    version: integer(paths.feature, json, 'version'),
    status: integer(paths.feature, json, 'status'),
    features: isObject(json.features) ? json.features : {},
  }
}

export interface TopicPartition {
  topic: string
  partition: number
}

/** What old tools ask: preferred elections, and what leaders tell: changed ISRs. Both have the same form. */
export function readPartitionList(path: string, data: Buffer | null): TopicPartition[] {
  const { partitions } = parseObject(path, data)
  if (!Array.isArray(partitions)) throw new ZnodeError(path, 'has no list in partitions')
  return partitions.map(one => {
    if (!isObject(one) || typeof one.topic !== 'string' || !Number.isSafeInteger(one.partition)) {
      throw new ZnodeError(path, 'has an entry in partitions that names no partition')
    }
    return { topic: one.topic, partition: one.partition as number }
  })
}

/** What an old tool asks to be moved. Anything that cannot be read counts as nothing, as for Apache's controller. */
export function readReassignment(data: Buffer | null): (TopicPartition & { replicas: number[] })[] {
  try {
    const { partitions } = parseObject(paths.reassignPartitions, data)
    if (!Array.isArray(partitions)) return []
    return partitions.filter(
      one =>
        isObject(one) &&
        typeof one.topic === 'string' &&
        Number.isSafeInteger(one.partition) &&
        isIntegers(one.replicas),
    )
  } catch (error) {
    if (error instanceof ZnodeError) return []
    throw error
  }
}

export function writeReassignment(
  partitions: readonly (TopicPartition & { replicas: readonly number[] })[],
): string {
  return JSON.stringify({ version: 1, partitions })
}

export function readLogDirEvent(path: string, data: Buffer | null): number {
  return integer(path, parseObject(path, data), 'broker')
}

/** A block of producer ids, both bounds included. */
export interface ProducerIdBlock {
  broker: number
  start: number
  end: number
}

export function writeProducerIdBlock(block: ProducerIdBlock): string {
  const { broker, start, end } = block
  return JSON.stringify({ version: 1, broker, block_start: String(start), block_end: String(end) })
}

/** null before the first allocation. */
export function readProducerIdBlock(data: Buffer | null): ProducerIdBlock | null {
  if (data === null || data.length === 0) return null
  const json = parseObject(paths.producerIdBlock, data)
  const start = Number(json.block_start)
  const end = Number(json.block_end)
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end)) {
    throw new ZnodeError(paths.producerIdBlock, 'has no bounds')
  }
  return { broker: integer(paths.producerIdBlock, json, 'broker'), start, end }
}

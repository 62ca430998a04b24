import { resolve } from 'node:path'
import type { TopicLogConfig } from '@vivarium/log-storage'
import {
  ConfigError,
  type ConfigValues,
  type Disk,
  type Property,
  parseProperties,
  readConfig,
} from '@vivarium/platform'
import { controllerKeys } from './settings/controller.ts'
import { generalKeys } from './settings/general.ts'
import { groupsKeys } from './settings/groups.ts'
import { kraftKeys } from './settings/kraft.ts'
import { listenersKeys } from './settings/listeners.ts'
import { logKeys } from './settings/log.ts'
import { quotasKeys } from './settings/quotas.ts'
import { replicationKeys } from './settings/replication.ts'
import { securityKeys } from './settings/security.ts'
import { tieredStorageKeys } from './settings/tiered-storage.ts'
import { transactionsKeys } from './settings/transactions.ts'

/** Every key of a broker, as Kafka 3.9 spells them; those of brokers without ZooKeeper have no effect. */
export const brokerKeys = {
  ...generalKeys,
  ...listenersKeys,
  ...controllerKeys,
  ...replicationKeys,
  ...logKeys,
  ...groupsKeys,
  ...transactionsKeys,
  ...quotasKeys,
  ...securityKeys,
  ...tieredStorageKeys,
  ...kraftKeys,
} as const

/** One address a broker listens on, and what it tells others to call. */
export interface ListenerSettings {
  name: string
  securityProtocol: string
  host: string
  port: number
  advertisedHost: string
  advertisedPort: number
}

/** What a broker is to do, read and checked. */
export interface BrokerSettings {
  file: string
  values: ConfigValues<typeof brokerKeys>
  /** What was written in the file, by key. */
  given: ReadonlyMap<string, Property>
  listeners: readonly ListenerSettings[]
  interBrokerListener: string
  logDirs: readonly string[]
  warnings: string[]
}

/** Reads `server.properties`, with the overrides of the command line (`--override key=value`). Rejects with ConfigError. */
export async function readSettings(
  disk: Disk,
  path: string,
  overrides: readonly string[] = [],
): Promise<BrokerSettings> {
  let text: string
  try {
    text = (await disk.readFile(path)).toString('utf8')
  } catch (error) {
    throw new ConfigError({
      key: path,
      problem: `cannot be read: ${(error as Error).message}`,
      fix: 'give the path of a server.properties',
    })
  }
  const file = path.split('/').at(-1)!
  const properties = parseProperties(text, file)
  for (const override of overrides) {
    const equals = override.indexOf('=')
    if (equals < 1)
      throw new ConfigError({
        key: '--override',
        value: override,
        problem: 'is no key=value',
        fix: 'write --override key=value',
      })
    properties.set(override.slice(0, equals), { value: override.slice(equals + 1), where: '--override' })
  }
  return checkSettings(file, properties)
}

export function checkSettings(file: string, properties: ReadonlyMap<string, Property>): BrokerSettings {
  for (const key of [
    'process.roles',
    'node.id',
    'controller.quorum.voters',
    'controller.quorum.bootstrap.servers',
  ] as const) {
    const given = properties.get(key)
    if (given !== undefined) {
      throw new ConfigError({
        key,
        value: given.value,
        where: given.where,
        problem: 'is for brokers without ZooKeeper',
        fix: 'remove it, and name the ensemble in zookeeper.connect',
      })
    }
  }
  const { values, warnings } = readConfig(brokerKeys, properties, {
    isKnownOtherwise: key => key.startsWith('listener.name.'),
  })
  if (values['zookeeper.connect'] === null) {
    throw new ConfigError({
      key: 'zookeeper.connect',
      where: file,
      problem: 'is missing',
      fix: 'add zookeeper.connect=host1:2181,host2:2181,host3:2181',
    })
  }
  const id = values['broker.id']!
  if (id > values['reserved.broker.max.id']! || (id < 0 && !values['broker.id.generation.enable'])) {
    throw new ConfigError({
      key: 'broker.id',
      value: id,
      where: properties.get('broker.id')?.where ?? file,
      problem: `is outside 0..${values['reserved.broker.max.id']}`,
      fix: 'give each broker a number of its own in that range',
    })
  }
  const listeners = readListeners(file, values, properties)
  const logDirs = (values['log.dirs'] ?? values['log.dir'] ?? '/tmp/kafka-logs')
    .split(',')
    .map(dir => resolve(dir.trim()))
  return {
    file,
    values,
    given: properties,
    listeners,
    interBrokerListener: interBrokerListener(file, values, properties, listeners),
    logDirs,
    warnings,
  }
}

function readListeners(
  file: string,
  values: BrokerSettings['values'],
  properties: ReadonlyMap<string, Property>,
): ListenerSettings[] {
  const protocols = protocolMap(values['listener.security.protocol.map'])
  const own = parseListeners('listeners', values.listeners!, properties.get('listeners')?.where ?? file)
  const advertised =
    values['advertised.listeners'] === null
      ? own
      : parseListeners(
          'advertised.listeners',
          values['advertised.listeners']!,
          properties.get('advertised.listeners')?.where ?? file,
        )
  return own.map(({ name, host, port }) => {
    const securityProtocol = protocols.get(name) ?? name
    if (securityProtocol !== 'PLAINTEXT') {
      throw new ConfigError({
        key: 'listeners',
        value: `${name}://${host}:${port}`,
        where: properties.get('listeners')?.where ?? file,
        problem: ['SSL', 'SASL_PLAINTEXT', 'SASL_SSL'].includes(securityProtocol)
          ? `asks for ${securityProtocol}, which is not served yet`
          : 'has a name that listener.security.protocol.map lacks',
        fix: 'use PLAINTEXT on an address that only trusted machines reach',
      })
    }
    const published = advertised.find(other => other.name === name)
    const advertisedHost =
      published === undefined || published.host === '' || published.host === '0.0.0.0'
        ? defaultHost(host)
        : published.host
    return {
      name,
      securityProtocol,
      host: host === '' ? '0.0.0.0' : host,
      port,
      advertisedHost,
      advertisedPort: published?.port ?? port,
    }
  })
}

/** What others can call when the broker listens everywhere. */
function defaultHost(host: string): string {
  return host === '' || host === '0.0.0.0' ? 'localhost' : host
}

function parseListeners(
  key: string,
  text: string,
  where: string,
): { name: string; host: string; port: number }[] {
  const listeners = text.split(',').map(entry => {
    const match = /^\s*([\w.-]+):\/\/(\[[^\]]*\]|[^:]*):(\d+)\s*$/.exec(entry)
    const port = Number(match?.[3])
    if (match === null || port > 65535) {
      throw new ConfigError({
        key,
        value: entry,
        where,
        problem: 'is no listener',
        fix: 'write NAME://host:port',
      })
    }
    return { name: match[1]!.toUpperCase(), host: match[2]!.replace(/^\[|\]$/g, ''), port }
  })
  for (const name of listeners.map(l => l.name)) {
    if (listeners.filter(other => other.name === name).length > 1) {
      throw new ConfigError({
        key,
        value: text,
        where,
        problem: `names ${name} twice`,
        fix: 'give each listener a name of its own',
      })
    }
  }
  return listeners
}

function protocolMap(text: string | null): Map<string, string> {
  if (text === null) return new Map()
  return new Map(
    text.split(',').map(entry => entry.split(':').map(word => word.trim().toUpperCase()) as [string, string]),
  )
}

function interBrokerListener(
  file: string,
  values: BrokerSettings['values'],
  properties: ReadonlyMap<string, Property>,
  listeners: readonly ListenerSettings[],
): string {
  const name = (
    values['inter.broker.listener.name'] ??
    values['security.inter.broker.protocol'] ??
    'PLAINTEXT'
  ).toUpperCase()
  if (listeners.some(listener => listener.name === name)) return name
  throw new ConfigError({
    key: 'inter.broker.listener.name',
    value: name,
    where: properties.get('inter.broker.listener.name')?.where ?? file,
    problem: 'is not among listeners',
    fix: `set it to one of ${listeners.map(listener => listener.name).join(', ')}`,
  })
}

/** What a topic's log goes by: the topic's own settings over the broker's. `topic` holds texts by topic key. */
export function topicLogConfig(
  values: BrokerSettings['values'],
  topic: ReadonlyMap<string, string> = new Map(),
): TopicLogConfig {
  const number = (key: string, fallback: number) =>
    topic.has(key) ? clamp(Number(topic.get(key))) : fallback
  const text = (key: string, fallback: string) => topic.get(key) ?? fallback
  return {
    segmentBytes: number('segment.bytes', values['log.segment.bytes']!),
    segmentMs: number('segment.ms', values['log.roll.ms'] ?? values['log.roll.hours']! * 3_600_000),
    indexIntervalBytes: number('index.interval.bytes', values['log.index.interval.bytes']!),
    indexSizeBytes: number('segment.index.bytes', values['log.index.size.max.bytes']!),
    retentionMs: number('retention.ms', retentionMs(values)),
    retentionBytes: number('retention.bytes', values['log.retention.bytes']!),
    maxMessageBytes: number('max.message.bytes', values['message.max.bytes']!),
    cleanupPolicy: text('cleanup.policy', values['log.cleanup.policy'].join(','))
      .split(',')
      .map(word => word.trim()) as TopicLogConfig['cleanupPolicy'],
    messageTimestampType: text(
      'message.timestamp.type',
      values['log.message.timestamp.type']!,
    ) as TopicLogConfig['messageTimestampType'],
    flushMessages: number('flush.messages', values['log.flush.interval.messages']!),
  }
}

/** How many in-sync replicas an acks=all write to the topic needs. */
export function minInSyncReplicas(
  values: BrokerSettings['values'],
  topic: ReadonlyMap<string, string>,
): number {
  return Number(topic.get('min.insync.replicas') ?? values['min.insync.replicas'])
}

function retentionMs(values: BrokerSettings['values']): number {
  if (values['log.retention.ms'] !== null) return values['log.retention.ms']!
  const minutes = values['log.retention.minutes']
  if (minutes !== null) return minutes! < 0 ? -1 : minutes! * 60_000
  const hours = values['log.retention.hours']!
  return hours < 0 ? -1 : hours * 3_600_000
}

function clamp(value: number): number {
  return Math.min(value, Number.MAX_SAFE_INTEGER)
}

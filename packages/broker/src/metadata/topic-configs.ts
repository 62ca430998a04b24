import { type ConfigKey, config } from '@vivarium/platform'
import type { BrokerSettings } from '../settings.ts'
import { brokerKeys } from '../settings.ts'

/** A broker setting that stands in for a topic's; `scale` turns its unit into the topic's. */
interface Synonym {
  key: keyof typeof brokerKeys
  scale: number
}

/** One key of a topic's configuration. */
export interface TopicKey {
  key: ConfigKey<unknown>
  /** In order of precedence; the last one has the default. Empty: the default is the key's own. */
  synonyms: readonly Synonym[]
}

const longest = Number.MAX_SAFE_INTEGER
const hourMs = 3_600_000
const { boolean, double, int, list, long, string } = config

function topicKey(
  key: ConfigKey<unknown>,
  ...synonyms: (keyof typeof brokerKeys | [keyof typeof brokerKeys, number])[]
): TopicKey {
  return {
    key,
    synonyms: synonyms.map(one =>
      typeof one === 'string' ? { key: one, scale: 1 } : { key: one[0], scale: one[1] },
    ),
  }
}

const throttled = list({
  default: [],
  about: 'Replicas whose replication traffic is limited: `partition:broker,…` or `*`.',
})

/** Every key of a topic, as Kafka 3.9 spells them. Source: LogConfig. */
export const topicKeys: Readonly<Record<string, TopicKey>> = {
  'cleanup.policy': topicKey(
    list({
      default: ['delete'],
      oneOf: ['delete', 'compact'],
      about: 'What becomes of old records: deleted, or compacted to the latest of each key.',
    }),
    'log.cleanup.policy',
  ),
  'compression.type': topicKey(
    string({
      default: 'producer',
      oneOf: ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'],
      about: 'How batches are compressed; `producer`: as they come.',
    }),
    'compression.type',
  ),
  'compression.gzip.level': topicKey(
    int({ default: -1, min: -1, max: 9, about: 'Level for gzip.' }),
    'compression.gzip.level',
  ),
  'compression.lz4.level': topicKey(
    int({ default: 9, min: 1, max: 17, about: 'Level for lz4.' }),
    'compression.lz4.level',
  ),
  'compression.zstd.level': topicKey(
    int({ default: 3, min: -131072, max: 22, about: 'Level for zstd.' }),
    'compression.zstd.level',
  ),
  'delete.retention.ms': topicKey(
    long({ default: 86_400_000, min: 0, about: 'How long compaction keeps tombstones.' }),
    'log.cleaner.delete.retention.ms',
  ),
  'file.delete.delay.ms': topicKey(
    long({ default: 60_000, min: 0, about: 'How long a removed file stays on disk.' }),
    'log.segment.delete.delay.ms',
  ),
  'flush.messages': topicKey(
    long({ default: longest, min: 1, about: 'Records after which the log is forced to disk.' }),
    'log.flush.interval.messages',
  ),
  'flush.ms': topicKey(
    long({ default: longest, min: 0, about: 'Time after which the log is forced to disk.' }),
    'log.flush.interval.ms',
    'log.flush.scheduler.interval.ms',
  ),
  'follower.replication.throttled.replicas': topicKey(throttled),
  'index.interval.bytes': topicKey(
    int({ default: 4096, min: 0, about: 'Bytes between two entries of the offset index.' }),
    'log.index.interval.bytes',
  ),
  'leader.replication.throttled.replicas': topicKey(throttled),
  'local.retention.bytes': topicKey(
    long({ default: -2, min: -2, about: 'Bytes kept locally of a tiered log.' }),
    'log.local.retention.bytes',
  ),
  'local.retention.ms': topicKey(
    long({ default: -2, min: -2, about: 'Time a tiered log is kept locally.' }),
    'log.local.retention.ms',
  ),
  'max.compaction.lag.ms': topicKey(
    long({ default: longest, min: 1, about: 'Time after which a record must be compacted.' }),
    'log.cleaner.max.compaction.lag.ms',
  ),
  'max.message.bytes': topicKey(
    int({ default: 1_048_588, min: 0, about: 'Largest batch accepted.' }),
    'message.max.bytes',
  ),
  'message.downconversion.enable': topicKey(
    boolean({ default: true, about: 'Whether old consumers get old formats.' }),
    'log.message.downconversion.enable',
  ),
  'message.format.version': topicKey(
    string({ default: '3.0-IV1', about: 'Ignored: batches are always of the newest format.' }),
    'log.message.format.version',
  ),
  'message.timestamp.after.max.ms': topicKey(
    long({ default: longest, min: 0, about: 'How far a timestamp may lie in the future.' }),
    'log.message.timestamp.after.max.ms',
  ),
  'message.timestamp.before.max.ms': topicKey(
    long({ default: longest, min: 0, about: 'How far a timestamp may lie in the past.' }),
    'log.message.timestamp.before.max.ms',
  ),
  'message.timestamp.difference.max.ms': topicKey(
    long({ default: longest, min: 0, about: 'How far a timestamp may differ from the present.' }),
    'log.message.timestamp.difference.max.ms',
  ),
  'message.timestamp.type': topicKey(
    string({
      default: 'CreateTime',
      oneOf: ['CreateTime', 'LogAppendTime'],
      about: 'Whose clock stamps records.',
    }),
    'log.message.timestamp.type',
  ),
  'min.cleanable.dirty.ratio': topicKey(
    double({ default: 0.5, min: 0, max: 1, about: 'Share of uncompacted bytes that is worth a compaction.' }),
    'log.cleaner.min.cleanable.ratio',
  ),
  'min.compaction.lag.ms': topicKey(
    long({ default: 0, min: 0, about: 'Time a record stays uncompacted.' }),
    'log.cleaner.min.compaction.lag.ms',
  ),
  'min.insync.replicas': topicKey(
    int({ default: 1, min: 1, about: 'In-sync replicas that acks=all needs.' }),
    'min.insync.replicas',
  ),
  preallocate: topicKey(
    boolean({ default: false, about: 'Whether segments take their space at once.' }),
    'log.preallocate',
  ),
  'remote.storage.enable': topicKey(boolean({ default: false, about: 'Whether the log is tiered.' })),
  'remote.log.copy.disable': topicKey(
    boolean({ default: false, about: 'Whether nothing more is copied to remote storage.' }),
  ),
  'remote.log.delete.on.disable': topicKey(
    boolean({ default: false, about: 'Whether remote data goes when tiering ends.' }),
  ),
  'retention.bytes': topicKey(
    long({ default: -1, about: 'Size of a partition beyond which old segments go.' }),
    'log.retention.bytes',
  ),
  'retention.ms': topicKey(
    long({ default: 168 * hourMs, min: -1, about: 'Age beyond which segments go.' }),
    'log.retention.ms',
    ['log.retention.minutes', 60_000],
    ['log.retention.hours', hourMs],
  ),
  'segment.bytes': topicKey(
    int({ default: 1024 ** 3, min: 14, about: 'Size at which a new segment begins.' }),
    'log.segment.bytes',
  ),
  'segment.index.bytes': topicKey(
    int({ default: 10_485_760, min: 4, about: 'Size of an index file.' }),
    'log.index.size.max.bytes',
  ),
  'segment.jitter.ms': topicKey(
    long({ default: 0, min: 0, about: 'Random part of segment.ms.' }),
    'log.roll.jitter.ms',
    ['log.roll.jitter.hours', hourMs],
  ),
  'segment.ms': topicKey(
    long({ default: 168 * hourMs, min: 1, about: 'Age at which a new segment begins.' }),
    'log.roll.ms',
    ['log.roll.hours', hourMs],
  ),
  'unclean.leader.election.enable': topicKey(
    boolean({
      default: false,
      about: 'Whether a replica that lacks records may lead when no other is left.',
    }),
    'unclean.leader.election.enable',
  ),
}

/** What is wrong with a topic's own configuration, as a sentence; null if nothing. */
export function topicConfigProblem(config: Readonly<Record<string, string>>): string | null {
  const parsed: Record<string, unknown> = {}
  for (const [name, text] of Object.entries(config)) {
    const known = topicKeys[name]
    if (known === undefined) return `Unknown topic config name: ${name}`
    try {
      parsed[name] = known.key.parse(text.trim())
    } catch (error) {
      return `Invalid value ${text} for configuration ${name}: it ${(error as Error).message}`
    }
  }
  const least = parsed['min.compaction.lag.ms']
  const most = parsed['max.compaction.lag.ms']
  if (typeof least === 'number' && typeof most === 'number' && least > most) {
    return `conflict topic config setting min.compaction.lag.ms (${least}) > max.compaction.lag.ms (${most})`
  }
  if ((parsed['cleanup.policy'] as readonly string[] | undefined)?.length === 0) {
    return 'Invalid value for configuration cleanup.policy: it names no policy'
  }
  if (parsed['remote.storage.enable'] === true) {
    return 'Tiered storage is not served: remote.storage.enable cannot be true'
  }
  return null
}

/** A value as `server.properties` would have it; null if there is none. */
export function configText(value: unknown): string | null {
  if (value === null || value === undefined) return null
  if (value === Number.MAX_SAFE_INTEGER) return '9223372036854775807'
  if (Array.isArray(value)) return value.join(',')
  if (typeof value === 'number' && !Number.isInteger(value)) return String(value)
  if (typeof value === 'number' && Math.abs(value) >= 1e21)
    return String(value).toUpperCase().replace('+', '')
  return String(value)
}

/** Where a value comes from, as DescribeConfigs numbers it. */
export const configSource = {
  topic: 1,
  dynamicBroker: 2,
  dynamicDefaultBroker: 3,
  staticBroker: 4,
  default: 5,
} as const

export interface ConfigSynonym {
  name: string
  value: string | null
  source: number
}

/** All places a topic's key has a value in, the one in force first. Never empty. */
export function topicSynonyms(
  settings: BrokerSettings,
  own: ReadonlyMap<string, string>,
  name: string,
): ConfigSynonym[] {
  const { key, synonyms } = topicKeys[name]!
  const found: ConfigSynonym[] = []
  const text = own.get(name)
  if (text !== undefined) found.push({ name, value: text, source: configSource.topic })
  for (const one of synonyms) {
    const given = settings.given.get(one.key)
    if (given !== undefined) {
      found.push({
        name: one.key,
        value: scaled(given.value.trim(), one.scale),
        source: configSource.staticBroker,
      })
    }
  }
  const last = synonyms.at(-1)
  const fallback = last === undefined ? null : (brokerKeys[last.key] as ConfigKey<unknown>)
  const value =
    fallback === null || fallback.default === null
      ? configText(key.default)
      : scaled(configText(fallback.default)!, last!.scale)
  found.push({ name: last?.key ?? name, value, source: configSource.default })
  return found
}

function scaled(text: string, scale: number): string {
  if (scale === 1) return text
  const value = Number(text)
  // −1 hours is «for ever», as is −1 ms.
  return String(value < 0 ? value : value * scale)
}

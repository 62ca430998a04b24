import { config } from '@vivarium/platform'
import { keyValues } from './client-properties.ts'
import { ToolError } from './tool.ts'

/** `--config key=value`, given any number of times. */
export function parseTopicConfigs(words: readonly string[]): Map<string, string> {
  return new Map(words.flatMap(keyValues))
}

const about = ''
const long = (min: number) => config.long({ default: 0, min, about })
const int = (min: number, max?: number) =>
  config.int({ default: 0, min, ...(max !== undefined && { max }), about })
const boolean = config.boolean({ default: false, about })
const words = config.string({ default: '', about })
const oneOf = (...values: string[]) => config.string({ default: '', oneOf: values, about })

/** Every setting a topic of Kafka 3.9 can have, and what its values look like. */
const topicConfigs: ReadonlyMap<string, { parse: (text: string) => unknown }> = new Map(
  Object.entries({
    'cleanup.policy': config.list({ default: [], oneOf: ['delete', 'compact'], about }),
    'compression.gzip.level': int(-1, 9),
    'compression.lz4.level': int(1, 17),
    'compression.type': oneOf('uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'),
    'compression.zstd.level': int(-131_072, 22),
    'delete.retention.ms': long(0),
    'file.delete.delay.ms': long(0),
    'flush.messages': long(1),
    'flush.ms': long(0),
    'follower.replication.throttled.replicas': words,
    'index.interval.bytes': int(0),
    'leader.replication.throttled.replicas': words,
    'local.retention.bytes': long(-2),
    'local.retention.ms': long(-2),
    'max.compaction.lag.ms': long(1),
    'max.message.bytes': int(0),
    'message.downconversion.enable': boolean,
    'message.format.version': words,
    'message.timestamp.after.max.ms': long(0),
    'message.timestamp.before.max.ms': long(0),
    'message.timestamp.difference.max.ms': long(0),
    'message.timestamp.type': oneOf('CreateTime', 'LogAppendTime'),
    'min.cleanable.dirty.ratio': config.double({ default: 0, min: 0, max: 1, about }),
    'min.compaction.lag.ms': long(0),
    'min.insync.replicas': int(1),
    preallocate: boolean,
    'remote.log.copy.disable': boolean,
    'remote.log.delete.on.disable': boolean,
    'remote.storage.enable': boolean,
    'retention.bytes': long(Number.MIN_SAFE_INTEGER),
    'retention.ms': long(-1),
    'segment.bytes': int(14),
    'segment.index.bytes': int(4),
    'segment.jitter.ms': long(0),
    'segment.ms': long(1),
    'unclean.leader.election.enable': boolean,
  }),
)

/** Throws ToolError for a name that is no setting of topics. */
export function checkTopicConfigNames(names: Iterable<string>): void {
  for (const name of names)
    if (!topicConfigs.has(name)) throw new ToolError(`Unknown topic config name: ${name}`)
}

/** Throws ToolError for a name or a value no topic can have. */
export function checkTopicConfigs(configs: ReadonlyMap<string, string>): void {
  checkTopicConfigNames(configs.keys())
  for (const [name, value] of configs) {
    try {
      topicConfigs.get(name)!.parse(value.trim())
    } catch (error) {
      throw new ToolError(`Invalid value ${value} for configuration ${name}: it ${(error as Error).message}`)
    }
  }
}

import { connect } from '../kafka-tools/client-properties.ts'
import {
  byTopicAndPartition,
  earliest,
  latest,
  maxTimestamp,
  offsetsAt,
  partitionName,
  partitionsOf,
  type TopicPartition,
} from '../kafka-tools/offsets.ts'
import { UsageError } from '../kafka-tools/options.ts'
import { ToolError, tool } from '../kafka-tools/tool.ts'
import { internalTopics, topicFilter } from '../kafka-tools/topic-names.ts'

const spec = {
  name: 'kafka-get-offsets',
  about: 'Print the offsets of partitions at a time.',
  options: {
    'bootstrap-server': { argument: '<host:port,…>', about: 'Brokers to connect to.' },
    'command-config': { argument: '<file>', about: 'Properties of the client.' },
    topic: { argument: '<regex>', about: 'The topics; all if not given.' },
    partitions: { argument: '<0,1>', about: 'Only these partitions.' },
    'topic-partitions': {
      argument: '<topic:0-3,other:5>',
      about: 'Partitions, from the first to before the last.',
    },
    time: {
      argument: '<ms|latest|earliest|max-timestamp>',
      about: 'The time; also -1 (latest), -2 (earliest), -3 (max-timestamp).',
      default: 'latest',
    },
    'exclude-internal-topics': { about: 'Leave the topics of the brokers themselves out.' },
  },
  examples: [
    'kafka-get-offsets.sh --bootstrap-server 127.0.0.1:9092 --topic orders',
    'kafka-get-offsets.sh --bootstrap-server 127.0.0.1:9092 --topic orders --time earliest',
    'kafka-get-offsets.sh --bootstrap-server 127.0.0.1:9092 --topic-partitions orders:0,orders:2-4',
  ],
} as const

type Name = keyof typeof spec.options

const namedTimes: ReadonlyMap<string, number> = new Map([
  ['latest', latest],
  ['-1', latest],
  ['earliest', earliest],
  ['-2', earliest],
  ['max-timestamp', maxTimestamp],
  ['-3', maxTimestamp],
])

/** Apache's kafka-get-offsets: `topic:partition:offset` a line, the offset empty where no record is so late. */
export const run = tool<Name>(spec, async (options, io) => {
  const time = timeOf(options.value('time') ?? 'latest')
  if (options.has('topic-partitions') && (options.has('topic') || options.has('partitions')))
    throw new UsageError('--topic-partitions cannot be used with --topic or --partitions')
  const isWanted = partitionFilter(options.value('topic-partitions'), options.value('partitions'))
  const isTopicWanted = topicFilter(options.value('topic'), false)
  const cluster = await connect(options.required('bootstrap-server'), options.value('command-config'), io)
  try {
    const { topics } = await cluster.metadata(null)
    const names = topics
      .map(({ name }) => name!)
      .filter(isTopicWanted)
      .filter(name => !(options.has('exclude-internal-topics') && internalTopics.has(name)))
    const partitions = (await partitionsOf(cluster, names)).filter(isWanted).sort(byTopicAndPartition)
    if (partitions.length === 0)
      throw new ToolError('Could not match any topic-partitions with the specified filters')
    const offsets = await offsetsAt(cluster, partitions, time)
    for (const place of partitions) {
      const offset = offsets.get(partitionName(place))!
      io.stdout.write(`${place.topic}:${place.partition}:${offset < 0 ? '' : offset}\n`)
    }
    return 0
  } finally {
    await cluster.close()
  }
})

function timeOf(text: string): number {
  const named = namedTimes.get(text)
  if (named !== undefined) return named
  if (!/^\d{1,15}$/.test(text))
    throw new UsageError(
      `Malformed time argument ${text}: it takes a time in milliseconds, latest, earliest or max-timestamp`,
    )
  return Number(text)
}

/** `orders:0,orders:2-4,:7`: a topic pattern, then a partition or a range without its end; either may be left out. */
function partitionFilter(list: string | null, numbers: string | null): (place: TopicPartition) => boolean {
  if (list === null && numbers === null) return () => true
  const rules =
    list === null
      ? numbers!.split(',').map(number => partitionRule(`:${number.trim()}`))
      : list.split(',').map(partitionRule)
  return place => rules.some(rule => rule(place))
}

function partitionRule(text: string): (place: TopicPartition) => boolean {
  const [, topic, , first, range, last] = /^([^:]*)(:(\d{0,9})(-(\d{0,9}))?)?$/.exec(text.trim()) ?? []
  if (topic === undefined)
    throw new UsageError(`Invalid rule: ${text}; it takes topic:partition or topic:from-to`)
  const isTopic = topicFilter(topic === '' ? null : topic, false)
  const from = first ? Number(first) : 0
  const to = range === undefined ? (first ? from + 1 : Infinity) : last ? Number(last) : Infinity
  return place => isTopic(place.topic) && place.partition >= from && place.partition < to
}

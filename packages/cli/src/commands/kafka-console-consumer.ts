import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { CommandIo } from '../io.ts'
import { ClientError, type GroupRecord, joinGroup } from '../kafka-client.ts'
import { clientProperties, milliseconds, warnOfUnused } from '../kafka-tools/client-properties.ts'
import { Cluster } from '../kafka-tools/cluster.ts'
import { removeMember } from '../kafka-tools/groups.ts'
import { earliest, latest, offsetsAt, partitionName, partitionsOf } from '../kafka-tools/offsets.ts'
import { type Options, UsageError } from '../kafka-tools/options.ts'
import { PartitionReader } from '../kafka-tools/partition-reader.ts'
import { formatterProperties, type PrintableRecord, RecordPrinter } from '../kafka-tools/record-printer.ts'
import { ToolError, tool } from '../kafka-tools/tool.ts'
import { topicFilter } from '../kafka-tools/topic-names.ts'

const spec = {
  name: 'kafka-console-consumer',
  about: 'Print the records of a topic.',
  options: {
    'bootstrap-server': { argument: '<host:port,…>', about: 'Brokers to connect to.' },
    topic: { argument: '<name>', about: 'The topic to read.' },
    include: { argument: '<regex>', about: 'Topics to read, instead of --topic.' },
    whitelist: { argument: '<regex>', about: 'The former name of --include.' },
    partition: { argument: '<number>', about: 'Read this partition only.' },
    offset: {
      argument: '<earliest|latest|number>',
      about: 'Where to begin in --partition.',
      default: 'latest',
    },
    'from-beginning': { about: 'Begin at the oldest record, unless the group has been further.' },
    'max-messages': { argument: '<count>', about: 'Stop after so many records.' },
    'timeout-ms': { argument: '<ms>', about: 'Stop when nothing comes for so long.' },
    group: { argument: '<id>', about: 'Read as a member of this group, and commit what was printed.' },
    'isolation-level': {
      argument: '<read_committed|read_uncommitted>',
      about: 'Whether records of open transactions are shown.',
      default: 'read_uncommitted',
    },
    property: {
      argument: '<key=value>',
      isRepeatable: true,
      about: 'What is printed: print.key, print.timestamp, print.offset, print.partition, print.headers …',
    },
    'formatter-config': { argument: '<file>', about: 'The same properties in a file.' },
    formatter: { argument: '<class>', about: 'Only the default formatter is there.' },
    'key-deserializer': { argument: '<class>', about: 'How keys are read.' },
    'value-deserializer': { argument: '<class>', about: 'How values are read.' },
    'consumer-property': {
      argument: '<key=value>',
      isRepeatable: true,
      about: 'A property of the consumer.',
    },
    'consumer.config': { argument: '<file>', about: 'Properties of the consumer in a file.' },
    'skip-message-on-error': { about: 'Leave out a record that cannot be printed.' },
    'enable-systest-events': { about: 'Accepted for compatibility.' },
  },
  examples: [
    'kafka-console-consumer.sh --bootstrap-server 127.0.0.1:9092 --topic orders --from-beginning',
    'kafka-console-consumer.sh --bootstrap-server 127.0.0.1:9092 --topic orders --group billing --property print.key=true',
    'kafka-console-consumer.sh --bootstrap-server 127.0.0.1:9092 --topic orders --partition 0 --offset 100 --max-messages 10',
  ],
} as const

type Name = keyof typeof spec.options
type Given = Options<Name | 'help' | 'version'>

const consumerProperties = [
  'auto.offset.reset',
  'bootstrap.servers',
  'client.id',
  'enable.auto.commit',
  'group.id',
  'isolation.level',
  'request.timeout.ms',
  'security.protocol',
]
const formatterClass = /(^|[.$])DefaultMessageFormatter$/
const commitIntervalMs = 5_000
const pauseBeforeJoiningMs = 500
const giveUpMs = 120_000

interface Settings {
  servers: string
  topicOption: string | null
  pattern: string | null
  partition: number | null
  start: number
  groupId: string | null
  commits: boolean
  isReadCommitted: boolean
  maxMessages: number
  timeoutMs: number
  clientId: string
  requestTimeoutMs: number
  skipsErrors: boolean
  printer: RecordPrinter
}

/** Apache's kafka-console-consumer. Ctrl-C ends it in order: what was printed is committed, the group left. */
export const run = tool<Name>(spec, async (options, io) => {
  const settings = await settingsOf(options, io)
  const cluster = await Cluster.connect(settings.servers, {
    clientId: settings.clientId,
    requestTimeoutMs: settings.requestTimeoutMs,
    totalTimeoutMs: 60_000,
  })
  const printing = new Printing(settings, io)
  try {
    const topics = await topicsOf(cluster, settings)
    if (settings.groupId !== null && settings.partition === null)
      await readAsMember(cluster, settings, settings.groupId, topics, printing, io)
    else await readAlone(cluster, settings, topics, printing, io)
  } finally {
    await printing.finish()
    await cluster.close()
  }
  return 0
})

async function settingsOf(options: Given, io: CommandIo): Promise<Settings> {
  const servers = options.required('bootstrap-server')
  const patterns = options.among(['topic', 'include', 'whitelist'])
  if (patterns.length !== 1)
    throw new UsageError(`Exactly one of --include/--topic is required. ${patterns.length} were given.`)
  const properties = await clientProperties(
    options.value('consumer.config'),
    options.values('consumer-property'),
  )
  warnOfUnused(properties, consumerProperties, io)
  const formatting = await clientProperties(options.value('formatter-config'), options.values('property'))
  warnOfUnused(formatting, formatterProperties, io)
  const formatter = options.value('formatter')
  if (formatter !== null && !formatterClass.test(formatter))
    throw new UsageError(`--formatter ${formatter} is not supported: only the default formatter is there`)
  const isolation =
    options.value('isolation-level') ?? properties.get('isolation.level') ?? 'read_uncommitted'
  if (isolation !== 'read_committed' && isolation !== 'read_uncommitted')
    throw new UsageError(`--isolation-level takes read_committed or read_uncommitted, not ${isolation}`)
  return {
    servers,
    topicOption: options.value('topic'),
    pattern: options.value('include') ?? options.value('whitelist'),
    ...startOf(options, properties),
    groupId: groupOf(options, properties),
    commits: properties.get('enable.auto.commit')?.trim() !== 'false',
    isReadCommitted: isolation === 'read_committed',
    maxMessages: options.integer('max-messages', { min: -1 }) ?? -1,
    timeoutMs: options.integer('timeout-ms', { min: -1 }) ?? -1,
    clientId: properties.get('client.id') ?? 'console-consumer',
    requestTimeoutMs: milliseconds(properties, 'request.timeout.ms', 30_000),
    skipsErrors: options.has('skip-message-on-error'),
    printer: new RecordPrinter(formatting, {
      key: options.value('key-deserializer'),
      value: options.value('value-deserializer'),
    }),
  }
}

function groupOf(options: Given, properties: ReadonlyMap<string, string>): string | null {
  const groups = new Set([options.value('group'), properties.get('group.id') ?? null].filter(Boolean))
  if (groups.size > 1)
    throw new UsageError(
      `The group ids provided in different places (directly using '--group', via '--consumer-property', or via '--consumer.config') do not match: ${[...groups].join(', ')}.`,
    )
  const [group] = groups
  if (group !== undefined && options.has('partition'))
    throw new UsageError('Options group and partition cannot be specified together.')
  return group ?? null
}

/** Partition and place (an offset, `earliest` or `latest`) to begin at. */
function startOf(options: Given, properties: ReadonlyMap<string, string>) {
  const partition = options.integer('partition', { min: 0 })
  const offset = options.value('offset')
  if (partition !== null && !options.has('topic'))
    throw new UsageError('The topic is required when partition is specified.')
  if (offset !== null && partition === null)
    throw new UsageError('The partition is required when offset is specified.')
  if (options.has('from-beginning') && offset !== null)
    throw new UsageError('Options from-beginning and offset cannot be specified together.')
  const reset = properties.get('auto.offset.reset')?.trim() ?? 'latest'
  if (reset !== 'latest' && reset !== 'earliest')
    throw new UsageError(`auto.offset.reset=${reset} is neither earliest nor latest`)
  if (options.has('from-beginning') && properties.get('auto.offset.reset') === 'latest')
    throw new UsageError("Can't simultaneously specify --from-beginning and 'auto.offset.reset=latest'")
  if (options.has('from-beginning') || offset?.toLowerCase() === 'earliest')
    return { partition, start: earliest }
  if (offset !== null && offset.toLowerCase() !== 'latest') {
    if (!/^\d{1,15}$/.test(offset))
      throw new UsageError(
        `The provided offset value '${offset}' is incorrect. Valid values are 'earliest', 'latest', or a non-negative long.`,
      )
    return { partition, start: Number(offset) }
  }
  return { partition, start: reset === 'earliest' && offset === null ? earliest : latest }
}

/** The topics to read. A topic that is not there yet is asked for as Apache does: the broker may create it. */
async function topicsOf(cluster: Cluster, settings: Settings): Promise<string[]> {
  if (settings.topicOption !== null) {
    await cluster.awaitTopic(settings.topicOption)
    return [settings.topicOption]
  }
  const { topics } = await cluster.metadata(null)
  const isWanted = topicFilter(settings.pattern, true)
  const names = topics.map(({ name }) => name!).filter(isWanted)
  if (names.length === 0) throw new ToolError(`No topic fits ${settings.pattern}`)
  return names
}

async function readAlone(
  cluster: Cluster,
  settings: Settings,
  topics: readonly string[],
  printing: Printing,
  io: CommandIo,
): Promise<void> {
  const all = await partitionsOf(cluster, topics)
  const wanted = all.filter(
    ({ partition }) => settings.partition === null || partition === settings.partition,
  )
  if (wanted.length === 0) throw new ToolError(`Topic ${topics[0]} has no partition ${settings.partition}`)
  const offsets =
    settings.start >= 0
      ? new Map(wanted.map(partition => [partitionName(partition), settings.start]))
      : await offsetsAt(cluster, wanted, settings.start)
  let lastProblem = ''
  const reader = new PartitionReader(
    cluster,
    wanted.map(partition => ({ ...partition, offset: offsets.get(partitionName(partition))! })),
    {
      isReadCommitted: settings.isReadCommitted,
      resetTo: settings.start === earliest ? earliest : latest,
      onTrouble: problem => {
        if (problem !== lastProblem && !printing.isOver) io.stderr.write(`WARN ${problem}\n`)
        lastProblem = problem
      },
    },
  )
  while (!printing.isOver) {
    const records = await printing.orEnd(reader.next())
    for (const { timestampType, timestampMs, headers, ...record } of records ?? []) {
      if (printing.isOver) break
      await printing.print({
        ...record,
        timestamp: `${timestampType}:${timestampMs}`,
        headers: headers.map(({ key, value }) => [key, value]),
      })
    }
  }
}

/** As a member of the group; joins again when the connection to leaders or coordinator is lost. */
async function readAsMember(
  cluster: Cluster,
  settings: Settings,
  groupId: string,
  topics: readonly string[],
  printing: Printing,
  io: CommandIo,
): Promise<void> {
  // Behind the last record printed, by partition: what comes again after joining again is not printed again.
  const nextOffsets = new Map<string, bigint>()
  let lastProgressMs = performance.now()
  while (!printing.isOver) {
    try {
      await readOneMembership(settings, groupId, topics, nextOffsets, printing, io, () => {
        lastProgressMs = performance.now()
      })
    } catch (error) {
      const isPassing = error instanceof ClientError && error.isPassing
      if (!isPassing || performance.now() - lastProgressMs > giveUpMs) throw error
      if (!printing.isOver) io.stderr.write(`WARN joining the group again: ${error.message}\n`)
      await printing.orEnd(sleep(pauseBeforeJoiningMs))
      if (error.memberId !== null) await printing.orEnd(giveUpMembership(cluster, groupId, error.memberId))
    }
  }
}

/** The group should not wait for who will not come back; if it cannot be told, it finds out by itself. */
async function giveUpMembership(cluster: Cluster, groupId: string, memberId: string): Promise<void> {
  try {
    await removeMember(cluster, groupId, memberId)
  } catch (error) {
    if (!(error instanceof ToolError)) throw error
  }
}

async function readOneMembership(
  settings: Settings,
  groupId: string,
  topics: readonly string[],
  nextOffsets: Map<string, bigint>,
  printing: Printing,
  io: CommandIo,
  onProgress: () => void,
): Promise<void> {
  const joining = joinGroup({
    bootstrapServers: settings.servers,
    clientId: settings.clientId,
    groupId,
    topics,
    startAt: settings.start === earliest ? 'earliest' : 'latest',
    isReadCommitted: settings.isReadCommitted,
    requestTimeoutMs: settings.requestTimeoutMs,
  })
  const reader = await printing.orEnd(joining)
  if (reader === null) {
    // Ended while joining: the membership that may still come is given up.
    joining.then(
      late => late.close(),
      () => {},
    )
    return
  }
  onProgress()
  const printed = new Map<string, GroupRecord>()
  const commit = async () => {
    if (!settings.commits) return
    const records = [...printed]
    await reader.commit(records.map(([, record]) => record))
    for (const [name, record] of records) if (printed.get(name) === record) printed.delete(name)
  }
  const tryCommit = () =>
    commit().catch(error => {
      if (!(error instanceof ToolError)) throw error
      io.stderr.write(`WARN ${error.message}\n`)
    })
  let committing = Promise.resolve()
  // A commit that fails is made up for by the next.
  const timer = setInterval(() => {
    committing = committing.then(tryCommit)
  }, commitIntervalMs)
  const records = reader.records[Symbol.asyncIterator]()
  try {
    while (!printing.isOver) {
      const next = await printing.orEnd(records.next())
      if (next === null || next.done === true) break
      const { timestampMs, ...record } = next.value
      const name = partitionName(record)
      if (record.offset >= (nextOffsets.get(name) ?? 0n)) {
        await printing.print({ ...record, timestamp: `CreateTime:${timestampMs}` })
        nextOffsets.set(name, record.offset + 1n)
        onProgress()
      }
      printed.set(name, next.value)
    }
  } finally {
    clearInterval(timer)
    await committing
    await tryCommit()
    await reader.close()
  }
}

/** Prints records until there were enough of them, none comes any more, or somebody presses Ctrl-C. */
class Printing {
  readonly #settings: Settings
  readonly #io: CommandIo
  readonly #ended = Promise.withResolvers<null>()
  #count = 0
  #timer: NodeJS.Timeout | null = null
  isOver = false

  constructor(settings: Settings, io: CommandIo) {
    this.#settings = settings
    this.#io = io
    process.once('SIGINT', this.#end)
    process.once('SIGTERM', this.#end)
    if (settings.maxMessages === 0) this.#end()
    this.#expectMore()
  }

  /** What `task` gives, or null if the end comes first. */
  async orEnd<T>(task: Promise<T>): Promise<T | null> {
    if (this.isOver) task.catch(() => {})
    return this.isOver ? null : await Promise.race([task, this.#ended.promise])
  }

  async print(record: PrintableRecord): Promise<void> {
    this.#expectMore()
    let bytes: Buffer
    try {
      bytes = this.#settings.printer.print(record)
    } catch (error) {
      if (!this.#settings.skipsErrors || !(error instanceof ToolError)) throw error
      this.#io.stderr.write(`Error processing message, skipping this message: ${error.message}\n`)
      return
    }
    this.#count++
    if (!this.#io.stdout.write(bytes)) await once(this.#io.stdout, 'drain')
    if (this.#count === this.#settings.maxMessages) this.#end()
  }

  async finish(): Promise<void> {
    this.#end()
    process.off('SIGINT', this.#end)
    process.off('SIGTERM', this.#end)
    this.#io.stderr.write(`Processed a total of ${this.#count} messages\n`)
  }

  #end = (): void => {
    this.isOver = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#ended.resolve(null)
  }

  #expectMore(): void {
    const { timeoutMs } = this.#settings
    if (timeoutMs < 0 || this.isOver) return
    if (this.#timer === null) this.#timer = setTimeout(this.#end, timeoutMs)
    else this.#timer.refresh()
  }
}

import { readFile } from 'node:fs/promises'
import type { CommandIo } from '../io.ts'
import { connect } from '../kafka-tools/client-properties.ts'
import type { Cluster } from '../kafka-tools/cluster.ts'
import { printMembers, printOffsets, printStates } from '../kafka-tools/group-tables.ts'
import {
  type CommittedOffset,
  committedOffsets,
  deleteGroup,
  deleteOffsets,
  describeGroup,
  type GroupDescription,
  groupsOf,
  setOffsets,
} from '../kafka-tools/groups.ts'
import {
  parseCsv,
  parseDateTime,
  parseDuration,
  type ResetTarget,
  resetOffsets,
} from '../kafka-tools/offset-reset.ts'
import { byTopicAndPartition, partitionsOf, type TopicPartition } from '../kafka-tools/offsets.ts'
import { type Options, UsageError } from '../kafka-tools/options.ts'
import { errorText } from '../kafka-tools/server-error.ts'
import { row } from '../kafka-tools/table.ts'
import { ToolError, tool } from '../kafka-tools/tool.ts'

const spec = {
  name: 'kafka-consumer-groups',
  about: 'List, describe, delete and reset consumer groups.',
  options: {
    'bootstrap-server': { argument: '<host:port,…>', about: 'Brokers to connect to.' },
    'command-config': { argument: '<file>', about: 'Properties of the client.' },
    list: { about: 'List groups.' },
    describe: { about: 'Print offsets and lag of groups.' },
    delete: { about: 'Delete groups without members.' },
    'reset-offsets': { about: 'Put the offsets of a group without members elsewhere.' },
    'delete-offsets': { about: 'Forget the offsets of a group in topics.' },
    group: { argument: '<id>', isRepeatable: true, about: 'The group.' },
    'all-groups': { about: 'All groups.' },
    topic: { argument: '<name[:0,1]>', isRepeatable: true, about: 'The topic, or partitions of it.' },
    'all-topics': { about: 'All topics the group has offsets in.' },
    timeout: { argument: '<ms>', about: 'How long may be tried.', default: '5000' },
    members: { about: 'Describe the members instead.' },
    offsets: { about: 'Describe the offsets; this is what --describe does anyway.' },
    state: {
      argument: '[states]',
      valueWhenBare: '',
      about: 'Describe the state instead; with --list: show states, or only groups in these.',
    },
    type: {
      argument: '[types]',
      valueWhenBare: '',
      about: 'With --list: show types, or only groups of these (classic, consumer).',
    },
    verbose: { about: 'Describe more.' },
    'to-earliest': { about: 'Reset to the oldest record.' },
    'to-latest': { about: 'Reset to the end.' },
    'to-current': { about: 'Reset to where the group is.' },
    'to-offset': { argument: '<offset>', about: 'Reset to an offset.' },
    'shift-by': { argument: '<count>', about: 'Move by so many records, back if negative.' },
    'to-datetime': {
      argument: '<YYYY-MM-DDTHH:mm:SS.sss>',
      about: 'Reset to the first record from a time on.',
    },
    'by-duration': { argument: '<PnDTnHnMnS>', about: 'Reset to the first record from so long ago on.' },
    'from-file': { argument: '<csv>', about: 'Reset to the offsets in a file (topic,partition,offset).' },
    'dry-run': { about: 'Only show what a reset would do.' },
    execute: { about: 'Do the reset.' },
    export: { about: 'Print a reset as CSV.' },
  },
  examples: [
    'kafka-consumer-groups.sh --bootstrap-server 127.0.0.1:9092 --describe --group billing',
    'kafka-consumer-groups.sh --bootstrap-server 127.0.0.1:9092 --list --state',
    'kafka-consumer-groups.sh --bootstrap-server 127.0.0.1:9092 --group billing --topic orders --reset-offsets --to-earliest --execute',
  ],
} as const

type Name = keyof typeof spec.options
type Given = Options<Name | 'help' | 'version'>

const actions = ['list', 'describe', 'delete', 'reset-offsets', 'delete-offsets'] as const
const scenarios = [
  'to-offset',
  'shift-by',
  'to-datetime',
  'by-duration',
  'to-earliest',
  'to-latest',
  'from-file',
  'to-current',
] as const

/** Apache's kafka-consumer-groups. */
export const run = tool<Name>(
  spec,
  async (options, io) => {
    const action = checkedAction(options)
    const timeoutMs = options.integer('timeout', { min: 1 }) ?? 5_000
    const cluster = await connect(
      options.required('bootstrap-server'),
      options.value('command-config'),
      io,
      timeoutMs,
    )
    try {
      return await handlers[action](cluster, options, io)
    } finally {
      await cluster.close()
    }
  },
  (message, io) => io.stdout.write(`\nError: ${message}\n`),
)

function checkedAction(options: Given): (typeof actions)[number] {
  const [action, ...more] = options.among(actions)
  if (action === undefined || more.length > 0)
    throw new UsageError(
      'Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets',
    )
  const hasGroup = options.has('group') || options.has('all-groups')
  if (options.has('group') && options.has('all-groups'))
    throw new UsageError(`Option [${action}] takes only one of these options: [all-groups], [group]`)
  if (action !== 'list' && !(action === 'delete-offsets' ? options.has('group') : hasGroup))
    throw new UsageError(`Option [${action}] takes one of these options: [all-groups], [group]`)
  if (action === 'delete-offsets' && !options.has('topic'))
    throw new UsageError('Option [delete-offsets] takes the following options: [topic]')
  const kinds = options.among(['members', 'offsets', 'state'])
  if (action === 'describe' && kinds.length > 1)
    throw new UsageError(
      `Option [describe] takes at most one of these options: [members], [offsets], [state]`,
    )
  if (action === 'describe' && (options.value('state') ?? '') !== '')
    throw new UsageError('Option [describe] does not take a value for [state]')
  if (action === 'reset-offsets') {
    const chosen = options.among(scenarios)
    if (chosen.length !== 1)
      throw new UsageError(
        `Option [reset-offsets] takes one of these options: ${scenarios.map(name => `[${name}]`).join(', ')}`,
      )
    if (options.has('execute') && options.has('dry-run'))
      throw new UsageError('Option [reset-offsets] only accepts one of [execute], [dry-run]')
    if (!options.has('topic') && !options.has('all-topics') && !options.has('from-file'))
      throw new UsageError('One of the reset scopes should be defined: --all-topics, --topic.')
  }
  return action
}

const handlers: Record<
  (typeof actions)[number],
  (cluster: Cluster, options: Given, io: CommandIo) => Promise<number>
> = {
  async list(cluster, options, io) {
    const showsState = options.has('state')
    const showsType = options.has('type')
    const states = splitList(options.value('state'))
    const groups = await groupsOf(cluster, states.map(stateName), splitList(options.value('type')))
    if (!showsState && !showsType) {
      for (const { id } of groups) io.stdout.write(`${id}\n`)
      return 0
    }
    const widths = [Math.max(25, ...groups.map(({ id }) => id.length)), 20, 20]
    const cells = (id: string, type: string, state: string) => [
      id,
      ...(showsType ? [type] : []),
      ...(showsState ? [state] : []),
    ]
    io.stdout.write(row(widths, cells('GROUP', 'TYPE', 'STATE')))
    for (const { id, type, state } of groups) io.stdout.write(row(widths, cells(id, type, state)))
    return 0
  },

  async describe(cluster, options, io) {
    let exitCode = 0
    const found: GroupDescription[] = []
    for (const id of await groupIds(cluster, options)) {
      const group = await describeGroup(cluster, id)
      if (group === null) {
        io.stdout.write(`\nError: Consumer group '${id}' does not exist.\n`)
        exitCode = 1
        continue
      }
      found.push(group)
      if (group.state === 'Empty') io.stderr.write(`\nConsumer group '${id}' has no active members.\n`)
      else if (group.state !== 'Stable')
        io.stderr.write(`\nWarning: Consumer group '${id}' is rebalancing.\n`)
    }
    if (options.has('members')) printMembers(found, options.has('verbose'), io)
    else if (options.has('state')) printStates(found, io)
    else for (const group of found) await printOffsets(cluster, group, io)
    return exitCode
  },

  async delete(cluster, options, io) {
    const failures: string[] = []
    const deleted: string[] = []
    for (const id of await groupIds(cluster, options)) {
      const problem = await deleteGroup(cluster, id)
      if (problem === null) deleted.push(id)
      else failures.push(`* Group '${id}' could not be deleted due to: ${problem.message}`)
    }
    const names = deleted.map(id => `'${id}'`).join(', ')
    if (failures.length === 0) {
      io.stdout.write(`Deletion of requested consumer groups (${names}) was successful.\n`)
      return 0
    }
    io.stdout.write(`\nError: Deletion of some consumer groups failed:\n${failures.join('\n')}\n`)
    if (deleted.length > 0) io.stdout.write(`\nThese consumer groups were deleted successfully: ${names}\n`)
    return 1
  },

  async 'reset-offsets'(cluster, options, io) {
    if (!options.has('execute') && !options.has('dry-run') && !options.has('export'))
      io.stderr.write('WARN: No action will be performed as the --execute option is missing.\n')
    const groups = await groupIds(cluster, options)
    const file = options.value('from-file')
    const fromFile = file === null ? null : parseCsv(await textOf(file), groups)
    let exitCode = 0
    const results: (CommittedOffset & { group: string })[] = []
    for (const group of groups) {
      const state = (await describeGroup(cluster, group))?.state ?? 'Dead'
      if (state !== 'Empty' && state !== 'Dead') {
        io.stdout.write(
          `\nError: Assignments can only be reset if the group '${group}' is inactive, but the current state is ${state}.\n`,
        )
        exitCode = 1
        continue
      }
      const committed = await committedOffsets(cluster, group)
      const given = fromFile?.get(group) ?? []
      const partitions = fromFile === null ? await scopeOf(cluster, options, committed) : given
      const target: ResetTarget = fromFile === null ? targetOf(options) : { to: 'given', offsets: given }
      const places = partitions.map(({ topic, partition }) => ({ topic, partition }))
      const offsets = await resetOffsets(cluster, places, committed, target, message =>
        io.stderr.write(`${message}\n`),
      )
      if (options.has('execute') && offsets.length > 0) await setOffsets(cluster, group, offsets)
      results.push(...offsets.map(entry => ({ group, ...entry })))
    }
    if (options.has('export')) {
      for (const { group, topic, partition, offset } of results)
        io.stdout.write(`${groups.length > 1 ? `"${group}",` : ''}${topic},${partition},${offset}\n`)
      return exitCode
    }
    const widths = [30, 30, 10, 15]
    io.stdout.write(`\n${row(widths, ['GROUP', 'TOPIC', 'PARTITION', 'NEW-OFFSET'])}`)
    for (const { group, topic, partition, offset } of results)
      io.stdout.write(row(widths, [group, topic, partition, offset]))
    return exitCode
  },

  async 'delete-offsets'(cluster, options, io) {
    const group = options.required('group')
    const partitions = await namedPartitions(cluster, options.values('topic'))
    const results = await deleteOffsets(cluster, group, partitions)
    const hasFailed = results.some(({ code }) => code !== 0)
    const topics = [...new Set(partitions.map(({ topic }) => topic))].join(',')
    io.stdout.write(
      hasFailed
        ? `Encountered some partition level error, see the follow-up details:\n`
        : `Request succeed for deleting offsets with topic ${topics} group ${group}\n`,
    )
    const widths = [30, 15, 15]
    io.stdout.write(`\n${row(widths, ['TOPIC', 'PARTITION', 'STATUS'])}`)
    for (const { topic, partition, code } of results)
      io.stdout.write(
        row(widths, [topic, partition, code === 0 ? 'Successful' : `Error: ${errorText(code)}`]),
      )
    return hasFailed ? 1 : 0
  },
}

async function groupIds(cluster: Cluster, options: Given): Promise<string[]> {
  if (!options.has('all-groups')) return [...options.values('group')]
  return (await groupsOf(cluster)).map(({ id }) => id)
}

function targetOf(options: Given): ResetTarget {
  const [scenario] = options.among(scenarios)
  const number = { max: Number.MAX_SAFE_INTEGER, min: Number.MIN_SAFE_INTEGER }
  switch (scenario) {
    case 'to-earliest':
      return { to: 'earliest' }
    case 'to-latest':
      return { to: 'latest' }
    case 'to-current':
      return { to: 'current' }
    case 'to-offset':
      return { to: 'offset', offset: options.integer('to-offset', number)! }
    case 'shift-by':
      return { to: 'shift', by: options.integer('shift-by', number)! }
    case 'to-datetime':
      return { to: 'time', timestampMs: parseDateTime(options.required('to-datetime')) }
    case 'by-duration':
      return { to: 'time', timestampMs: Date.now() - parseDuration(options.required('by-duration')) }
    default:
      throw new UsageError(`--${scenario} cannot be used here`)
  }
}

/** The partitions a reset is about. */
async function scopeOf(
  cluster: Cluster,
  options: Given,
  committed: readonly CommittedOffset[],
): Promise<TopicPartition[]> {
  if (options.has('topic')) return namedPartitions(cluster, options.values('topic'))
  return partitionsOf(cluster, [...new Set(committed.map(({ topic }) => topic))])
}

/** `topic` means all its partitions, `topic:0,1` these. */
async function namedPartitions(cluster: Cluster, words: readonly string[]): Promise<TopicPartition[]> {
  const partitions: TopicPartition[] = []
  for (const word of words) {
    const [, topic, list] = /^([^:]+)(?::(\d+(?:,\d+)*))?$/.exec(word) ?? []
    if (topic === undefined) throw new UsageError(`--topic takes topic or topic:0,1, not ${word}`)
    const all = await partitionsOf(cluster, [topic])
    const wanted = list?.split(',').map(Number) ?? all.map(({ partition }) => partition)
    for (const partition of wanted) {
      if (!all.some(known => known.partition === partition))
        throw new ToolError(`The partition "${topic}-${partition}" does not exist`)
      partitions.push({ topic, partition })
    }
  }
  return partitions.sort(byTopicAndPartition)
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new ToolError(`Cannot read ${file}: ${(error as Error).message}`)
  }
}

function splitList(text: string | null): string[] {
  return (text ?? '')
    .split(',')
    .map(word => word.trim())
    .filter(word => word !== '')
}

const states = [
  'PreparingRebalance',
  'CompletingRebalance',
  'Stable',
  'Dead',
  'Empty',
  'Assigning',
  'Reconciling',
]

function stateName(text: string): string {
  const known = states.find(state => state.toLowerCase() === text.toLowerCase())
  if (known === undefined)
    throw new UsageError(`Invalid state list '${text}'. Valid states are: ${states.join(', ')}`)
  return known
}

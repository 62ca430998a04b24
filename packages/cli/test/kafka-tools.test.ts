import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseAddresses } from '../src/kafka-tools/cluster.ts'
import { parseConfigList } from '../src/kafka-tools/config-list.ts'
import { lineLayout, parseLine } from '../src/kafka-tools/line-reader.ts'
import { parseCsv, parseDateTime, parseDuration } from '../src/kafka-tools/offset-reset.ts'
import { parseOptions, UsageError } from '../src/kafka-tools/options.ts'
import { RecordPrinter } from '../src/kafka-tools/record-printer.ts'
import { assignReplicas, parseReplicaAssignment } from '../src/kafka-tools/replica-assignment.ts'
import { ToolError } from '../src/kafka-tools/tool.ts'
import { checkTopicConfigs } from '../src/kafka-tools/topic-configs.ts'
import { describe, topicLine } from '../src/kafka-tools/topic-description.ts'
import { checkTopicName, collisions, topicFilter } from '../src/kafka-tools/topic-names.ts'

const spec = {
  name: 'tool',
  about: '',
  options: {
    topic: { argument: '<name>', about: '' },
    'topic-id': { argument: '<id>', about: '' },
    config: { argument: '<k=v>', isRepeatable: true, about: '' },
    codec: { argument: '[codec]', valueWhenBare: 'gzip', about: '' },
    'shift-by': { argument: '<n>', about: '' },
    list: { about: '' },
    'list-all': { about: '' },
  },
  examples: [],
}

test('options are read as Apache reads them', () => {
  const options = parseOptions(spec, [
    '--topic=a=b',
    '--config',
    'x=1',
    '--conf',
    'y=2',
    '--shift-by',
    '-5',
    '--list',
  ])
  assert.equal(options.value('topic'), 'a=b')
  assert.deepEqual(options.values('config'), ['x=1', 'y=2'])
  assert.equal(options.integer('shift-by'), -5)
  assert.ok(options.has('list'))
  assert.equal(parseOptions(spec, ['--codec', '--list']).value('codec'), 'gzip')
  assert.equal(parseOptions(spec, ['--codec', 'lz4']).value('codec'), 'lz4')
})

test('options that are wrong are named', () => {
  const check = (argv: string[], message: RegExp) =>
    assert.throws(
      () => parseOptions(spec, argv),
      (error: Error) => error instanceof UsageError && message.test(error.message),
    )
  check(['--lst'], /lst is not a recognized option; did you mean --list\?/)
  check(['--l'], /l is ambiguous: it may be --list, --list-all/)
  check(['--topic'], /Option topic requires an argument/)
  check(['--topic', 'a', '--topic', 'b'], /Found multiple arguments for option topic/)
  check(['--list=yes'], /does not take a value/)
  check(['orders'], /orders stands alone/)
  check(['--constructor'], /is not a recognized option/)
})

test('topic names are refused as brokers refuse them', () => {
  for (const name of ['orders', 'a.b_c-D9', 'x'.repeat(249)]) checkTopicName(name)
  for (const name of ['', '.', '..', 'a b', 'ä', 'x'.repeat(250), 'a/b'])
    assert.throws(() => checkTopicName(name), ToolError)
  assert.deepEqual(collisions('a.b', ['a_b', 'a.b', 'ab']), ['a_b'])
})

test('--topic is an expression over whole names, and internal topics can be left out', () => {
  const names = ['orders', 'orders2', 'payments', '__consumer_offsets']
  const check = (pattern: string | null, excludes: boolean, expected: string[]) =>
    assert.deepEqual(names.filter(topicFilter(pattern, excludes)), expected)
  check('orders', false, ['orders'])
  check('orders.*', false, ['orders', 'orders2'])
  check('orders,payments', false, ['orders', 'payments'])
  check(null, true, ['orders', 'orders2', 'payments'])
  assert.throws(() => topicFilter('(', false), UsageError)
})

test('every partition gets distinct brokers, leaders and replicas are spread evenly, racks are not doubled', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 12 }),
      fc.integer({ min: 1, max: 60 }),
      fc.nat(),
      fc.nat(),
      (brokerCount, factor, count, a, b) => {
        fc.pre(factor <= brokerCount)
        const draws = [a, b]
        const assignment = assignReplicas({
          brokers: Array.from({ length: brokerCount }, (_, id) => ({ id, rack: null })),
          from: 0,
          count,
          replicationFactor: factor,
          random: { below: bound => draws.shift()! % bound, bytes: size => Buffer.alloc(size) },
        })
        assert.equal(assignment.length, count)
        const leaders = new Map<number, number>()
        for (const replicas of assignment) {
          assert.equal(new Set(replicas).size, factor)
          leaders.set(replicas[0]!, (leaders.get(replicas[0]!) ?? 0) + 1)
        }
        const led = Array.from({ length: brokerCount }, (_, id) => leaders.get(id) ?? 0)
        assert.ok(Math.max(...led) - Math.min(...led) <= 1, 'leaders differ by one at most')
      },
    ),
  )
  const racked = assignReplicas({
    brokers: Array.from({ length: 6 }, (_, id) => ({ id, rack: `r${id % 3}` })),
    from: 0,
    count: 30,
    replicationFactor: 3,
    random: { below: () => 0, bytes: size => Buffer.alloc(size) },
  })
  for (const replicas of racked) assert.equal(new Set(replicas.map(id => id % 3)).size, 3)
})

test('an assignment by hand is checked', () => {
  assert.deepEqual(parseReplicaAssignment('1:2,2:3'), [
    [1, 2],
    [2, 3],
  ])
  for (const text of ['1:1', '1:2,3', 'a', '', '1::2'])
    assert.throws(() => parseReplicaAssignment(text), Error, text)
})

test('settings that go into a znode are checked here, since no broker does', () => {
  checkTopicConfigs(
    new Map([
      ['retention.ms', '-1'],
      ['cleanup.policy', 'compact,delete'],
      ['flush.ms', '9223372036854775807'],
    ]),
  )
  for (const [key, value] of [
    ['retention.ms', 'soon'],
    ['retention', '1'],
    ['cleanup.policy', 'shrink'],
    ['min.insync.replicas', '0'],
    ['constructor', '1'],
  ] as const)
    assert.throws(() => checkTopicConfigs(new Map([[key, value]])), ToolError, key)
})

test('a topic is described in the columns that scripts cut apart', () => {
  const topic = {
    name: 't',
    topicId: 'U7DyrzdTSbCWKG5vUo59Bg',
    configs: new Map([
      ['a', 'b'],
      ['c', 'd'],
    ]),
    partitions: [
      { index: 0, leader: 1, replicas: [1, 2], isr: [1, 2], adding: [], removing: [] },
      { index: 1, leader: null, replicas: [1, 2, 3], isr: [2], adding: [3], removing: [1] },
    ],
  }
  assert.equal(
    topicLine(topic),
    'Topic: t\tTopicId: U7DyrzdTSbCWKG5vUo59Bg\tPartitionCount: 2\tReplicationFactor: 2\tConfigs: a=b,c=d\n',
  )
  const lines = (...filters: Parameters<typeof describe>[1]['filters'][number][]) =>
    describe([topic], {
      filters,
      onlyOverridden: false,
      liveBrokers: new Set([1]),
      minIsrOf: () => 2,
      withElr: true,
    })
  const second =
    '\tTopic: t\tPartition: 1\tLeader: none\tReplicas: 1,2,3\tIsr: 2\tAdding Replicas: 3\tRemoving Replicas: 1\tElr: N/A\tLastKnownElr: N/A\n'
  assert.equal(
    lines(),
    `${topicLine(topic)}\tTopic: t\tPartition: 0\tLeader: 1\tReplicas: 1,2\tIsr: 1,2\tElr: N/A\tLastKnownElr: N/A\n${second}`,
  )
  assert.equal(lines('unavailable'), second)
  assert.equal(lines('under-replicated'), second)
  assert.equal(lines('under-min-isr'), second)
  assert.match(lines('at-min-isr'), /^\tTopic: t\tPartition: 0\t[^\n]*\n$/)
})

test('lines become records: headers, then key, then value', () => {
  const check = (properties: Record<string, string>, line: string, expected: unknown) => {
    const { key, value, headers } = parseLine(line, 7, lineLayout(new Map(Object.entries(properties))))
    const text = (bytes: Buffer | null) => bytes?.toString() ?? null
    assert.deepEqual(
      [text(key), text(value), headers.map(([name, content]) => [name, text(content)])],
      expected,
    )
  }
  check({}, 'a\tb', [null, 'a\tb', []])
  check({ 'parse.key': 'true' }, 'k\tv\tw', ['k', 'v\tw', []])
  check({ 'parse.key': 'true', 'key.separator': '::' }, 'k::', ['k', '', []])
  check({ 'parse.key': 'true', 'parse.headers': 'true' }, 'a:1,b:\tk\tv', [
    'k',
    'v',
    [
      ['a', '1'],
      ['b', ''],
    ],
  ])
  check({ 'parse.key': 'true', 'null.marker': 'NULL' }, 'k\tNULL', ['k', null, []])
  check({ 'parse.key': 'true', 'ignore.error': 'true' }, 'bare', [null, 'bare', []])
  assert.throws(
    () => check({ 'parse.key': 'true' }, 'bare', null),
    /No key separator found on line number 7: 'bare'/,
  )
})

test('records are printed as the default formatter prints them, byte for byte', () => {
  const record = {
    partition: 3,
    offset: 5,
    timestamp: 'CreateTime:17',
    key: Buffer.from([0xff]),
    value: null,
    headers: [
      ['h', Buffer.from('1')],
      ['g', null],
    ] as [string, Buffer | null][],
  }
  const check = (properties: Record<string, string>, expected: string) =>
    assert.equal(
      new RecordPrinter(new Map(Object.entries(properties))).print(record).toString('latin1'),
      expected,
    )
  check({}, 'null\n')
  check({ 'print.key': 'true', 'null.literal': '-' }, '\xff\t-\n')
  check(
    {
      'print.timestamp': 'true',
      'print.partition': 'true',
      'print.offset': 'true',
      'print.headers': 'true',
      'key.separator': '|',
    },
    'CreateTime:17|Partition:3|Offset:5|h:1,g:null|null\n',
  )
  const long = new RecordPrinter(new Map(), {
    key: null,
    value: 'org.apache.kafka.common.serialization.LongDeserializer',
  })
  const eight = { ...record, value: Buffer.from('00000000000000ff', 'hex') }
  assert.equal(long.print(eight).toString(), '255\n')
  assert.throws(() => long.print({ ...eight, value: Buffer.from('x') }), ToolError)
  assert.throws(() => new RecordPrinter(new Map([['value.deserializer', 'com.example.Mine']])), ToolError)
})

test('lists of settings may hold values with commas in brackets', () => {
  const check = (text: string, expected: Record<string, string>) =>
    assert.deepEqual(Object.fromEntries(parseConfigList(text)), expected)
  check('a=1,b=2', { a: '1', b: '2' })
  check('cleanup.policy=[compact,delete],a=', { 'cleanup.policy': 'compact,delete', a: '' })
  for (const text of ['a', 'a=[1', '=1', 'a=1,,b=2'])
    assert.throws(() => parseConfigList(text), UsageError, text)
})

test('times, durations and files of offsets are read', () => {
  assert.equal(parseDateTime('2026-11-24T12:00:00.500Z'), Date.UTC(2026, 10, 24, 12, 0, 0, 500))
  assert.equal(parseDateTime('2026-11-24T12:00:00.500+0200'), Date.UTC(2026, 10, 24, 10, 0, 0, 500))
  assert.throws(() => parseDateTime('2026-11-24'), UsageError)
  assert.equal(parseDuration('P1DT2H3M4S'), ((24 + 2) * 60 + 3) * 60_000 + 4000)
  for (const text of ['P', 'PT', '5m', 'P1H']) assert.throws(() => parseDuration(text), UsageError, text)
  assert.deepEqual(parseCsv('orders,0,5\n\norders,1,6\n', ['g']).get('g'), [
    { topic: 'orders', partition: 0, offset: 5 },
    { topic: 'orders', partition: 1, offset: 6 },
  ])
  assert.deepEqual(parseCsv('"h",orders,0,5', ['g', 'h']).get('h'), [
    { topic: 'orders', partition: 0, offset: 5 },
  ])
  assert.throws(() => parseCsv('orders,0,5', ['g', 'h']), UsageError)
  assert.throws(() => parseCsv('orders,x,5', ['g']), UsageError)
})

test('addresses are read, wrong ones named', () => {
  assert.deepEqual(parseAddresses('a:1, [::1]:2,PLAINTEXT://b:3'), [
    { host: 'a', port: 1 },
    { host: '::1', port: 2 },
    { host: 'b', port: 3 },
  ])
  for (const text of ['', 'a', 'a:0', 'a:70000', ':9092'])
    assert.throws(() => parseAddresses(text), ToolError, text)
})

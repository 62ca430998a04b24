import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { RunningCluster } from '../../packages/cli/test/running-cluster.ts'
import { without } from './peers.ts'
import { java, linesOf } from './programs.ts'

// Apache's own tools on a running cluster and on its files. The tests follow one topic.

const skip = without('apache-3.9')
const count = 200_000
let cluster: RunningCluster
let server: string[]

before(async () => {
  if (skip) return
  cluster = await RunningCluster.start()
  server = ['--bootstrap-server', cluster.bootstrapServers.join(',')]
})
after(() => cluster?.[Symbol.asyncDispose]())

async function tool(name: string, ...args: string[]): Promise<string[]> {
  return linesOf(await java('apache-3.9', name, args))
}

test('kafka-topics creates and describes a topic', { skip }, async () => {
  const topics = 'org.apache.kafka.tools.TopicCommand'
  const shape = ['--partitions', '3', '--replication-factor', '3', '--config', 'retention.ms=3600000']
  assert.deepEqual(await tool(topics, ...server, '--create', '--topic', 'orders', ...shape), [
    'Created topic orders.',
  ])
  const [head, ...partitions] = await tool(topics, ...server, '--describe', '--topic', 'orders')
  assert.match(
    head!,
    /Topic: orders\tTopicId: \S{22}\tPartitionCount: 3\tReplicationFactor: 3\tConfigs: .*retention\.ms=3600000/,
  )
  assert.equal(partitions.length, 3)
  for (const line of partitions) assert.match(line, /Leader: \d\tReplicas: \d,\d,\d\tIsr: \d,\d,\d/)
})

test('kafka-producer-perf-test sends with acks=all, kafka-consumer-perf-test reads each record once', {
  skip,
}, async () => {
  const properties = [`bootstrap.servers=${cluster.bootstrapServers.join(',')}`, 'acks=all']
  const load = [
    '--topic',
    'orders',
    '--num-records',
    String(count),
    '--record-size',
    '100',
    '--throughput',
    '-1',
  ]
  const sent = await tool(
    'org.apache.kafka.tools.ProducerPerformance',
    ...load,
    '--producer-props',
    ...properties,
  )
  assert.match(sent.at(-1)!, new RegExp(`^${count} records sent`))
  const ends = await tool('org.apache.kafka.tools.GetOffsetShell', ...server, '--topic', 'orders')
  const total = ends.map(line => Number(line.split(':')[2])).reduce((a, b) => a + b)
  assert.equal(total, count)
  const options = ['--topic', 'orders', '--messages', String(count), '--timeout', '60000']
  const [head, figures] = await tool('org.apache.kafka.tools.ConsumerPerformance', ...server, ...options)
  const column = head!.split(', ').indexOf('data.consumed.in.nMsg')
  assert.equal(Number(figures!.split(', ')[column]), count)
})

test('kafka-consumer-groups shows the group that read, with no lag', { skip }, async () => {
  const groups = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand'
  const group = (await tool(groups, ...server, '--list')).find(name => name.startsWith('perf-consumer-'))!
  const lines = await tool(groups, ...server, '--describe', '--group', group)
  const rows = lines.map(line => line.trim().split(/\s+/)).filter(([, topic]) => topic === 'orders')
  assert.deepEqual(rows.map(([, , partition, at, end, lag]) => [partition, at === end, lag]).sort(), [
    ['0', true, '0'],
    ['1', true, '0'],
    ['2', true, '0'],
  ])
})

test('kafka-configs alters and describes', { skip }, async () => {
  const configs = 'kafka.admin.ConfigCommand'
  const entity = ['--entity-type', 'topics', '--entity-name', 'orders']
  const change = ['--alter', '--add-config', 'max.message.bytes=2000000']
  assert.deepEqual(await tool(configs, ...server, ...entity, ...change), [
    'Completed updating config for topic orders.',
  ])
  const described = (await tool(configs, ...server, ...entity, '--describe')).join('\n')
  assert.match(described, /max\.message\.bytes=2000000 sensitive=false/)
})

test('kafka-broker-api-versions knows every request that is advertised', { skip }, async () => {
  const lines = await tool('kafka.admin.BrokerApiVersionsCommand', ...server)
  assert.equal(lines.filter(line => line.includes('(id: ')).length, 3)
  assert.ok(lines.some(line => /Produce\(0\): 0 to \d+ \[usable: \d+\]/.test(line)))
  assert.ok(!lines.some(line => /UNKNOWN\(/.test(line)))
})

test('kafka-dump-log reads segments and indexes of each replica and finds nothing wrong', {
  skip,
}, async () => {
  for (const broker of ['broker-0', 'broker-1', 'broker-2']) {
    const folder = join(cluster.folder, broker, 'orders-0')
    const files = readdirSync(folder).filter(name => /\.(log|index|timeindex)$/.test(name))
    assert.ok(files.length >= 3, files.join())
    const paths = files.map(name => join(folder, name)).join(',')
    const lines = await tool('kafka.tools.DumpLogSegments', '--files', paths, '--deep-iteration')
    assert.ok(lines.some(line => /baseOffset: \d+ lastOffset: \d+ count: \d+/.test(line)))
    assert.deepEqual(
      lines.filter(line => /isvalid: false|mismatch|Missing|error/i.test(line)),
      [],
    )
  }
})

test('zkCli works with znodes', { skip }, async () => {
  const shell = async (...command: string[]) => {
    const options = ['-server', cluster.zookeeperConnect, ...command]
    return (await tool('org.apache.zookeeper.ZooKeeperMain', ...options)).join('\n')
  }
  await shell('create', '/from-java', 'first')
  await shell('set', '/from-java', 'second')
  assert.match(await shell('get', '-s', '/from-java'), /second\n[\s\S]*dataVersion = 1/)
  assert.match(await shell('ls', '/brokers/ids'), /\[0, 1, 2\]/)
  await shell('deleteall', '/from-java')
  assert.doesNotMatch(await shell('ls', '/'), /from-java/)
})

test('TxnLogToolkit and SnapshotFormatter read what a coordination server wrote', { skip }, async () => {
  assert.equal(await cluster.stop(), 0)
  const folder = join(cluster.folder, 'server-1', 'version-2')
  const newest = (prefix: string) =>
    join(
      folder,
      readdirSync(folder)
        .filter(name => name.startsWith(prefix))
        .sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
        .at(-1)!,
    )
  const log = await tool('org.apache.zookeeper.server.persistence.TxnLogToolkit', newest('log.'))
  assert.ok(
    log.some(line => /create.*\/from-java/.test(line)),
    log.slice(0, 20).join('\n'),
  )
  assert.ok(!log.some(line => /CRC ERROR/.test(line)))
  const snapshot = await tool('org.apache.zookeeper.server.SnapshotFormatter', newest('snapshot.'))
  assert.ok(
    snapshot.some(line => line.trim() === '/zookeeper/quota'),
    snapshot.slice(0, 20).join('\n'),
  )
})

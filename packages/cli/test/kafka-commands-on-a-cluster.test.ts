import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../platform/test/free-ports.ts'
import { commands } from '../src/commands/index.ts'

// Real servers in processes of their own: one coordination server, one broker.

const folder = mkdtempSync(join(tmpdir(), 'vivarium-kafka-tools-'))
const children: ChildProcess[] = []
let bootstrap = ''
let zookeeper = ''

before(async () => {
  const [zkPort, port] = [await freePort(), await freePort()]
  zookeeper = `127.0.0.1:${zkPort}`
  bootstrap = `127.0.0.1:${port}`
  mkdirSync(join(folder, 'zk'))
  start('zookeeper-server', 'zoo.cfg', [
    `dataDir=${join(folder, 'zk')}`,
    `clientPort=${zkPort}`,
    'clientPortAddress=127.0.0.1',
    'admin.enableServer=false',
  ])
  start('broker', 'server.properties', [
    'broker.id=1',
    `listeners=PLAINTEXT://${bootstrap}`,
    `log.dirs=${join(folder, 'kafka')}`,
    `zookeeper.connect=${zookeeper}`,
    'offsets.topic.num.partitions=1',
    'offsets.topic.replication.factor=1',
    'group.initial.rebalance.delay.ms=0',
  ])
  await until('the broker serves', async () => (await kafka('topics', '--list')).exitCode === 0)
})

after(async () => {
  const gone = children.map(child => new Promise(resolve => child.once('exit', resolve)))
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(gone)
  rmSync(folder, { recursive: true, force: true })
})

function start(packageName: string, configName: string, lines: string[]): void {
  const config = join(folder, configName)
  writeFileSync(config, `${lines.join('\n')}\n`)
  const main = fileURLToPath(new URL(`../../${packageName}/src/main.ts`, import.meta.url))
  children.push(spawn(process.execPath, ['--conditions=source', main, config], { stdio: 'ignore' }))
}

async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 60_000
  while (!(await isSo())) {
    assert.ok(performance.now() < deadlineMs, `not within a minute: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 100))
  }
}

/** Runs `kafka-<name>` with `--bootstrap-server` and the words of `line`. */
function kafka(name: string, line: string, input = '') {
  return runCommand(
    `kafka-${name}`,
    ['--bootstrap-server', bootstrap, ...line.split(' ').filter(Boolean)],
    input,
  )
}

async function runCommand(name: string, argv: string[], input = '') {
  const { run } = await commands.get(name)!.load()
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  const texts = ['', '']
  stdout.on('data', chunk => {
    texts[0] += String(chunk)
  })
  stderr.on('data', chunk => {
    texts[1] += String(chunk)
  })
  stdin.end(input)
  const exitCode = await run(argv, { stdin, stdout, stderr, isTty: false })
  await new Promise(resolve => setImmediate(resolve))
  return { exitCode, stdout: texts[0]!, stderr: texts[1]! }
}

test('a topic is created, described, enlarged and deleted', async () => {
  const created = await kafka(
    'topics',
    '--create --topic life --partitions 2 --replication-factor 1 --config retention.ms=1000',
  )
  assert.deepEqual(created, { exitCode: 0, stdout: 'Created topic life.\n', stderr: '' })
  const again = await kafka('topics', '--create --topic life --partitions 1')
  assert.deepEqual(
    [again.exitCode, again.stdout],
    [1, "Error while executing topic command : Topic 'life' already exists.\n"],
  )
  assert.equal((await kafka('topics', '--alter --topic life --partitions 3')).exitCode, 0)
  await until('three partitions are led', async () => {
    const { stdout } = await kafka('topics', '--describe --topic life')
    return stdout.split('\tLeader: 1\tReplicas: 1\tIsr: 1\t').length === 4
  })
  const { stdout } = await kafka('topics', '--describe --topic life')
  assert.match(
    stdout,
    /^Topic: life\tTopicId: [\w-]{22}\tPartitionCount: 3\tReplicationFactor: 1\tConfigs: retention\.ms=1000\n/,
  )
  assert.equal((await kafka('topics', '--delete --topic life')).exitCode, 0)
  await until('the topic is gone', async () => !(await kafka('topics', '--list')).stdout.includes('life\n'))
})

test('kafka-topics --zookeeper makes a topic that the brokers serve', async () => {
  const argv = '--create --replication-factor 1 --partitions 1 --topic zookeeper-logs'.split(' ')
  const created = await runCommand('kafka-topics', ['--zookeeper', zookeeper, ...argv])
  assert.deepEqual(created, { exitCode: 0, stdout: 'Created topic zookeeper-logs.\n', stderr: '' })
  await until('the partition is led', async () =>
    (await kafka('topics', '--describe --topic zookeeper-logs')).stdout.includes(
      '\tPartition: 0\tLeader: 1\t',
    ),
  )
  const described = await runCommand('kafka-topics', [
    '--zookeeper',
    zookeeper,
    '--describe',
    '--topic',
    'zookeeper-logs',
  ])
  assert.match(described.stdout, /\tTopic: zookeeper-logs\tPartition: 0\tLeader: 1\tReplicas: 1\tIsr: 1\n$/)
})

test('what is produced is consumed, in order, with keys, headers and nulls', async () => {
  await kafka('topics', '--create --topic talk --partitions 1 --replication-factor 1')
  const sent = await kafka(
    'console-producer',
    '--topic talk --compression-codec zstd --property parse.key=true --property key.separator=: --property null.marker=NULL',
    'a:1\nb:NULL\na:2\n',
  )
  assert.deepEqual(sent, { exitCode: 0, stdout: '', stderr: '' })
  const read = await kafka(
    'console-consumer',
    '--topic talk --from-beginning --max-messages 3 --property print.key=true --property print.offset=true --property print.headers=true',
  )
  assert.deepEqual(read, {
    exitCode: 0,
    stdout: 'Offset:0\tNO_HEADERS\ta\t1\nOffset:1\tNO_HEADERS\tb\tnull\nOffset:2\tNO_HEADERS\ta\t2\n',
    stderr: 'Processed a total of 3 messages\n',
  })
  const one = await kafka('console-consumer', '--topic talk --partition 0 --offset 2 --max-messages 1')
  assert.equal(one.stdout, '2\n')
  assert.equal((await kafka('get-offsets', '--topic talk')).stdout, 'talk:0:3\n')
})

test('a group goes on where it printed last, shows its lag, and can be reset and deleted', async () => {
  await kafka('topics', '--create --topic queue --partitions 1 --replication-factor 1')
  await kafka('console-producer', '--topic queue', 'a\nb\nc\nd\n')
  const first = await kafka('console-consumer', '--topic queue --group g --from-beginning --max-messages 3')
  assert.equal(first.stdout, 'a\nb\nc\n')
  const described = await kafka('consumer-groups', '--describe --group g')
  assert.match(described.stdout, /\ng {15}queue {11}0 {10}3 {15}4 {15}1 {15}- {15}- {15}-\n$/)
  assert.match(described.stderr, /Consumer group 'g' has no active members\./)
  const second = await kafka('console-consumer', '--topic queue --group g --max-messages 1')
  assert.equal(second.stdout, 'd\n')
  await kafka('consumer-groups', '--reset-offsets --group g --topic queue --shift-by -3 --execute')
  const third = await kafka('console-consumer', '--topic queue --group g --max-messages 3')
  assert.equal(third.stdout, 'b\nc\nd\n')
  const deleted = await kafka('consumer-groups', '--delete --group g')
  assert.equal(deleted.stdout, "Deletion of requested consumer groups ('g') was successful.\n")
  const gone = await kafka('consumer-groups', '--describe --group g')
  assert.deepEqual([gone.exitCode, gone.stdout], [1, "\nError: Consumer group 'g' does not exist.\n"])
})

test('settings of a topic are changed and told', async () => {
  await kafka('topics', '--create --topic set --partitions 1 --replication-factor 1')
  const altered = await kafka(
    'configs',
    '--alter --topic set --add-config cleanup.policy=[compact,delete],retention.ms=5',
  )
  assert.equal(altered.stdout, 'Completed updating config for topic set.\n')
  await until('the setting is told', async () =>
    (await kafka('configs', '--describe --topic set')).stdout.includes(
      '  cleanup.policy=compact,delete sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:',
    ),
  )
  assert.equal((await kafka('configs', '--alter --topic set --delete-config retention.ms')).exitCode, 0)
  const wrong = await kafka('configs', '--alter --topic set --add-config nonsense=1')
  assert.deepEqual(
    [wrong.exitCode, wrong.stderr],
    [1, 'Error while executing config command: Unknown topic config name: nonsense\n'],
  )
})

test('the versions a broker understands are listed', async () => {
  const { exitCode, stdout } = await kafka('broker-api-versions', '')
  assert.equal(exitCode, 0)
  assert.match(
    stdout,
    new RegExp(
      `^${bootstrap} \\(id: 1 rack: null\\) -> \\(\n\tProduce\\(0\\): \\d+ to \\d+ \\[usable: \\d+\\],\n`,
    ),
  )
})

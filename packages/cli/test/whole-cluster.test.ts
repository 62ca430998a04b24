import assert from 'node:assert/strict'
import { createServer, get } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { after, before, test } from 'node:test'
import { Consumer as PlatformaticConsumer } from '@platformatic/kafka'
import type { AlertRecord, LogRecord } from '@vivarium/monitor'
import { nodeClock, nodeNetwork, nodeRandom } from '@vivarium/platform/node'
import { ZooKeeper } from '@vivarium/zookeeper-client'
import { RecordWriter, readTopic } from './kafkajs-client.ts'
import { failingStart, RunningCluster, runTool } from './running-cluster.ts'

// The main job, as people meet it: one command, real processes, clients we did not write. The tests follow one cluster
// through its day, each from where the one before left it.

let cluster: RunningCluster
let receiver: Awaited<ReturnType<typeof webhookReceiver>>

before(async () => {
  receiver = await webhookReceiver()
  cluster = await RunningCluster.start('--webhook', receiver.url)
})

after(async () => {
  await cluster?.[Symbol.asyncDispose]()
  receiver?.close()
})

test('ready prints the address and log of every process, and three things to try', () => {
  for (const name of ['server-1', 'server-2', 'server-3', 'broker-0', 'broker-1', 'broker-2', 'dashboard'])
    assert.match(
      cluster.output,
      new RegExp(`${name} +│ (http://)?127\\.0\\.0\\.1:\\d+ +│ \\d+ +│ .*${name}\\.log`),
    )
  assert.match(cluster.output, /kafka-console-consumer\.sh .* --topic zookeeper-logs/)
  assert.match(cluster.output, /bin\/vivarium kill leader --data/)
})

test('as soon as it is ready, groups of kafkajs and of @platformatic/kafka read log records of all servers', async () => {
  const isEveryServer = (records: readonly LogRecord[]) => new Set(records.map(r => r.server)).size === 3
  const [byKafkajs, byPlatformatic] = await Promise.all([
    read<LogRecord>('zookeeper-logs', isEveryServer),
    readWithPlatformatic('zookeeper-logs', isEveryServer),
  ])
  for (const { message, level, myid, server } of [...byKafkajs, ...byPlatformatic]) {
    assert.ok(message.length > 0)
    assert.match(level, /^(INFO|WARN|ERROR)$/)
    assert.equal(`server-${myid ?? server.at(-1)}`, server)
  }
})

test('a second start on the same data is refused, and so is one on a port that is taken', async () => {
  const [same, taken] = await Promise.all([
    failingStart(cluster.options),
    failingStart([...cluster.options, '--data', `${cluster.folder}/other`]),
  ])
  assert.match(same, /A cluster already runs on .*\(process \d+\)/)
  assert.match(
    taken,
    new RegExp(`server-1: port ${cluster.zookeeperPort} on 127\\.0\\.0\\.1 is taken .*--zookeeper-port`),
  )
})

test('topics are made through the ensemble and through a broker, with as many replicas as there are brokers', async () => {
  const { zookeeperPort, kafkaPort } = cluster
  const shape = ['--replication-factor', '3', '--partitions', '6']
  const through = async (option: string, port: number, topic: string) => {
    const args = ['--create', option, `127.0.0.1:${port}`, ...shape, '--topic', topic]
    assert.match(await runTool('kafka-topics.sh', ...args), new RegExp(`Created topic ${topic}\\.`))
  }
  await through('--zookeeper', zookeeperPort, 'invoices')
  await through('--bootstrap-server', kafkaPort, 'orders')
  for (const topic of ['invoices', 'orders']) {
    const server = ['--bootstrap-server', `127.0.0.1:${kafkaPort}`]
    const described = await runTool('kafka-topics.sh', '--describe', ...server, '--topic', topic)
    assert.match(described, new RegExp(`Topic: ${topic}\\s.*PartitionCount: 6\\s+ReplicationFactor: 3`))
  }
})

const znodes = new Set<string>()
const records = new Set<string>()

test('the leader is killed: another leads, nothing acknowledged is lost, and an alert is in the topic, at the webhook and on the dashboard', async () => {
  const victim = (await cluster.leader())!
  await using page = await openDashboard()
  await using writers = await startWriters()
  await cluster.until('both write', () => znodes.size > 20 && records.size > 20)
  const before = { znodes: znodes.size, records: records.size }
  cluster.kill(victim)
  await cluster.until('another leads', async () => ![null, victim].includes(await cluster.leader()))
  const heir = (await cluster.leader())!
  await cluster.until(
    'both write again',
    () => znodes.size > before.znodes + 20 && records.size > before.records + 20,
  )
  const tellsOfChange = ({ rule, state, labels }: AlertRecord) =>
    rule === 'LeaderChanged' && state === 'firing' && labels.from === victim && labels.to === heir
  await Promise.all([
    read<AlertRecord>('alerts', list => list.some(tellsOfChange)),
    read<AlertRecord>('alerts-history', list => list.some(tellsOfChange)),
    page.until(alerts => alerts.some(tellsOfChange)),
    receiver.until(({ alerts }) =>
      alerts.some(({ status, labels }) => status === 'firing' && labels.alertname === 'LeaderChanged'),
    ),
  ])
  await writers.stop()
  await assertAllKept()
})

test('the killed server is started again, and the alert resolves everywhere', async () => {
  await cluster.until('the supervisor says so', () => /server-\d is started again/.test(cluster.output))
  await using page = await openDashboard()
  await Promise.all([
    page.until(alerts => alerts.every(({ state }) => state !== 'firing')),
    receiver.until(({ alerts }) =>
      alerts.some(({ status, labels }) => status === 'resolved' && labels.alertname === 'LeaderChanged'),
    ),
    read<AlertRecord>('alerts', list => {
      const newest = new Map(list.map(alert => [alert.fingerprint, alert.state]))
      return newest.size > 0 && [...newest.values()].every(state => state !== 'firing')
    }),
  ])
  assert.ok(cluster.bootstrapServers.every((_, id) => !cluster.output.includes(`broker-${id} ended`)))
})

test('the monitor is killed: what the servers log meanwhile comes once, and no alert comes twice', async () => {
  const leader = await cluster.leader()
  const follower = ['server-1', 'server-2', 'server-3'].find(name => name !== leader)!
  const follows = (message: string) => message.includes('FOLLOWING')
  const timesFollowed = async () => (await cluster.log(follower)).split('\n').filter(follows).length
  const before = await timesFollowed()
  cluster.kill('monitor')
  cluster.kill(follower)
  await cluster.until('the server follows again', async () => (await timesFollowed()) > before)
  await cluster.until('the monitor is back', () => cluster.output.includes('monitor is started again'))
  const logged = await timesFollowed()
  const published = await read<LogRecord>(
    'zookeeper-logs',
    list => list.filter(({ server, message }) => server === follower && follows(message)).length >= logged,
  )
  const places = published.map(({ server, source }) => `${server} ${source.file} ${source.offset}`)
  assert.equal(new Set(places).size, places.length, 'no entry is published twice')
  const history = await read<AlertRecord>('alerts-history', list => list.length > 0)
  assert.equal(new Set(history.map(({ id }) => id)).size, history.length, 'no transition is reported twice')
})

test('every process is killed at once: the next start has every acknowledged znode and record', async () => {
  await using writers = await startWriters()
  const before = { znodes: znodes.size, records: records.size }
  await cluster.until(
    'both write',
    () => znodes.size > before.znodes + 50 && records.size > before.records + 50,
  )
  await cluster.killAll()
  await writers.stop()
  await cluster.start()
  await assertAllKept()
})

test('Ctrl-C stops everything in order and leaves no process behind', async () => {
  // After everything was killed the monitor may have begun anew once: it does when a record's fate is unknown to it.
  const names = ['server-1', 'broker-0', 'monitor', 'dashboard']
  await cluster.until('all are up', () => names.every(name => cluster.pid(name) !== null))
  const pids = names.map(name => cluster.pid(name)!)
  assert.equal(await cluster.stop(), 0)
  assert.match(cluster.output, /Stopped\. The data stays/)
  for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
  for (const id of [0, 1, 2]) assert.match(lastLine(await cluster.log(`broker-${id}`)), /shut down completed/)
})

const lastLine = (text: string) => text.trimEnd().split('\n').at(-1)!

// ---- clients -----------------------------------------------------------------------------------------------------------

function zookeeper(): ZooKeeper {
  return new ZooKeeper({
    connect: cluster.zookeeperConnect,
    sessionTimeoutMs: 30_000,
    network: nodeNetwork,
    clock: nodeClock,
    random: nodeRandom,
  })
}

/** Writes znodes and records until it is stopped; those that were acknowledged are in the sets above. */
async function startWriters(): Promise<AsyncDisposable & { stop(): Promise<void> }> {
  let isStopped = false
  const client = zookeeper()
  await client.createRecursive('/ledger')
  const writeZnodes = async () => {
    while (!isStopped) {
      try {
        znodes.add((await client.create('/ledger/n-', 'x', { mode: 'persistent-sequential' })).path)
      } catch {
        // Not acknowledged: it may be there or not.
      }
    }
  }
  const done = writeZnodes()
  const recordWriter = new RecordWriter(cluster.bootstrapServers, 'ledger', records)
  const stop = async () => {
    if (isStopped) return
    isStopped = true
    await client.close()
    await recordWriter.stop()
    await done
  }
  return { stop, [Symbol.asyncDispose]: stop }
}

async function assertAllKept(): Promise<void> {
  await using client = zookeeper()
  await client.sync('/ledger')
  const { children } = await client.getChildren('/ledger')
  const there = new Set(children.map(name => `/ledger/${name}`))
  assert.deepEqual(
    [...znodes].filter(path => !there.has(path)),
    [],
  )
  await readTopic(cluster.bootstrapServers, 'ledger', values => records.isSubsetOf(new Set(values)))
}

async function read<T>(topic: string, isEnough: (records: readonly T[]) => boolean): Promise<readonly T[]> {
  const parse = (values: readonly string[]) => values.map(value => JSON.parse(value) as T)
  return parse(await readTopic(cluster.bootstrapServers, topic, values => isEnough(parse(values))))
}

async function readWithPlatformatic(
  topic: string,
  isEnough: (values: readonly LogRecord[]) => boolean,
): Promise<readonly LogRecord[]> {
  const consumer = new PlatformaticConsumer({
    clientId: 'test',
    groupId: 'test-platformatic',
    bootstrapBrokers: cluster.bootstrapServers,
  })
  const stream = await consumer.consume({ topics: [topic], mode: 'earliest' })
  const values: LogRecord[] = []
  for await (const { value } of stream) {
    values.push(JSON.parse(value.toString()))
    if (isEnough(values)) break
  }
  await consumer.close(true)
  return values
}

/** The stream of events a page of the dashboard gets. */
async function openDashboard() {
  const newest = new Map<string, AlertRecord>()
  const response = await new Promise<import('node:http').IncomingMessage>((resolve, reject) => {
    get({ port: cluster.dashboardPort, path: '/api/events', agent: false }, resolve).on('error', reject)
  })
  createInterface(response).on('line', line => {
    if (!line.startsWith('data: {')) return
    const { alerts, history } = JSON.parse(line.slice('data: '.length))
    for (const alert of [...(history ?? []), ...(alerts ?? [])]) newest.set(alert.fingerprint, alert)
  })
  return {
    until: (isSo: (alerts: readonly AlertRecord[]) => boolean) =>
      cluster.until('the dashboard shows it', () => newest.size > 0 && isSo([...newest.values()])),
    async [Symbol.asyncDispose]() {
      response.destroy()
    },
  }
}

interface Notification {
  alerts: { status: string; labels: Record<string, string> }[]
}

async function webhookReceiver() {
  const notifications: Notification[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', chunk => {
      body += chunk
    })
    request.on('end', () => {
      notifications.push(JSON.parse(body))
      response.end()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    until: (isSo: (notification: Notification) => boolean) =>
      cluster.until('the webhook is told', () => notifications.some(isSo)),
    close: () => server.close(),
  }
}

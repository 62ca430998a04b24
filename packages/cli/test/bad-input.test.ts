import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { nodeClock, nodeNetwork, nodeRandom } from '@vivarium/platform/node'
import { Chance } from '@vivarium/simulator'
import { ZooKeeper } from '@vivarium/zookeeper-client'
import { freePort } from '../../platform/test/free-ports.ts'
import { RecordWriter } from './kafkajs-client.ts'
import { RunningCluster } from './running-cluster.ts'

// What strangers send, and what people get wrong: whoever else uses the cluster does not notice, and who made the mistake is
// told what, where and how to mend it.

let cluster: RunningCluster
before(async () => {
  cluster = await RunningCluster.start()
})
after(() => cluster?.[Symbol.asyncDispose]())

function int32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) bytes.writeInt32BE(value, i * 4)
  return bytes
}

/** What is sent to a port: noise, lengths that lie, the beginning of something that never goes on. */
function hostileInputs(count: number, seed: number): Buffer[] {
  const chance = new Chance(seed)
  const noise = (length: number) => chance.bytes(length)
  const kinds = [
    () => noise(1 + chance.below(2000)),
    () => Buffer.concat([int32(0x7fff_ffff), noise(chance.below(100))]),
    () => Buffer.concat([int32(-1 - chance.below(2 ** 31)), noise(chance.below(100))]),
    () => Buffer.concat([int32(chance.below(64 * 1024 * 1024)), noise(chance.below(100))]),
    () => noise(1 + chance.below(3)),
    // A connect request of ZooKeeper's, an API version request of Kafka's, each with the rest by chance.
    () => Buffer.concat([int32(45), noise(45), int32(chance.below(200)), noise(chance.below(200))]),
    () => {
      const body = Buffer.concat([
        Buffer.from([0, chance.below(80), 0, chance.below(16)]),
        noise(chance.below(300)),
      ])
      return Buffer.concat([int32(body.length), body])
    },
    () => Buffer.from(`GET /${'x'.repeat(chance.below(3000))} HTTP/1.1\r\n`),
  ]
  return Array.from({ length: count }, (_, i) => kinds[i % kinds.length]!())
}

/** Sends, reads what may come, and leaves: politely or not. */
function visit(port: number, input: Buffer, isPolite: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.setTimeout(20, () => socket.destroy())
    socket.on('error', error => {
      if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') reject(error)
    })
    socket.on('close', () => resolve())
    socket.on('data', () => {})
    socket.write(input)
    if (isPolite) socket.end()
  })
}

test('noise, lying lengths and broken-off frames on every port: no process ends, and nobody else notices', async () => {
  const zookeeper = new ZooKeeper({
    connect: cluster.zookeeperConnect,
    sessionTimeoutMs: 10_000,
    network: nodeNetwork,
    clock: nodeClock,
    random: nodeRandom,
  })
  await zookeeper.connected(10_000)
  const states: string[] = []
  zookeeper.onState(state => states.push(state))
  await zookeeper.create('/during')
  await using writer = new RecordWriter(cluster.bootstrapServers, 'during')
  const { zookeeperPort, kafkaPort, dashboardPort } = cluster
  const ports = [0, 1, 2].flatMap(i => [
    zookeeperPort + i,
    zookeeperPort + 707 + i,
    zookeeperPort + 1707 + i,
    kafkaPort + i,
  ])
  let visits = 0
  for (const [index, port] of [...ports, dashboardPort].entries()) {
    // Only the leader listens on its quorum port.
    const isThere = await visit(port, Buffer.from('\n'), true).then(
      () => true,
      () => false,
    )
    if (!isThere) continue
    for (const [i, input] of hostileInputs(160, index + 1).entries()) {
      await visit(port, input, i % 2 === 0)
      visits++
      if (i % 40 === 0) await zookeeper.create('/during/n-', 'x', { mode: 'persistent-sequential' })
    }
  }
  assert.ok(visits >= 160 * 11, `${visits} visits`)
  await writer.stop()
  assert.ok(writer.acknowledged.size > 20)
  assert.deepEqual(states, [])
  assert.doesNotMatch(cluster.output, /ended/)
  assert.notEqual(await cluster.leader(), null)
  await zookeeper.close()
})

// ---- what people get wrong ---------------------------------------------------------------------------------------------

const root = fileURLToPath(new URL('../../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'vivarium-bad-'))
after(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, ...lines: string[]): string {
  const path = join(folder, name)
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}

/** What a server says that cannot start. */
function complaint(command: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(command, args, { cwd: folder, timeout: 30_000 }, (error, stdout, stderr) => {
      if (error === null || typeof error.code !== 'number')
        reject(error ?? new Error(`it started:\n${stdout}`))
      else resolve(`${stdout}${stderr}`)
    })
  })
}

const zookeeperStart = join(root, 'bin', 'zookeeper-server-start.sh')
const kafkaStart = join(root, 'bin', 'kafka-server-start.sh')

function member(ofId: number, ...more: string[]): string[] {
  const dataDir = join(folder, `zookeeper-${ofId}`)
  mkdirSync(dataDir, { recursive: true })
  writeFileSync(join(dataDir, 'myid'), String(ofId))
  const servers = [1, 2, 3].map(id => `server.${id}=127.0.0.1:${20_000 + id}:${21_000 + id}`)
  return [`dataDir=${dataDir}`, 'clientPort=22000', 'initLimit=5', 'syncLimit=2', ...servers, ...more]
}

test('a value that cannot be used stops the server with file, line, key, problem and fix', async () => {
  assert.match(
    await complaint(zookeeperStart, file('zoo.cfg', 'dataDir=/tmp/x', 'clientPort=many')),
    /zoo\.cfg:2: clientPort=many is not a whole number\. Fix: give a whole number/,
  )
  assert.match(
    await complaint(
      kafkaStart,
      file('server.properties', 'broker.id=1', 'log.segment.bytes=-5', 'zookeeper.connect=x:1'),
    ),
    /server\.properties:2: log\.segment\.bytes=-5 is outside .*\. Fix: /,
  )
  const node = join(root, 'node_modules', 'node', 'bin', 'node')
  for (const program of ['monitor', 'dashboard']) {
    const main = join(root, 'packages', program, 'src', 'main.ts')
    const config = file(`${program}.json`, '{ "servers": [{ "name": "a", "address": "nowhere" }] }')
    assert.match(
      await complaint(node, '--conditions=source', main, config),
      new RegExp(`${program}\\.json: .*Fix: `),
    )
  }
})

test('the data directory of another server is refused, and stays as it is', async () => {
  const strange = file('strange.cfg', ...member(9))
  assert.match(
    await complaint(zookeeperStart, strange),
    /zookeeper-9\/myid: myid=9 names a server that .*strange\.cfg does not list.*Fix: use the data directory of one of 1, 2, 3/,
  )
  const logs = join(folder, 'kafka')
  mkdirSync(logs)
  const meta = join(logs, 'meta.properties')
  writeFileSync(meta, 'version=0\nbroker.id=5\ncluster.id=AAAAAAAAAAAAAAAAAAAAAA\n')
  const connect = `zookeeper.connect=${cluster.zookeeperConnect}/elsewhere`
  const broker = (id: number) => [
    'listeners=PLAINTEXT://127.0.0.1:0',
    `log.dirs=${logs}`,
    connect,
    `broker.id=${id}`,
  ]
  assert.match(
    await complaint(kafkaStart, file('other-id.properties', ...broker(6))),
    /broker\.id.*5.*6|6.*5/,
  )
  assert.match(
    await complaint(kafkaStart, file('other-cluster.properties', ...broker(5))),
    /AAAAAAAAAAAAAAAAAAAAAA/,
  )
  assert.match(readFileSync(meta, 'utf8'), /broker\.id=5\n/)
  assert.deepEqual(existsSync(join(logs, 'version-2')), false)
})

test('a port that is taken is named with its key', async () => {
  const alone = (...more: string[]) => [
    `dataDir=${join(folder, 'alone')}`,
    'clientPortAddress=127.0.0.1',
    ...more,
  ]
  assert.match(
    await complaint(zookeeperStart, file('taken.cfg', ...alone(`clientPort=${cluster.zookeeperPort}`))),
    new RegExp(`taken\\.cfg: clientPort=127\\.0\\.0\\.1:${cluster.zookeeperPort} is taken .*Fix: `),
  )
  const settings = [
    `log.dirs=${join(folder, 'taken')}`,
    `zookeeper.connect=${cluster.zookeeperConnect}/taken`,
  ]
  assert.match(
    await complaint(
      kafkaStart,
      file('taken.properties', `listeners=PLAINTEXT://127.0.0.1:${cluster.kafkaPort}`, ...settings),
    ),
    new RegExp(`taken\\.properties.*listeners=.*${cluster.kafkaPort}.*Fix: `),
  )
})

test('an unknown key is named with its nearest neighbour, and the server starts; it outlives who reads its output', async () => {
  const port = await freePort()
  const config = file(
    'unknown.cfg',
    `dataDir=${join(folder, 'unknown')}`,
    'clientPrt=1',
    `clientPort=${port}`,
  )
  const server = spawn(zookeeperStart, [config], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = new Promise(resolve => server.once('exit', resolve))
  try {
    let output = ''
    for await (const chunk of server.stdout) {
      output += chunk
      if (output.includes('binding to port')) break
    }
    assert.match(output, /unknown\.cfg:2: clientPrt is unknown and has no effect; did you mean clientPort\?/)
    // Leaving the loop closed the pipe: what the server logs from now on reaches nobody.
    await using zookeeper = new ZooKeeper({
      connect: `127.0.0.1:${port}`,
      sessionTimeoutMs: 10_000,
      network: nodeNetwork,
      clock: nodeClock,
      random: nodeRandom,
    })
    await zookeeper.create('/alive')
    await visit(port, Buffer.from([0x7f, 0xff, 0xff, 0xff]), true)
    await zookeeper.create('/still-alive')
    assert.equal(server.exitCode, null)
  } finally {
    server.kill('SIGKILL')
    await exit
  }
})

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'

// One server of each kind, from the files in config/, on the ports that everyone expects.

const root = fileURLToPath(new URL('../../..', import.meta.url))

function isTaken(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => socket.destroy() && resolve(true)).once('error', () => resolve(false))
  })
}

const taken = (
  await Promise.all([2181, 9092].map(async port => ((await isTaken(port)) ? port : null)))
).filter(port => port !== null)
const skip = taken.length > 0 && `port ${taken.join(' and ')} is taken on this machine`

/** Starts a line as it is written in the README, and waits until it prints what shows that it serves. */
async function start(line: string, cwd: string, sign: string): Promise<ChildProcess> {
  const [command, ...args] = line.split(' ')
  const child = spawn(command!, args, { cwd, stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  for await (const chunk of child.stdout) {
    output += chunk
    if (output.includes(sign)) return child
  }
  throw new Error(`${line} ended:\n${output}`)
}

async function run(line: string, cwd: string): Promise<{ exitCode: number | null; output: string }> {
  const [command, ...args] = line.split(' ')
  const child = spawn(command!, args, { cwd })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', text => (output += text))
  return { exitCode: await new Promise(resolve => child.once('close', resolve)), output }
}

async function stop(child: ChildProcess): Promise<number | null> {
  const exit = new Promise<number | null>(resolve => child.once('exit', resolve))
  child.kill('SIGTERM')
  return exit
}

test('a server and a broker start from config/, topics are made through either, and SIGTERM ends each in order', {
  skip,
}, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'vivarium-standalone-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  symlinkSync(join(root, 'bin'), join(folder, 'bin'))
  cpSync(join(root, 'config'), join(folder, 'config'), { recursive: true })

  const server = await start('bin/zookeeper-server-start.sh config/zoo.cfg', folder, 'binding to port')
  t.after(() => server.kill('SIGKILL'))
  const broker = await start('bin/kafka-server-start.sh config/server.properties', folder, '] started (')
  t.after(() => broker.kill('SIGKILL'))

  const throughZooKeeper =
    'bin/kafka-topics.sh --create --zookeeper 127.0.0.1:2181 --replication-factor 1 --partitions 1 --topic zookeeper-logs'
  const made = await run(throughZooKeeper, folder)
  assert.deepEqual(
    [made.exitCode, made.output.includes('Created topic zookeeper-logs.')],
    [0, true],
    made.output,
  )
  const throughBroker =
    'bin/kafka-topics.sh --create --bootstrap-server 127.0.0.1:9092 --replication-factor 3 --partitions 6 --topic orders'
  const refused = await run(throughBroker, folder)
  assert.notEqual(refused.exitCode, 0)
  assert.match(refused.output, /replication factor.*3.*1 broker|3.*larger than available brokers: 1/i)
  const alone = await run(throughBroker.replace('factor 3', 'factor 1'), folder)
  assert.deepEqual([alone.exitCode, alone.output.includes('Created topic orders.')], [0, true], alone.output)
  const listed = await run('bin/kafka-topics.sh --list --bootstrap-server 127.0.0.1:9092', folder)
  assert.deepEqual(listed.output.trim().split('\n'), ['orders', 'zookeeper-logs'])

  assert.equal(await stop(broker), 0)
  assert.equal(await stop(server), 0)
})

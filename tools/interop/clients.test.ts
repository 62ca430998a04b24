import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { LogRecord } from '@vivarium/monitor'
import { RunningCluster } from '../../packages/cli/test/running-cluster.ts'
import { without } from './peers.ts'
import { java, linesOf, type Outcome, python, runProgram } from './programs.ts'

// Clients of other languages read the ensemble's own log from a cluster that has just become ready. kafkajs and
// @platformatic/kafka, which come with npm, are part of `npm test`.

const count = 5
let cluster: RunningCluster
let bootstrap: string

before(async () => {
  cluster = await RunningCluster.start()
  bootstrap = cluster.bootstrapServers[0]!
})
after(() => cluster?.[Symbol.asyncDispose]())

function assertLogRecords(outcome: Outcome): void {
  const records = linesOf(outcome).map(line => JSON.parse(line) as LogRecord)
  assert.equal(records.length, count)
  for (const { server, level, message } of records) {
    assert.match(server, /^server-[123]$/)
    assert.match(level, /^(INFO|WARN|ERROR)$/)
    assert.ok(message.length > 0)
  }
}

test('kcat reads log records', { skip: without('kcat') }, async () => {
  const options = ['-b', bootstrap, '-t', 'zookeeper-logs', '-C', '-c', String(count), '-e', '-q']
  assertLogRecords(await runProgram('kcat', options))
})

for (const library of ['kafka-python', 'confluent-kafka']) {
  test(`a consumer group of ${library} reads log records`, { skip: without('python') }, async () => {
    assertLogRecords(await python('consume.py', library, bootstrap, 'zookeeper-logs', String(count)))
  })
}

for (const peer of ['apache-3.9', 'apache-4'] as const) {
  test(`the console consumer of ${peer} reads log records`, { skip: without(peer) }, async () => {
    const options = ['--bootstrap-server', bootstrap, '--topic', 'zookeeper-logs', '--from-beginning']
    const limits = ['--max-messages', String(count), '--timeout-ms', '60000']
    const consumer = 'org.apache.kafka.tools.consumer.ConsoleConsumer'
    assertLogRecords(await java(peer, consumer, [...options, ...limits]))
  })
}

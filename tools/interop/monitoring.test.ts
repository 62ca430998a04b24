import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { AlertRecord, LogRecord, MetricsRecord } from '@vivarium/monitor'
import { readTopic } from '../../packages/cli/test/kafkajs-client.ts'
import { Processes } from '../../packages/zookeeper-server/test/quorum-processes.ts'
import { BrokerProcess } from './brokers.ts'
import { classpath, without } from './peers.ts'
import { pathOf } from './programs.ts'

const skip = without('apache-3.9')

async function read<T>(
  address: string,
  topic: string,
  isEnough: (records: readonly T[]) => boolean,
): Promise<T[]> {
  const parse = (values: readonly string[]) => values.map(value => JSON.parse(value) as T)
  return parse(await readTopic([address], topic, values => isEnough(parse(values))))
}

test('our monitor watches an ensemble of Apache’s and writes to Apache’s broker: logs, metrics, a failover and its end', {
  skip,
}, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'interop-monitor-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const ids = [1, 2, 3]
  const logFile = (id: number) => join(folder, `zookeeper-${id}.log`)
  await using ensemble = await Processes.configure(3, { config: { initLimit: 40 } })
  const start = (id: number) =>
    ensemble.startApache(id, classpath('apache-3.9'), [
      `-Dlog4j.configuration=file:${pathOf('log4j-zookeeper.properties')}`,
      `-Dlog.file=${logFile(id)}`,
    ])
  for (const id of ids) start(id)
  await ensemble.serving(ids)
  const servers = ensemble.clientPorts.map(port => `127.0.0.1:${port}`)
  await using broker = await BrokerProcess.configure(0, servers.join(','))
  await broker.startApache()

  const config = join(folder, 'monitor.json')
  writeFileSync(
    config,
    JSON.stringify({
      cluster: 'apache',
      servers: ids.map((id, i) => ({ name: `zk${id}`, myid: id, address: servers[i], logFile: logFile(id) })),
      bootstrapServers: [broker.address],
      stateDirectory: join(folder, 'state'),
    }),
  )
  const main = pathOf('../../bin/monitor-start.sh')
  const monitor = spawn(main, [config], { stdio: 'ignore' })
  t.after(() => monitor.kill('SIGKILL'))

  const logs = await read<LogRecord>(
    broker.address,
    'zookeeper-logs',
    list => new Set(list.map(r => r.server)).size === 3,
  )
  assert.ok(
    logs.some(
      r => r.class === 'QuorumPeerMain' || r.class === 'QuorumPeer' || r.class === 'QuorumPeerConfig',
    ),
  )
  // The banner has lines without text.
  const strange = logs.filter(
    r =>
      !/^zk[123]$/.test(r.server) ||
      r.cluster !== 'apache' ||
      (r.message === '' && r.class !== 'ZookeeperBanner'),
  )
  assert.deepEqual(strange, [])
  const leads = (list: readonly MetricsRecord[]) =>
    list.some(r => r.role === 'leader' && (r.values.znode_count ?? 0) > 5)
  await read<MetricsRecord>(broker.address, 'zookeeper-metrics', leads)

  const leader = await ensemble.serving(ids)
  await ensemble.kill(leader)
  const isTold = ({ rule, state, labels }: AlertRecord) =>
    rule === 'LeaderChanged' && state === 'firing' && labels.from === `zk${leader}`
  await read<AlertRecord>(broker.address, 'alerts', list => list.some(isTold))
  start(leader)
  const isOver = ({ rule, state }: AlertRecord) => rule === 'LeaderChanged' && state === 'resolved'
  await read<AlertRecord>(broker.address, 'alerts', list => list.some(isOver))
  assert.equal(monitor.exitCode, null)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AlertRecord, LogRecord, MetricsRecord } from '@vivarium/monitor'
import type { TopologyView } from '../src/api.ts'
import { Broadcast, createApp } from '../src/server/app.ts'
import { DashboardState } from '../src/server/state.ts'

const state = () => new DashboardState('c', [{ name: 'server-1', address: 'h:2181' }])
const metrics = (ts: number, received: number, role: MetricsRecord['role'] = 'leader'): MetricsRecord => ({
  ts,
  server: 'server-1',
  cluster: 'c',
  role,
  values: role === 'down' ? {} : { packets_received: received, avg_latency: 1 },
  scrapeMs: 1,
})
const alert = (id: string, alertState: AlertRecord['state']) =>
  ({ id, fingerprint: 'f', rule: 'ServerDown', state: alertState, ts: Number(id) }) as AlertRecord
const topology = (endOffset: number): TopologyView => ({
  clusterId: 'x',
  brokers: [],
  topics: [{ name: 't', partitions: [{ partition: 0, leader: 0, replicas: [0], isr: [0], endOffset }] }],
  error: null,
})

test('an update holds what changed since the last one, and nothing changed is no update', () => {
  const s = state()
  s.addLog({ message: 'one' } as LogRecord)
  assert.deepEqual(
    s.takeUpdate(5)?.logs?.map(entry => entry.message),
    ['one'],
  )
  assert.equal(s.takeUpdate(6), null)
  s.addLog({ message: 'two' } as LogRecord)
  assert.deepEqual(
    s.takeUpdate(7)?.logs?.map(entry => [entry.seq, entry.message]),
    [[1, 'two']],
  )
  assert.deepEqual(
    s.snapshot(8).logs.map(entry => entry.message),
    ['one', 'two'],
  )
})

test('rates are differences over time; a server that started anew gives none, one that is down leaves a gap', () => {
  const s = state()
  for (const record of [metrics(1000, 100), metrics(2000, 150), metrics(3000, 0, 'down'), metrics(4000, 10)])
    s.addMetrics(record)
  assert.deepEqual(
    s.snapshot(0).samples.map(sample => [sample.ts, sample.requests]),
    [
      [1000, 0],
      [2000, 50],
      [4000, 0],
    ],
  )
  s.setTopology(topology(100), 1000)
  s.setTopology(topology(300), 3000)
  assert.deepEqual(s.snapshot(0).throughput, [{ ts: 3000, recordsPerSecond: 100 }])
})

test('an alert shows its newest state, its history each transition once', () => {
  const s = state()
  s.setAlert('f', alert('1', 'firing'))
  s.setAlert('f', alert('2', 'resolved'))
  for (const id of ['1', '2', '2']) s.addHistory(alert(id, 'firing'))
  assert.deepEqual(
    s.snapshot(0).alerts.map(a => a.state),
    ['resolved'],
  )
  assert.deepEqual(
    s.snapshot(0).history.map(a => a.id),
    ['2', '1'],
  )
  s.setAlert('f', null)
  assert.deepEqual(s.snapshot(0).alerts, [])
})

test('when brokers do not answer, what they said last stays, with the reason', () => {
  const s = state()
  s.setTopology(topology(1), 1)
  s.topologyFailed('gone')
  assert.equal(s.snapshot(0).topology.error, 'gone')
  assert.equal(s.snapshot(0).topology.topics.length, 1)
})

test('a page is sent everything first, then what changes', async () => {
  const s = state()
  const broadcast = new Broadcast()
  const app = createApp({ webRoot: '/nowhere', snapshot: () => s.snapshot(1), broadcast })
  const response = await app.request('/api/events')
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  assert.match((await reader.read()).value!, /^event: snapshot\ndata: \{"cluster":"c"/)
  s.addLog({ message: 'hello' } as LogRecord)
  broadcast.send(s.takeUpdate(2)!)
  assert.match((await reader.read()).value!, /^event: update\ndata: .*hello/)
  await reader.cancel()
})

test('files outside the page are not served, and scripts come from here alone', async () => {
  const app = createApp({
    webRoot: import.meta.dirname,
    snapshot: () => state().snapshot(1),
    broadcast: new Broadcast(),
  })
  for (const path of [
    '/../package.json',
    '/%2e%2e/package.json',
    '/state.test.ts',
    '/..%2f..%2fpackage.json',
  ])
    assert.equal((await app.request(path)).status, 404, path)
  const page = await app.request('/')
  assert.equal(page.status, 503)
  assert.match(page.headers.get('content-security-policy')!, /default-src 'self'/)
})

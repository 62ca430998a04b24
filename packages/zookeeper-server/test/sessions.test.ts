import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createMode, encode, opCode, sessionPassword, setDataRequest } from '@vivarium/zookeeper-protocol'
import { ManualClock, startServer } from './embedded-server.ts'
import { WireClient } from './wire-client.ts'

test('a connect reply has 37 bytes, and 36 for clients that do not know read-only', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  assert.equal(client.connectReply.length, 37)
  assert.deepEqual(client.password, sessionPassword(client.sessionId))
  assert.equal(client.sessionId >> 56n, 1n)
  await using legacy = await WireClient.connect(zookeeper.port, { isLegacy: true })
  assert.equal(legacy.connectReply.length, 36)
})

test('a session timeout lies between 2 and 20 ticks', async () => {
  await using zookeeper = await startServer({ config: { tickTime: 1000 } })
  await using hasty = await WireClient.connect(zookeeper.port, { timeoutMs: 1 })
  await using calm = await WireClient.connect(zookeeper.port, { timeoutMs: 1_000_000 })
  assert.deepEqual([hasty.timeoutMs, calm.timeoutMs], [2_000, 20_000])
})

test('a client comes back to its session, and its older connection is closed', async () => {
  await using zookeeper = await startServer()
  await using first = await WireClient.connect(zookeeper.port)
  await first.create('/e', '', createMode.EPHEMERAL)
  const { sessionId, password } = first
  await using second = await WireClient.connect(zookeeper.port, { sessionId, password })
  assert.equal(second.sessionId, sessionId)
  await first.closed()
  assert.equal((await second.exists('/e')).stat?.ephemeralOwner, sessionId)
})

test('a wrong password and an unknown session get a timeout of 0, then the end', async () => {
  await using zookeeper = await startServer()
  await using owner = await WireClient.connect(zookeeper.port)
  const { sessionId } = owner
  await using thief = await WireClient.connect(zookeeper.port, { sessionId, password: Buffer.alloc(16, 7) })
  assert.deepEqual([thief.timeoutMs, thief.sessionId, thief.password], [0, 0n, Buffer.alloc(16)])
  await thief.closed()
  const unknown = 0x1234n
  const password = sessionPassword(unknown)
  await using stranger = await WireClient.connect(zookeeper.port, { sessionId: unknown, password })
  assert.equal(stranger.timeoutMs, 0)
  await stranger.closed()
})

test('an empty password asks for a new session', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port, { sessionId: 5n, password: Buffer.alloc(0) })
  assert.notEqual(client.timeoutMs, 0)
  assert.notEqual(client.sessionId, 5n)
})

test('a client that has seen more than this server knows is sent away without a word', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port, { lastZxidSeen: 1_000n })
  assert.equal(client.connectReply.length, 0)
  assert.ok(client.isClosed)
})

test('closing a session answers, removes its ephemerals and closes the connection', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await using other = await WireClient.connect(zookeeper.port)
  await client.create('/e', '', createMode.EPHEMERAL)
  const reply = await client.closeSession()
  assert.deepEqual([reply.err, reply.body.length], [0, 0])
  await client.closed()
  assert.equal((await other.exists('/e')).err, -101)
})

test('a session expires one timeout to one timeout and a tick after it was last heard, never before', async () => {
  const clock = new ManualClock()
  await using zookeeper = await startServer({ world: { clock } })
  await using client = await WireClient.connect(zookeeper.port, { timeoutMs: 10_000 })
  await client.create('/e', '', createMode.EPHEMERAL)
  await using watcher = await WireClient.connect(zookeeper.port, { timeoutMs: 40_000 })
  await watcher.exists('/e', true)
  clock.elapse(9_999)
  assert.equal((await watcher.exists('/e')).err, 0)
  assert.equal((await client.call(opCode.ping, Buffer.alloc(0), -2)).err, 0)
  clock.elapse(10_000)
  assert.equal((await watcher.exists('/e')).err, 0)
  clock.elapse(2_001)
  await client.closed()
  const events = await watcher.heard()
  assert.deepEqual(
    events.map(({ type, path }) => [type, path]),
    [[2, '/e']],
  )
  assert.equal((await watcher.exists('/e')).err, -101)
  const hex = client.sessionId.toString(16)
  assert.ok(zookeeper.lines.some(l => l.includes(`Expiring session 0x${hex}, timeout of 10000ms exceeded`)))
  const { sessionId, password } = client
  await using late = await WireClient.connect(zookeeper.port, { sessionId, password })
  assert.equal(late.timeoutMs, 0)
})

test('requests sent before the connect reply wait, and none is lost', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.open(zookeeper.port)
  const connect = Buffer.alloc(45)
  connect.writeInt32BE(10_000, 12)
  connect.writeInt32BE(16, 24)
  client.sendFrame(connect)
  for (let i = 0; i < 50; i++) client.send(opCode.ping, Buffer.alloc(0), -2)
  assert.equal((await client.nextFrame())?.length, 37)
  for (let i = 0; i < 50; i++) assert.equal((await client.nextReply())?.xid, -2)
})

test('sessions and their ephemerals outlive the server', async () => {
  const first = await startServer()
  const client = await WireClient.connect(first.port, { timeoutMs: 30_000 })
  await client.create('/e', 'x', createMode.EPHEMERAL)
  await first.stop()
  await using again = await startServer({ folder: first.folder })
  const { sessionId, password } = client
  await using back = await WireClient.connect(again.port, { sessionId, password })
  assert.equal(back.sessionId, sessionId)
  assert.equal((await back.get('/e')).data?.toString(), 'x')
  await back.closeSession()
  await using other = await WireClient.connect(again.port)
  assert.equal((await other.exists('/e')).err, -101)
  await first[Symbol.asyncDispose]()
})

test('a write of a connection that is gone answers nobody who came after it', async () => {
  await using zookeeper = await startServer()
  await using first = await WireClient.connect(zookeeper.port)
  const { sessionId, password } = first
  const data = (text: string) =>
    encode(setDataRequest, { path: '/none', data: Buffer.from(text), version: -1 })
  assert.equal(await first.create('/here', ''), '/here')
  // Fails, with an xid that the next connection uses as well.
  first.send(opCode.setData, data('a'), 77)
  await using second = await WireClient.connect(zookeeper.port, { sessionId, password })
  const reply = await second.call(
    opCode.setData,
    encode(setDataRequest, { path: '/here', data: Buffer.from('b'), version: -1 }),
    77,
  )
  assert.equal(reply.err, 0)
  assert.equal((await second.get('/here')).data?.toString(), 'b')
})

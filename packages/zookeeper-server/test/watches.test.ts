import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  addWatchMode,
  checkWatchesRequest,
  createMode,
  createRequest,
  deleteRequest,
  encode,
  eventType,
  opCode,
  openAcl,
  setAclRequest,
  setWatches,
  setWatches2,
  watcherType,
} from '@vivarium/zookeeper-protocol'
import { startServer } from './embedded-server.ts'
import { WireClient } from './wire-client.ts'

const { NodeCreated, NodeDeleted, NodeDataChanged, NodeChildrenChanged } = eventType
const brief = (events: readonly { type: number; path: string }[]) => events.map(e => [e.type, e.path])

test('a one-shot watch fires once, with the zxid of the change', async () => {
  await using zookeeper = await startServer()
  await using writer = await WireClient.connect(zookeeper.port)
  await using watcher = await WireClient.connect(zookeeper.port)
  assert.equal((await watcher.exists('/n', true)).err, -101)
  await writer.create('/n', 'a')
  const [created, ...rest] = await watcher.heard()
  assert.deepEqual(brief([created!]), [[NodeCreated, '/n']])
  assert.equal(rest.length, 0)
  assert.equal(created!.state, 3)
  assert.equal(created!.zxid, (await writer.exists('/n')).stat!.czxid)
  await writer.set('/n', 'b')
  assert.deepEqual(await watcher.heard(), [])
  await watcher.get('/n', true)
  await watcher.exists('/n', true)
  await writer.set('/n', 'c')
  await writer.set('/n', 'd')
  assert.deepEqual(brief(await watcher.heard()), [[NodeDataChanged, '/n']])
})

test('who watches children hears of births and deaths below, not of data', async () => {
  await using zookeeper = await startServer()
  await using writer = await WireClient.connect(zookeeper.port)
  await using watcher = await WireClient.connect(zookeeper.port)
  await writer.create('/p')
  await watcher.children('/p', true)
  await writer.set('/p', 'x')
  assert.deepEqual(await watcher.heard(), [])
  await writer.create('/p/c')
  assert.deepEqual(brief(await watcher.heard()), [[NodeChildrenChanged, '/p']])
  await watcher.children('/p', true)
  await writer.delete('/p/c')
  assert.deepEqual(brief(await watcher.heard()), [[NodeChildrenChanged, '/p']])
})

test('a deletion is told once to who watches both data and children', async () => {
  await using zookeeper = await startServer()
  await using writer = await WireClient.connect(zookeeper.port)
  await using watcher = await WireClient.connect(zookeeper.port)
  await writer.create('/p')
  await watcher.get('/p', true)
  await watcher.children('/p', true)
  await writer.delete('/p')
  assert.deepEqual(brief(await watcher.heard()), [[NodeDeleted, '/p']])
})

test('an event comes before the reply to the write that caused it, and before any read that shows it', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/n')
  await client.get('/n', true)
  await client.set('/n', 'x')
  assert.deepEqual(brief(client.events), [[NodeDataChanged, '/n']])
})

test('persistent watches stay; recursive ones hear of everything below but never of children lists', async () => {
  await using zookeeper = await startServer()
  await using writer = await WireClient.connect(zookeeper.port)
  await using persistent = await WireClient.connect(zookeeper.port)
  await using recursive = await WireClient.connect(zookeeper.port)
  await using both = await WireClient.connect(zookeeper.port)
  await writer.create('/w')
  const reply = await persistent.addWatch('/w', addWatchMode.persistent)
  assert.equal(reply.body.toString('hex'), '00000000')
  await recursive.addWatch('/w', addWatchMode.persistentRecursive)
  await both.addWatch('/w', addWatchMode.persistent)
  await both.addWatch('/w', addWatchMode.persistentRecursive)
  await writer.create('/w/c')
  await writer.create('/w/c/d')
  await writer.set('/w', 'x')
  await writer.set('/w', 'y')
  await writer.delete('/w/c/d')
  assert.deepEqual(brief(await persistent.heard()), [
    [NodeChildrenChanged, '/w'],
    [NodeDataChanged, '/w'],
    [NodeDataChanged, '/w'],
  ])
  assert.deepEqual(brief(await recursive.heard()), [
    [NodeCreated, '/w/c'],
    [NodeCreated, '/w/c/d'],
    [NodeDataChanged, '/w'],
    [NodeDataChanged, '/w'],
    [NodeDeleted, '/w/c/d'],
  ])
  assert.deepEqual(brief(await both.heard()).slice(0, 2), [
    [NodeCreated, '/w/c'],
    [NodeChildrenChanged, '/w'],
  ])
})

test('a multi fires for each of its operations, a refused one for none', async () => {
  await using zookeeper = await startServer()
  await using writer = await WireClient.connect(zookeeper.port)
  await using watcher = await WireClient.connect(zookeeper.port)
  await watcher.addWatch('/', addWatchMode.persistentRecursive)
  const create = (path: string) => ({
    type: opCode.create,
    body: encode(createRequest, { path, data: null, acl: [...openAcl], flags: 0 }),
  })
  const remove = { type: opCode.delete, body: encode(deleteRequest, { path: '/a', version: -1 }) }
  await writer.multi([create('/a'), create('/b'), remove])
  await writer.multi([create('/c'), remove])
  assert.deepEqual(brief(await watcher.heard()), [
    [NodeCreated, '/a'],
    [NodeCreated, '/b'],
    [NodeDeleted, '/a'],
  ])
})

test('the ephemerals of a closed session are deleted for their watchers', async () => {
  await using zookeeper = await startServer()
  await using owner = await WireClient.connect(zookeeper.port)
  await using watcher = await WireClient.connect(zookeeper.port)
  await owner.create('/e', '', createMode.EPHEMERAL)
  await watcher.exists('/e', true)
  await watcher.children('/', true)
  await owner.closeSession()
  assert.deepEqual(brief(await watcher.heard()), [
    [NodeDeleted, '/e'],
    [NodeChildrenChanged, '/'],
  ])
})

test('a client that comes back hears at once of what it missed, before the reply and with zxid −1', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  for (const path of ['/same', '/changed', '/born', '/parent', '/quiet']) await client.create(path)
  const relativeZxid = zookeeper.server.lastProcessedZxid
  await client.set('/changed', 'x')
  await client.create('/parent/c')
  const body = encode(setWatches2, {
    relativeZxid,
    dataWatches: ['/same', '/changed', '/gone'],
    existWatches: ['/born', '/unborn'],
    childWatches: ['/parent', '/quiet', '/gone2'],
    persistentWatches: ['/same'],
    persistentRecursiveWatches: ['/quiet'],
  })
  const reply = await client.call(opCode.setWatches2, body, -8)
  assert.equal(reply.err, 0)
  const caughtUp = client.events.splice(0)
  assert.ok(caughtUp.every(event => event.zxid === -1n))
  assert.deepEqual(brief(caughtUp), [
    [NodeDataChanged, '/changed'],
    [NodeDeleted, '/gone'],
    [NodeCreated, '/born'],
    [NodeChildrenChanged, '/parent'],
    [NodeDeleted, '/gone2'],
  ])
  await client.set('/same', '1')
  await client.create('/unborn')
  await client.create('/quiet/c')
  assert.deepEqual(brief(client.events), [
    [NodeDataChanged, '/same'],
    [NodeCreated, '/unborn'],
    [NodeCreated, '/quiet/c'],
    [NodeChildrenChanged, '/quiet'],
  ])
  const old = encode(setWatches, {
    relativeZxid,
    dataWatches: [],
    existWatches: ['/quiet'],
    childWatches: [],
  })
  assert.equal((await client.call(opCode.setWatches, old, -8)).err, 0)
})

test('watches are found and removed by their type', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/n')
  const ask = async (code: number, type: number) =>
    (await client.call(code, encode(checkWatchesRequest, { path: '/n', type }))).err
  assert.equal(await ask(opCode.checkWatches, watcherType.Any), -121)
  await client.get('/n', true)
  await client.children('/n', true)
  await client.addWatch('/n', addWatchMode.persistentRecursive)
  assert.equal(await ask(opCode.checkWatches, watcherType.Data), 0)
  assert.equal(await ask(opCode.removeWatches, watcherType.Data), 0)
  assert.equal(await ask(opCode.removeWatches, watcherType.Data), -121)
  assert.equal(await ask(opCode.checkWatches, watcherType.Persistent), -121)
  assert.equal(await ask(opCode.checkWatches, watcherType.PersistentRecursive), 0)
  assert.equal(await ask(opCode.removeWatches, watcherType.Any), 0)
  assert.equal(await ask(opCode.removeWatches, 9), -5)
  await client.set('/n', 'x')
  await client.create('/n/c')
  assert.deepEqual(client.events, [])
})

test('an event reaches only who may read the znode', async () => {
  await using zookeeper = await startServer()
  await using owner = await WireClient.connect(zookeeper.port)
  await using stranger = await WireClient.connect(zookeeper.port)
  await owner.authenticate('digest', 'u:p')
  await owner.create('/n')
  await stranger.get('/n', true)
  await owner.get('/n', true)
  const acl = [{ perms: 31, id: { scheme: 'auth', id: '' } }]
  await owner.call(opCode.setACL, encode(setAclRequest, { path: '/n', acl, version: -1 }))
  await owner.set('/n', 'secret')
  assert.deepEqual(brief(owner.events), [[NodeDataChanged, '/n']])
  assert.deepEqual(await stranger.heard(), [])
})

test('of the end of a znode hears only who might read it, too (CVE-2024-23944)', async () => {
  await using zookeeper = await startServer()
  await using owner = await WireClient.connect(zookeeper.port)
  await using guest = await WireClient.connect(zookeeper.port)
  await using stranger = await WireClient.connect(zookeeper.port)
  const acl = [{ perms: 31, id: { scheme: 'auth', id: '' } }]
  const createSecret = (client: WireClient, path: string, flags: number) =>
    client.call(opCode.create, encode(createRequest, { path, data: null, acl, flags }))
  for (const client of [owner, guest]) await client.authenticate('digest', 'u:p')
  await owner.create('/top')
  for (const client of [owner, stranger]) await client.addWatch('/top', addWatchMode.persistentRecursive)
  await createSecret(owner, '/top/secret', 0)
  await owner.delete('/top/secret')
  await createSecret(guest, '/top/ephemeral', createMode.EPHEMERAL)
  await guest.closeSession()
  assert.deepEqual(brief(await owner.heard()), [
    [NodeCreated, '/top/secret'],
    [NodeDeleted, '/top/secret'],
    [NodeCreated, '/top/ephemeral'],
    [NodeDeleted, '/top/ephemeral'],
  ])
  assert.deepEqual(await stranger.heard(), [])
})

test('a client that comes back hears of what it may no longer read, as from Apache: its watch is over', async () => {
  await using zookeeper = await startServer()
  await using owner = await WireClient.connect(zookeeper.port)
  await using stranger = await WireClient.connect(zookeeper.port)
  await owner.authenticate('digest', 'u:p')
  const acl = [{ perms: 31, id: { scheme: 'auth', id: '' } }]
  await owner.call(opCode.create, encode(createRequest, { path: '/n', data: null, acl, flags: 0 }))
  const missed = { relativeZxid: 0n, dataWatches: ['/n'], existWatches: [], childWatches: [] }
  await stranger.call(opCode.setWatches, encode(setWatches, missed), -8)
  assert.deepEqual(brief(stranger.events), [[NodeDataChanged, '/n']])
})

test('watches end with their connection', async () => {
  await using zookeeper = await startServer()
  const client = await WireClient.connect(zookeeper.port)
  await client.addWatch('/', addWatchMode.persistent)
  assert.equal(zookeeper.server.watches.count, 2)
  await client.closeSession()
  await client.closed()
  assert.equal(zookeeper.server.watches.count, 0)
})

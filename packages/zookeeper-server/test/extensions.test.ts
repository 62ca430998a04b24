import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FrameDecoder } from '@vivarium/bytes'
import { World } from '@vivarium/simulator'
import {
  connectRequest,
  createMode,
  createRequest,
  decode,
  deleteRecursiveRequest,
  encode,
  errorCode,
  extensionOpCode,
  getChildrenPageRequest,
  getChildrenPageResponse,
  getDataRequest,
  opCode,
  openAcl,
  permission,
} from '@vivarium/zookeeper-protocol'
import { startServer } from './embedded-server.ts'
import { during } from './simulation/during.ts'
import { ensembleOf, type Member } from './simulation/ensemble.ts'
import { WireClient } from './wire-client.ts'

const config = { 'extensions.enabled': 'true' }

async function page(client: WireClient, path: string, limit: number, after: string[] = []) {
  const request = encode(getChildrenPageRequest, { path, watch: false, limit, after })
  const reply = await client.call(extensionOpCode.getChildrenPage, request)
  return reply.err === 0 ? decode(getChildrenPageResponse, reply.body) : reply.err
}

function linearizable(code: number, request: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeInt32BE(code)
  return Buffer.concat([head, request])
}

test('they are unknown unless they are switched on', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  const requests = [
    [extensionOpCode.linearizableRead, linearizable(opCode.ping, Buffer.alloc(0))],
    [
      extensionOpCode.getChildrenPage,
      encode(getChildrenPageRequest, { path: '/', watch: false, limit: 1, after: [] }),
    ],
    [extensionOpCode.deleteRecursive, encode(deleteRecursiveRequest, { path: '/a' })],
  ] as const
  for (const [code, request] of requests)
    assert.equal((await client.call(code, request)).err, errorCode.UNIMPLEMENTED)
})

test('children come page by page in the order they were made, and none is missed while others come and go', async () => {
  await using zookeeper = await startServer({ config })
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/many')
  for (let i = 0; i < 25; i++) await client.create(`/many/n${24 - i}`)
  const seen: string[] = []
  let after: string[] = []
  for (let pages = 1; ; pages++) {
    const got = await page(client, '/many', 10, after)
    assert.ok(typeof got === 'object')
    seen.push(...got.children)
    assert.equal(got.stat.numChildren, 25 - (pages - 1))
    if (got.isLast) break
    after = got.children.toReversed()
    // The last one it has seen goes: the page goes on behind the one before.
    await client.delete(`/many/${after[0]}`)
  }
  assert.deepEqual(
    seen,
    Array.from({ length: 25 }, (_, i) => `n${24 - i}`),
  )
  assert.deepEqual(
    [await page(client, '/many', 0), await page(client, '/none', 1)],
    [errorCode.BADARGUMENTS, errorCode.NONODE],
  )
  assert.deepEqual(
    (await page(client, '/many', 100, ['gone', 'too'])) as object,
    await page(client, '/many', 100),
  )
})

test('a znode goes with all below it in one transaction, or not at all', async () => {
  await using zookeeper = await startServer({ config: { ...config, 'jute.maxbuffer': 4096 } })
  await using client = await WireClient.connect(zookeeper.port)
  const drop = async (path: string) =>
    (await client.call(extensionOpCode.deleteRecursive, encode(deleteRecursiveRequest, { path }))).err
  for (const path of ['/a', '/a/b', '/a/b/c', '/a/d', '/ab', '/a/b/c/e']) await client.create(path)
  await client.create('/a/d/alive', '', createMode.EPHEMERAL)
  const before = (await client.call(opCode.ping)).zxid
  // What is under way belongs to it.
  client.send(
    opCode.create,
    encode(createRequest, { path: '/a/late', data: null, acl: [...openAcl], flags: 0 }),
  )
  client.send(extensionOpCode.deleteRecursive, encode(deleteRecursiveRequest, { path: '/a' }))
  assert.deepEqual([(await client.nextReply())!.err, (await client.nextReply())!.err], [0, 0])
  assert.deepEqual([(await client.exists('/a')).err, (await client.exists('/ab')).err], [-101, 0])
  assert.equal((await client.call(opCode.ping)).zxid, before + 2n)
  assert.equal(zookeeper.server.tree.ephemeralCount, 0)
  assert.deepEqual(
    [await drop('/a'), await drop('/'), await drop('/zookeeper'), await drop('/zookeeper/quota')],
    [errorCode.NONODE, errorCode.BADARGUMENTS, errorCode.BADARGUMENTS, errorCode.BADARGUMENTS],
  )
  await client.create('/large')
  for (let i = 0; i < 300; i++) await client.create(`/large/n${i}`)
  assert.equal(await drop('/large'), errorCode.BADARGUMENTS)
  const { digest } = zookeeper.server.tree
  await zookeeper.stop()
  await using again = await startServer({ folder: zookeeper.folder, config })
  assert.equal(again.server.tree.digest, digest)
})

test('who may not delete some znode below deletes none', async () => {
  await using zookeeper = await startServer({ config })
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/a')
  const acl = [{ perms: permission.READ | permission.CREATE, id: { scheme: 'world', id: 'anyone' } }]
  await client.call(opCode.create, encode(createRequest, { path: '/a/guarded', data: null, acl, flags: 0 }))
  await client.create('/a/guarded/b')
  const request = encode(deleteRecursiveRequest, { path: '/a' })
  assert.equal((await client.call(extensionOpCode.deleteRecursive, request)).err, errorCode.NOAUTH)
  assert.equal((await client.exists('/a/guarded/b')).err, 0)
})

/** A session on a simulated member, and the replies it got, by xid. */
async function sessionOn(world: World, { host }: Member) {
  const { network } = world.machine('10.0.1.1').start()
  const connecting = network.connect({ host, port: 2181 }, { timeoutMs: 1_000 })
  const connection = await during(world, connecting)
  const frames: Buffer[] = []
  const decoder = new FrameDecoder(2 ** 20)
  connection.onData = chunk => decoder.push(chunk, frame => frames.push(frame))
  const sendFrame = (frame: Buffer) => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(frame.length)
    connection.write(Buffer.concat([length, frame]))
  }
  const passwd = Buffer.alloc(16)
  const hello = {
    protocolVersion: 0,
    lastZxidSeen: 0n,
    timeOut: 10_000,
    sessionId: 0n,
    passwd,
    readOnly: false,
  }
  sendFrame(encode(connectRequest, hello))
  await world.until('it has a session', 1_000, () => frames.length === 1)
  return {
    send: (xid: number, code: number, body: Buffer) => {
      const head = Buffer.alloc(8)
      head.writeInt32BE(xid, 0)
      head.writeInt32BE(code, 4)
      sendFrame(Buffer.concat([head, body]))
    },
    reply: (xid: number) => frames.slice(1).find(frame => frame.readInt32BE(0) === xid),
  }
}

test('a follower has its leader delete, and answers without a body', async () => {
  const world = new World(72)
  const { members } = ensembleOf(3, world, config)
  for (const member of members) member.boot()
  await world.until('all serve', 10_000, () => members.every(({ isServing }) => isServing))
  const session = await sessionOn(world, members.find(({ server }) => server?.role === 'follower')!)
  for (const [xid, path] of ['/a', '/a/b'].entries())
    session.send(xid, opCode.create, encode(createRequest, { path, data: null, acl: [...openAcl], flags: 0 }))
  session.send(2, extensionOpCode.deleteRecursive, encode(deleteRecursiveRequest, { path: '/a' }))
  await world.until('it is answered', 1_000, () => session.reply(2) !== undefined)
  assert.deepEqual([session.reply(2)!.length, session.reply(2)!.readInt32BE(12)], [16, 0])
  await world.pass(1_000)
  for (const { server } of members) assert.equal(server!.tree.nodes.has('/a'), false)
})

test('a linearizable read is not answered by a leader that was deposed without noticing; a plain one is', async () => {
  const world = new World(71)
  const { members } = ensembleOf(3, world, { ...config, syncLimit: 100 })
  for (const member of members) member.boot()
  await world.until('all serve', 10_000, () => members.every(({ isServing }) => isServing))
  const leader = members.find(({ server }) => server?.role === 'leader') as Member
  const session = await sessionOn(world, leader)
  const read = encode(getDataRequest, { path: '/', watch: false })
  session.send(1, extensionOpCode.linearizableRead, linearizable(opCode.getData, read))
  session.send(2, opCode.getData, read)
  await world.until('both are answered', 1_000, () => session.reply(2) !== undefined)
  assert.deepEqual(session.reply(1)!.subarray(4), session.reply(2)!.subarray(4))
  const others = members.filter(member => member !== leader).map(({ host }) => host)
  world.part([leader.host], others, false)
  session.send(3, opCode.getData, read)
  session.send(4, extensionOpCode.linearizableRead, linearizable(opCode.getData, read))
  await world.pass(1_000)
  assert.deepEqual([session.reply(3) !== undefined, session.reply(4) !== undefined], [true, false])
  assert.equal(leader.server!.role, 'leader')
})

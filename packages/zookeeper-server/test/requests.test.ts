import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter } from '@vivarium/bytes'
import {
  addWatchRequest,
  authPacket,
  checkVersionRequest,
  create2Response,
  createMode,
  createRequest,
  createTtlRequest,
  decode,
  deleteContainerRequest,
  deleteRequest,
  encode,
  getAllChildrenNumberRequest,
  getAllChildrenNumberResponse,
  getChildrenRequest,
  getDataRequest,
  getEphemeralsRequest,
  getEphemeralsResponse,
  opCode,
  openAcl,
  reconfigRequest,
  setDataRequest,
  syncRequest,
  whoAmIResponse,
  writeMultiRequest,
} from '@vivarium/zookeeper-protocol'
import { startServer } from './embedded-server.ts'
import { WireClient } from './wire-client.ts'

const createBody = (path: string, flags = 0, data: Buffer | null = Buffer.alloc(0)) =>
  encode(createRequest, { path, data, acl: [...openAcl], flags })

test('null and empty data are kept apart', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/null', null)
  await client.create('/empty', '')
  assert.equal((await client.get('/null')).data, null)
  assert.deepEqual((await client.get('/empty')).data, Buffer.alloc(0))
})

test('a refused write takes a zxid, and its reply ends after the header', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  const before = zookeeper.server.lastProcessedZxid
  const reply = await client.call(opCode.delete, encode(deleteRequest, { path: '/none', version: -1 }))
  assert.deepEqual([reply.err, reply.body.length, reply.zxid], [-101, 0, before + 1n])
  assert.equal(zookeeper.server.lastProcessedZxid, before + 1n)
})

test('stats change as Apache’s do', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/p', 'abc')
  const created = (await client.exists('/p')).stat!
  assert.deepEqual([created.version, created.cversion, created.dataLength], [0, 0, 3])
  assert.deepEqual([created.czxid, created.mzxid], [created.pzxid, created.czxid])
  await client.create('/p/c')
  await client.delete('/p/c')
  const { stat } = await client.set('/p', 'x', 0)
  assert.deepEqual([stat!.version, stat!.cversion, stat!.numChildren], [1, 2, 0])
  assert.equal(stat!.mzxid, stat!.czxid + 3n)
  assert.equal(stat!.pzxid, stat!.czxid + 2n)
  assert.deepEqual((await client.exists('/p')).stat, stat)
  assert.equal((await client.set('/p', 'y', 0)).err, -103)
})

test('create refuses in Apache’s order', async () => {
  await using zookeeper = await startServer({ config: { extendedTypesEnabled: 'true' } })
  await using client = await WireClient.connect(zookeeper.port)
  const check = async (path: string, expected: number | string, flags = 0) =>
    assert.equal(await client.create(path, '', flags), expected, `${path} ${flags}`)
  await check('/c/', -101)
  await check('nothing', -8)
  await check('/a//b', -101)
  await check('//b', -8)
  await check('/a\0', -8)
  await check('/..', -8)
  await check('/a\u0001', -8)
  await check('/', -110)
  await check('/x', -8, 7)
  await check('/x', -8, createMode.PERSISTENT_WITH_TTL)
  await check('/x', '/x')
  await check('/x', -110)
  await check('/eph', '/eph', createMode.EPHEMERAL)
  await check('/eph/child', -108)
  const noAcl = encode(createRequest, { path: '/none/x', data: null, acl: [], flags: 0 })
  assert.equal((await client.call(opCode.create, noAcl)).err, -114)
})

test('delete refuses what may not go', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  for (const path of ['/', '/zookeeper', '/zookeeper/quota', '/zookeeper/config', 'x'])
    assert.equal(await client.delete(path), -8, path)
  await client.create('/p')
  await client.create('/p/c')
  assert.equal(await client.delete('/p', 3), -103)
  assert.equal(await client.delete('/p'), -111)
  assert.equal(await client.delete('/q'), -101)
})

test('sequential names count the creations under their parent, also within a multi', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/s')
  assert.equal(await client.create('/s/n-', '', createMode.PERSISTENT_SEQUENTIAL), '/s/n-0000000000')
  await client.delete('/s/n-0000000000')
  assert.equal(await client.create('/s/', '', createMode.PERSISTENT_SEQUENTIAL), '/s/0000000001')
  const op = { type: opCode.create, body: createBody('/s/m-', createMode.PERSISTENT_SEQUENTIAL) }
  const { results } = await client.multi([op, op])
  assert.deepEqual(results, [
    { type: 1, path: '/s/m-0000000002' },
    { type: 1, path: '/s/m-0000000003' },
  ])
})

test('a multi happens as a whole: its operations share a zxid and see each other', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  const { results, zxid } = await client.multi([
    { type: opCode.create2, body: createBody('/m') },
    { type: opCode.create, body: createBody('/m/c') },
    { type: opCode.check, body: encode(checkVersionRequest, { path: '/m', version: 0 }) },
    {
      type: opCode.setData,
      body: encode(setDataRequest, { path: '/m', data: Buffer.from('x'), version: 0 }),
    },
    { type: opCode.delete, body: encode(deleteRequest, { path: '/m/c', version: -1 }) },
  ])
  assert.deepEqual(
    results.map(result => result.type),
    [15, 1, 13, 5, 2],
  )
  const made = results[0]!
  assert.ok(made.type === 15 && made.stat.version === 0 && made.stat.numChildren === 0)
  const changed = results[3]!
  assert.ok(changed.type === 5 && changed.stat.version === 1 && changed.stat.numChildren === 1)
  assert.deepEqual([made.stat.czxid, changed.stat.mzxid], [zxid, zxid])
  assert.equal((await client.get('/m')).stat!.numChildren, 0)
})

test('a failed multi leaves nothing behind and says where it failed', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  const reply = await client.multi([
    { type: opCode.create, body: createBody('/m') },
    { type: opCode.delete, body: encode(deleteRequest, { path: '/none', version: -1 }) },
    { type: opCode.create, body: createBody('/n') },
  ])
  assert.equal(reply.err, 0)
  assert.deepEqual(reply.results, [
    { type: -1, err: 0 },
    { type: -1, err: -101 },
    { type: -1, err: -2 },
  ])
  assert.equal((await client.exists('/m')).err, -101)
  assert.equal(await client.create('/m'), '/m')
  assert.equal(await client.create('/m/', '', createMode.PERSISTENT_SEQUENTIAL), '/m/0000000000')
})

test('an empty multi takes a zxid; a mixed one cannot be read', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  const before = zookeeper.server.lastProcessedZxid
  const empty = await client.multi([])
  assert.deepEqual([empty.err, empty.results, empty.zxid], [0, [], before + 1n])
  const mixed = await client.multi([
    { type: opCode.create, body: createBody('/x') },
    { type: opCode.getData, body: encode(getDataRequest, { path: '/', watch: false }) },
  ])
  assert.equal(mixed.err, -5)
  assert.equal((await client.multi([{ type: opCode.create, body: createBody('/x', 7) }])).err, -5)
  assert.equal((await client.exists('/x')).err, -101)
})

test('what a creation in a multi is, its mode decides, as in Apache', async () => {
  await using zookeeper = await startServer({ config: { extendedTypesEnabled: 'true' } })
  await using client = await WireClient.connect(zookeeper.port)
  const made = async (type: number, flags: number) => {
    const path = `/${type}-${flags}`
    const create = { path, data: null, acl: [...openAcl], flags }
    const isTtl = type === opCode.createTTL
    const body = isTtl ? encode(createTtlRequest, { ...create, ttl: 5n }) : encode(createRequest, create)
    const { err, results } = await client.multi([{ type, body }])
    if (err !== 0) return err
    const [result] = results
    return result!.type === -1 ? [result!.err] : [result!.type, zookeeper.server.tree.nodes.get(path)?.kind]
  }
  const { PERSISTENT, CONTAINER, PERSISTENT_WITH_TTL } = createMode
  assert.deepEqual(await made(opCode.create, CONTAINER), [opCode.create2, 'container'])
  assert.deepEqual(await made(opCode.create2, CONTAINER), [opCode.create2, 'container'])
  assert.deepEqual(await made(opCode.createTTL, CONTAINER), [opCode.create2, 'container'])
  assert.deepEqual(await made(opCode.createTTL, PERSISTENT), [opCode.create, 'none'])
  assert.deepEqual(await made(opCode.createTTL, PERSISTENT_WITH_TTL), [opCode.create2, 'ttl'])
  assert.deepEqual(await made(opCode.createTTL, 7), [-8])
  assert.equal(await made(opCode.create, PERSISTENT_WITH_TTL), -5)
  assert.equal(await made(opCode.createContainer, PERSISTENT_WITH_TTL), -5)
})

test('to reads the empty path is the root, as in Apache; to writes it is none', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  assert.deepEqual((await client.get('')).stat, (await client.get('/')).stat)
  assert.deepEqual(await client.children(''), ['zookeeper'])
  assert.equal((await client.exists('')).err, 0)
  assert.equal((await client.set('', 'x')).err, -8)
  assert.equal(await client.delete(''), -8)
})

test('each operation of a multiRead answers for itself', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/a', 'x')
  const { results } = await client.multi(
    [
      { type: opCode.getData, body: encode(getDataRequest, { path: '/a', watch: false }) },
      { type: opCode.getData, body: encode(getDataRequest, { path: '/none', watch: false }) },
      { type: opCode.getChildren, body: encode(getDataRequest, { path: '/zookeeper', watch: false }) },
    ],
    opCode.multiRead,
  )
  const [read] = results
  assert.ok(read?.type === 4 && read.data?.toString() === 'x')
  assert.deepEqual(results[1], { type: -1, err: -101 })
  const listed = results[2]!
  assert.ok(listed.type === 8)
  assert.deepEqual(listed.children.sort(), ['config', 'quota'])
})

test('a body that cannot be read is refused on a connection that lives on', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  const garbage = Buffer.from('00ffffffff00', 'hex')
  for (const code of [
    opCode.create,
    opCode.setData,
    opCode.multi,
    opCode.getData,
    opCode.sync,
    opCode.setWatches,
  ])
    assert.equal((await client.call(code, garbage)).err, -5, `operation ${code}`)
  const mode = encode(addWatchRequest, { path: '/', mode: 9 })
  assert.equal((await client.call(opCode.addWatch, mode)).err, -5)
  assert.equal((await client.exists('/')).err, 0)
})

test('an unknown operation and a lone check are answered with zxid −1 in their turn, and the connection goes on', async () => {
  await using zookeeper = await startServer()
  for (const code of [0, opCode.check, 999, -1]) {
    await using client = await WireClient.connect(zookeeper.port)
    const reply = await client.call(code, encode(checkVersionRequest, { path: '/', version: -1 }))
    assert.deepEqual([reply.zxid, reply.err, reply.body.length], [-1n, -6, 0], `operation ${code}`)
  }
  await using client = await WireClient.connect(zookeeper.port)
  const sent = [client.send(opCode.create, createBody('/n')), client.send(999, Buffer.alloc(0))]
  sent.push(client.send(opCode.ping, Buffer.alloc(0)))
  const replies = [await client.nextReply(), await client.nextReply(), await client.nextReply()]
  assert.deepEqual(
    replies.map(reply => [reply!.xid, reply!.err]),
    sent.map((xid, i) => [xid, i === 1 ? -6 : 0]),
  )
})

test('a reply that is too long is answered with an error, leaves no watch, and the connection goes on', async () => {
  await using zookeeper = await startServer({ config: { 'reply.maxBytes': 20_000 } })
  await using client = await WireClient.connect(zookeeper.port)
  await client.call(opCode.create, createBody('/n', 0, Buffer.alloc(15_000)))
  for (let i = 0; i < 700; i++) client.send(opCode.create, createBody(`/n/${String(i).padStart(30, '0')}`))
  for (let i = 0; i < 700; i++) await client.nextReply()
  const children = encode(getChildrenRequest, { path: '/n', watch: true })
  const data = encode(getDataRequest, { path: '/n', watch: true })
  const twice = new ByteWriter()
  writeMultiRequest(twice, [
    { type: opCode.getData, body: data },
    { type: opCode.getData, body: data },
  ])
  for (const [code, body] of [
    [opCode.getChildren, children],
    [opCode.getChildren2, children],
    [opCode.multiRead, twice.written()],
  ] as const) {
    const reply = await client.call(code, body)
    assert.deepEqual([reply.err, reply.body.length], [-4, 0], `operation ${code}`)
  }
  assert.equal(zookeeper.server.watches.data.count + zookeeper.server.watches.children.count, 0)
  assert.equal((await client.call(opCode.getData, data)).err, 0)
  assert.equal(zookeeper.server.watches.data.count, 1)
})

test('a request of a megabyte that asks for much more takes no memory for it', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await client.call(opCode.create, createBody('/n', 0, Buffer.alloc(1_000_000)))
  const body = encode(getDataRequest, { path: '/n', watch: false })
  const request = new ByteWriter()
  writeMultiRequest(
    request,
    Array.from({ length: 50_000 }, () => ({ type: opCode.getData, body })),
  )
  assert.equal((await client.call(opCode.multiRead, request.written())).err, -4)
  assert.equal((await client.exists('/n')).err, 0)
})

test('a client that sends createSession itself does no harm', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  const { err } = await client.call(opCode.createSession, Buffer.from('00002710', 'hex'))
  assert.equal(err, -6)
  await using other = await WireClient.connect(zookeeper.port)
  assert.equal((await other.exists('/')).err, 0)
})

test('a request one byte over jute.maxbuffer is refused and the next one served; nonsense closes the connection', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  const fill = (size: number) =>
    createBody(`/n${size}`, 0, Buffer.alloc(size - 8 - createBody(`/n${size}`).length))
  assert.equal((await client.call(opCode.create, fill(1_048_575))).err, 0)
  for (const size of [1_048_576, 5_000_000]) {
    // What clients of Apache's server report, which closes the connection.
    assert.equal((await client.call(opCode.create, fill(size))).err, -4)
    assert.equal((await client.exists(`/n${size}`)).err, -101)
  }
  for (const frame of ['ffffffff', '7fffffff', '00000000', '0000000400000000']) {
    await using stranger = await WireClient.open(zookeeper.port)
    stranger.sendBytes(Buffer.from(frame, 'hex'))
    await stranger.closed()
  }
  await using short = await WireClient.connect(zookeeper.port)
  short.sendFrame(Buffer.alloc(7))
  await short.closed()
})

test('large requests take together no more than they may, from their first bytes until they are answered', async () => {
  const config = { largeRequestThreshold: 1_000, largeRequestMaxBytes: 10_000 }
  await using zookeeper = await startServer({ config })
  const { largeRequests } = zookeeper.server
  await using patient = await WireClient.connect(zookeeper.port)
  await using hasty = await WireClient.connect(zookeeper.port)
  await using small = await WireClient.connect(zookeeper.port)
  // It has said how much it will send, and no more.
  const begun = createBody('/begun', 0, Buffer.alloc(6_000))
  const frame = Buffer.alloc(12)
  frame.writeInt32BE(begun.length + 8, 0)
  frame.writeInt32BE(7, 4)
  frame.writeInt32BE(opCode.create, 8)
  patient.sendBytes(frame)
  await small.call(opCode.ping)
  hasty.send(opCode.create, createBody('/hasty', 0, Buffer.alloc(6_000)))
  await hasty.closed()
  assert.equal((await small.call(opCode.create, createBody('/small', 0, Buffer.alloc(500)))).err, 0)
  patient.sendBytes(begun)
  assert.deepEqual([(await patient.nextReply())!.err, largeRequests.take(10_000)], [0, true])
  largeRequests.release(10_000)
  // What is answered at once, or refused, gives back what it took.
  const auth = encode(authPacket, { type: 0, scheme: 'digest', auth: Buffer.alloc(5_000, 'a:b') })
  assert.equal((await patient.call(opCode.auth, auth, -4)).err, 0)
  const tooLong = Buffer.alloc(12)
  tooLong.writeInt32BE(2_000_000, 0)
  tooLong.writeInt32BE(8, 4)
  patient.sendBytes(tooLong.subarray(0, 6))
  await small.call(opCode.ping)
  patient.sendBytes(Buffer.concat([tooLong.subarray(6), Buffer.alloc(2_000_000 - 8)]))
  assert.deepEqual([(await patient.nextReply())!.err, largeRequests.take(10_000)], [-4, true])
  largeRequests.release(10_000)
  // So does one that is left.
  patient.sendBytes(frame)
  await small.call(opCode.ping)
  patient.socket.destroy()
  await using next = await WireClient.connect(zookeeper.port)
  assert.equal((await next.call(opCode.create, createBody('/next', 0, Buffer.alloc(9_000)))).err, 0)
  assert.equal((await next.exists('/next')).err, 0)
})

test('replies come in the order of requests, reads behind writes', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/n', '0')
  const sent: number[] = []
  for (let i = 1; i <= 300; i++) {
    const data = Buffer.from(String(i))
    sent.push(client.send(opCode.setData, encode(setDataRequest, { path: '/n', data, version: -1 })))
    sent.push(client.send(opCode.getData, encode(getDataRequest, { path: '/n', watch: false })))
    if (i % 50 === 0) sent.push(client.send(opCode.sync, encode(syncRequest, { path: '/n' })))
  }
  let lastZxid = 0n
  let value = 0
  for (const xid of sent) {
    const reply = await client.nextReply()
    assert.equal(reply?.xid, xid)
    assert.equal(reply.err, 0)
    assert.ok(reply.zxid >= lastZxid)
    lastZxid = reply.zxid
    if (reply.body.length > 68) {
      const read = Number(reply.body.subarray(4, 4 + reply.body.readInt32BE(0)).toString())
      if (!Number.isNaN(read)) assert.equal(read, ++value)
    }
  }
  assert.equal(value, 300)
})

test('containers and TTL znodes show no owner; TTL needs extended types', async () => {
  await using plain = await startServer()
  await using client = await WireClient.connect(plain.port)
  const ttl = (ms: bigint) =>
    encode(createTtlRequest, { path: '/t', data: null, acl: [...openAcl], flags: 5, ttl: ms })
  assert.equal((await client.call(opCode.createTTL, ttl(5n))).err, -6)
  const create = createBody('/t', createMode.PERSISTENT_WITH_TTL)
  assert.equal((await client.call(opCode.create, create)).err, -6)
  const made = await client.call(opCode.createContainer, createBody('/c', createMode.CONTAINER))
  assert.equal(decode(create2Response, made.body).stat.ephemeralOwner, 0n)
  assert.equal(
    (await client.call(opCode.deleteContainer, encode(deleteContainerRequest, { path: '/c' }))).err,
    0,
  )
  await using extended = await startServer({ config: { extendedTypesEnabled: 'true' } })
  await using other = await WireClient.connect(extended.port)
  assert.equal((await other.call(opCode.create, create)).err, -8)
  assert.equal((await other.call(opCode.createTTL, ttl(0n))).err, -8)
  assert.equal((await other.call(opCode.createTTL, ttl(1n << 40n))).err, -8)
  assert.equal((await other.call(opCode.createTTL, ttl(1000n))).err, 0)
  assert.equal((await other.exists('/t')).stat!.ephemeralOwner, 0n)
})

test('reconfiguration is refused as switched off', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  const body = encode(reconfigRequest, {
    joiningServers: null,
    leavingServers: '1',
    newMembers: null,
    curConfigId: -1n,
  })
  assert.equal((await client.call(opCode.reconfig, body)).err, -123)
})

test('a client asks for its own ephemerals, its identities and the number of descendants', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/e1', '', createMode.EPHEMERAL)
  await client.create('/e2', '', createMode.EPHEMERAL)
  const own = async (prefixPath: string | null) => {
    const { body } = await client.call(opCode.getEphemerals, encode(getEphemeralsRequest, { prefixPath }))
    return decode(getEphemeralsResponse, body).ephemerals.sort()
  }
  assert.deepEqual(await own(null), ['/e1', '/e2'])
  assert.deepEqual(await own('/e1'), ['/e1'])
  const counted = await client.call(
    opCode.getAllChildrenNumber,
    encode(getAllChildrenNumberRequest, { path: '/' }),
  )
  assert.equal(decode(getAllChildrenNumberResponse, counted.body).totalNumber, 5)
  await client.authenticate('digest', 'u:p')
  const who = await client.call(opCode.whoAmI)
  assert.deepEqual(decode(whoAmIResponse, who.body).clientInfo, [
    { authScheme: 'ip', user: '127.0.0.1' },
    { authScheme: 'digest', user: 'u' },
  ])
})

test('SASL is answered with no token where it is not set up', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  const reply = await client.call(opCode.sasl, Buffer.from('00000000', 'hex'))
  assert.deepEqual([reply.zxid, reply.err, reply.body.toString('hex')], [0n, 0, 'ffffffff'])
})

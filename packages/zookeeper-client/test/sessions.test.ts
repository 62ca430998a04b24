// What the client does when servers are slow, lie, forget or die. The test plays the servers; time is virtual.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createRequest,
  createResponse,
  decode,
  errorCode,
  existsResponse,
  getDataRequest,
  getDataResponse,
  opCode,
  setWatches,
  setWatches2,
} from '@vivarium/zookeeper-protocol'
import fc from 'fast-check'
import { MultiError, ZooKeeperError } from '../src/index.ts'
import { outcome, scripted, settled, type Visit } from './scripted-server.ts'

const stat = {
  czxid: 1n,
  mzxid: 1n,
  ctime: 0n,
  mtime: 0n,
  version: 0,
  cversion: 0,
  aversion: 0,
  ephemeralOwner: 0n,
  dataLength: 0,
  numChildren: 0,
  pzxid: 1n,
}

function answerData(visit: Visit, xid: number, text: string, zxid = 1n): void {
  visit.reply(xid, zxid, 0, [getDataResponse as never, { data: Buffer.from(text), stat }])
}

test('requests are pipelined and answered in order', async () => {
  const { zk, join } = scripted()
  const early = zk.getData('/early')
  const visit = await join()
  const later = Promise.all([zk.getData('/b'), outcome(zk.getData('/c'))])
  await settled()
  assert.deepEqual(
    visit.asked.map(({ body }) => decode(getDataRequest, body).path),
    ['/early', '/b', '/c'],
  )
  const [first, second, third] = visit.asked
  answerData(visit, first!.xid, 'one')
  answerData(visit, second!.xid, 'two')
  visit.reply(third!.xid, 5n, errorCode.NONODE)
  assert.equal((await early).data?.toString(), 'one')
  const [b, c] = await later
  assert.equal(b.data?.toString(), 'two')
  assert.equal(c, errorCode.NONODE)
  assert.equal(zk.lastZxid, 5n)
})

test('a lost connection ends what was sent, keeps the session, and finds another server', async () => {
  const { zk, clock, network, states, join } = scripted()
  const first = await join()
  assert.deepEqual([first.hello?.sessionId, first.hello?.timeOut, zk.sessionId], [0n, 30_000, 0x1234n])
  const answered = zk.getData('/a')
  await settled()
  answerData(first, first.asked[0]!.xid, 'x', 77n)
  await answered
  const lost = outcome(zk.setData('/a', 'y'))
  await settled()
  first.hangUp()
  assert.equal(await lost, errorCode.CONNECTIONLOSS)
  assert.equal(zk.state, 'connecting')
  const waits = zk.getData('/b')
  await clock.elapse(1_000)
  const second = network.last
  assert.notEqual(second.host, first.host)
  assert.deepEqual(
    [second.hello?.sessionId, second.hello?.lastZxidSeen, second.hello?.passwd],
    [0x1234n, 77n, Buffer.alloc(16, 9)],
  )
  second.accept()
  await settled()
  answerData(second, second.asked[0]!.xid, 'z')
  assert.equal((await waits).data?.toString(), 'z')
  assert.deepEqual(states, ['connected', 'connecting', 'connected'])
})

test('a silent server is left in time, and a talking one is not', async () => {
  const { zk, clock, network, join } = scripted()
  const visit = await join()
  for (let i = 0; i < 10; i++) {
    await clock.elapse(9_000)
    for (let p = 0; p < visit.pingCount; p++) visit.reply(-2, 1n)
  }
  assert.ok(visit.isOpen)
  assert.ok(visit.pingCount >= 9 && visit.pingCount <= 11, `${visit.pingCount} pings in 90 s`)
  await clock.elapse(22_000)
  assert.ok(!visit.isOpen)
  assert.notEqual(network.last, visit)
  assert.equal(zk.state, 'connecting')
})

test('answers that lie unread because this process stood still do not cost the connection', async () => {
  const { zk, clock, join } = scripted()
  const visit = await join()
  clock.freeze(25_000)
  const passed = clock.elapse(50)
  visit.reply(-2, 1n)
  await passed
  assert.ok(visit.isOpen)
  assert.equal(zk.state, 'connected')
})

test('a reply that is not due, or makes no sense, ends the connection', async () => {
  for (const lie of [
    (visit: Visit) => visit.reply(visit.asked[0]!.xid + 1, 1n),
    (visit: Visit) => visit.reply(999, 1n),
    (visit: Visit) => visit.send(Buffer.from([1, 2, 3])),
    (visit: Visit) => visit.reply(visit.asked[0]!.xid, 1n),
  ]) {
    const { zk, join } = scripted()
    const visit = await join()
    const asked = outcome(zk.getData('/a'))
    await settled()
    lie(visit)
    await settled()
    assert.equal(visit.isOpen, false)
    assert.equal(zk.state, 'connecting')
    assert.notEqual(await asked, undefined)
  }
})

test('whatever a server sends, requests end and the client lives on', async () => {
  const word = fc.integer({ min: -12, max: 40 }).map(n => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(n)
    return bytes
  })
  const noise = fc
    .array(fc.oneof(word, fc.uint8Array({ maxLength: 9 })), { maxLength: 12 })
    .map(parts => Buffer.concat(parts))
  const header = fc
    .tuple(fc.constantFrom(-1, -2, -4, -8, 1, 2, 3, 4), fc.constantFrom(0, 0, 0, -101))
    .map(([xid, err]) => {
      const bytes = Buffer.alloc(16)
      bytes.writeInt32BE(xid)
      bytes.writeInt32BE(err, 12)
      return bytes
    })
  const frame = fc.oneof(
    noise,
    fc.tuple(header, noise).map(parts => Buffer.concat(parts)),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.boolean(),
      fc.array(frame, { minLength: 1, maxLength: 6 }),
      async (isEarly, frames) => {
        const { zk, clock, network, join } = scripted()
        if (isEarly) await clock.elapse(2_000)
        else await join()
        const asked = [zk.getData('/a'), zk.getChildren('/a'), zk.exists('/a'), zk.multi([])].map(outcome)
        await settled()
        for (const bytes of frames) network.last.send(bytes)
        const closed = zk.close()
        await Promise.all([...asked, closed, clock.elapse(50_000)])
        assert.ok(['closed', 'expired', 'auth-failed'].includes(zk.state))
        assert.equal(clock.timerCount, 0)
      },
    ),
    { numRuns: 150 },
  )
})

test('a request waits for a connection as long as a session lives, then says why', async () => {
  const { zk, clock, network } = scripted()
  for (const host of ['a', 'b', 'c']) network.down.add(host)
  const asked = zk.getData('/a').catch(error => error)
  await clock.elapse(29_000)
  assert.equal(await Promise.race([asked, settled()]), undefined)
  await clock.elapse(2_000)
  const error = (await asked) as ZooKeeperError
  assert.ok(error instanceof ZooKeeperError)
  assert.equal(error.code, errorCode.CONNECTIONLOSS)
  assert.match(error.message, /CONNECTIONLOSS for \/a: [abc]:2181: ECONNREFUSED/)
  // Three servers a round, about one round a second: no storm.
  assert.ok(network.dialled.length <= 120, `${network.dialled.length} dials in 31 s`)
  await assert.rejects(
    Promise.all([zk.connected(1_000), clock.elapse(1_500)]),
    /no server of a,b,c gave a session within 1000 ms \(last: [abc]:2181: ECONNREFUSED\)/,
  )
})

test('an expired session ends everything, and says so', async () => {
  const { zk, clock, network, states, join } = scripted()
  const first = await join()
  first.hangUp()
  const waits = outcome(zk.getData('/a'))
  await clock.elapse(1_000)
  network.last.accept({ timeoutMs: 0, sessionId: 0n })
  assert.equal(await waits, errorCode.SESSIONEXPIRED)
  assert.deepEqual(states, ['connected', 'connecting', 'expired'])
  assert.equal(await outcome(zk.getData('/a')), errorCode.SESSIONEXPIRED)
  await assert.rejects(zk.connected(), { code: errorCode.SESSIONEXPIRED })
  await zk.close()
  assert.equal(clock.timerCount, 0)
})

test('identities come first on every connection; a wrong one ends the client', async () => {
  const { zk, clock, network, join } = scripted({ auth: [{ scheme: 'digest', auth: 'u:p' }] })
  const waits = outcome(zk.getData('/a'))
  const first = await join()
  assert.deepEqual(
    first.asked.map(r => r.op),
    [opCode.auth, opCode.getData],
  )
  first.reply(-4, 0n)
  const added = outcome(zk.addAuth('digest', 'v:q'))
  await settled()
  first.hangUp()
  assert.equal(await waits, errorCode.CONNECTIONLOSS)
  await clock.elapse(1_000)
  network.last.accept()
  await settled()
  assert.deepEqual(
    network.last.asked.map(r => r.op),
    [opCode.auth, opCode.auth],
  )
  network.last.reply(-4, 0n)
  network.last.reply(-4, 0n, errorCode.AUTHFAILED)
  assert.equal(await added, errorCode.AUTHFAILED)
  assert.equal(zk.state, 'auth-failed')
  assert.equal(await outcome(zk.getData('/a')), errorCode.AUTHFAILED)
})

test('a watch hears once, before the answer that shows the change', async () => {
  const { zk, join } = scripted()
  const visit = await join()
  const heard: string[] = []
  const watch = (event: { type: string; path: string }) => heard.push(`${event.type} ${event.path}`)
  const first = zk.getData('/a', { watch })
  await settled()
  answerData(visit, visit.asked[0]!.xid, 'old')
  await first
  const second = zk.getData('/a').then(({ data }) => heard.push(String(data)))
  await settled()
  visit.event(3, '/a', 9n)
  answerData(visit, visit.asked[1]!.xid, 'new')
  await second
  visit.event(3, '/a', 10n)
  assert.deepEqual(heard, ['NodeDataChanged /a', 'new'])
})

test('a watch that is not granted is not there: refused reads leave none, exists waits for the znode', async () => {
  const { zk, join } = scripted()
  const visit = await join()
  const heard: string[] = []
  const watch = (event: { type: string }) => heard.push(event.type)
  const refused = outcome(zk.getData('/a', { watch }))
  const absent = zk.exists('/b', { watch })
  await settled()
  visit.reply(visit.asked[0]!.xid, 1n, errorCode.NONODE)
  visit.reply(visit.asked[1]!.xid, 1n, errorCode.NONODE)
  assert.deepEqual([await refused, await absent], [errorCode.NONODE, null])
  visit.event(1, '/a', 2n)
  visit.event(1, '/b', 2n)
  assert.deepEqual(heard, ['NodeCreated'])
})

test('watches follow to the next server, relative to the last answer seen, not to the last event', async () => {
  const { zk, clock, network, join } = scripted({ connect: 'a,b,c/app' })
  const first = await join()
  const watch = () => {}
  const asked = [zk.getData('/d', { watch }), zk.exists('/e', { watch }), zk.exists('/', { watch })]
  await settled()
  answerData(first, first.asked[0]!.xid, 'x', 40n)
  first.reply(first.asked[1]!.xid, 41n, errorCode.NONODE)
  first.reply(first.asked[2]!.xid, 41n, 0, [existsResponse as never, { stat }])
  await Promise.all(asked)
  // Another event of transaction 50 may have been lost with the connection.
  first.event(4, '/app/other', 50n)
  first.hangUp()
  await clock.elapse(1_000)
  network.last.accept()
  await settled()
  const [registration] = network.last.asked
  assert.deepEqual([registration?.xid, registration?.op], [-8, opCode.setWatches])
  assert.deepEqual(decode(setWatches, registration!.body), {
    relativeZxid: 41n,
    dataWatches: ['/app/d', '/app'],
    existWatches: ['/app/e'],
    childWatches: [],
  })
})

test('many watches are told in requests no server refuses', async () => {
  const { zk, clock, network, join } = scripted()
  const first = await join()
  const name = 'x'.repeat(1_000)
  const asked = Array.from({ length: 300 }, (_, i) => zk.addWatch(`/${i}${name}`, 'persistent', () => {}))
  await settled()
  for (const { xid } of first.asked)
    first.reply(xid, 1n, 0, [
      { write: (w: never) => (w as { int32(n: number): void }).int32(0) } as never,
      null,
    ])
  await Promise.all(asked)
  first.hangUp()
  await clock.elapse(1_000)
  network.last.accept()
  await settled()
  const requests = network.last.asked
  assert.ok(requests.every(({ op, body }) => op === opCode.setWatches2 && body.length < 129 * 1024))
  const paths = requests.flatMap(({ body }) => decode(setWatches2, body).persistentWatches)
  assert.equal(new Set(paths).size, 300)
  assert.equal(requests.length, 3)
})

test('a chroot is put before every path and taken off every answer', async () => {
  const { zk, join } = scripted({ connect: 'a/app/one' })
  const visit = await join()
  const created = zk.create('/x-', null, { mode: 'persistent-sequential' })
  await settled()
  const { op, xid, body } = visit.asked[0]!
  assert.equal(op, opCode.create2)
  assert.deepEqual([decode(createRequest, body).path, decode(createRequest, body).flags], ['/app/one/x-', 2])
  visit.reply(xid, 1n, 0, [
    {
      write: (w: never, v: { path: string }) => {
        createResponse.write(w, v)
        writeStat(w)
      },
    } as never,
    { path: '/app/one/x-0000000007' },
  ])
  assert.equal((await created).path, '/x-0000000007')
})

function writeStat(writer: never): void {
  existsResponse.write(writer, { stat })
}

test('what no server would take is refused here', async () => {
  const { zk, join } = scripted()
  const visit = await join()
  const bad = [
    zk.create('a'),
    zk.getData('/a/'),
    zk.delete(''),
    zk.exists('/a//b'),
    zk.setData('/./a', null),
    zk.create('/a', null, { mode: 'ephemeral', ttlMs: 5 }),
    zk.multi([{ op: 'delete', path: 'x' }]),
  ]
  for (const promise of bad) await assert.rejects(promise, { code: errorCode.BADARGUMENTS })
  assert.deepEqual(visit.asked, [])
})

test('a closed client has confirmed its end, or given up waiting for it', async () => {
  const { zk, clock, join } = scripted()
  const visit = await join()
  const asked = zk.getData('/a')
  const closed = zk.close()
  await settled()
  assert.deepEqual(
    visit.asked.map(r => r.op),
    [opCode.getData, opCode.closeSession],
  )
  assert.equal(await outcome(zk.getData('/late')), errorCode.SESSIONEXPIRED)
  answerData(visit, visit.asked[0]!.xid, 'x')
  await asked
  visit.reply(visit.asked[1]!.xid, 3n)
  await closed
  assert.equal(zk.state, 'closed')
  assert.equal(clock.timerCount, 0)

  const silent = scripted()
  await silent.join()
  const givenUp = silent.zk.close()
  await silent.clock.elapse(11_000)
  await givenUp
  assert.equal(silent.zk.state, 'closed')

  const never = scripted()
  await never.zk.close()
  assert.equal(never.zk.state, 'closed')
})

test('a session that a read-only server made is not presented to others', async () => {
  const { zk, clock, network } = scripted({ readOnly: true })
  await clock.elapse(2_000)
  network.last.accept({ readOnly: true })
  await settled()
  assert.equal(zk.isReadOnly, true)
  network.last.hangUp()
  await clock.elapse(1_000)
  assert.equal(network.last.hello?.sessionId, 0n)
})

test('connect strings that cannot be meant are refused with the part that is wrong', () => {
  assert.throws(() => scripted({ connect: '' }), /names no server/)
  assert.throws(() => scripted({ connect: 'a:99999' }), /"a:99999" in the connect string/)
  assert.throws(() => scripted({ connect: 'a:b:c' }), /is not host:port/)
  assert.throws(() => scripted({ connect: 'a/x//y' }), /the chroot .* is no path/)
})

test('a failed multi tells what became of each operation', () => {
  const error = new MultiError(
    [0, -110, -2],
    [
      { op: 'check', path: '/a' },
      { op: 'create', path: '/b' },
      { op: 'delete', path: '/c' },
    ],
  )
  assert.deepEqual([error.code, error.path, error.failedIndex], [errorCode.NODEEXISTS, '/b', 1])
  assert.match(
    error.message,
    /operation 2 of 3 \(create\) failed, none was carried out: OK, NODEEXISTS, RUNTIMEINCONSISTENCY/,
  )
})

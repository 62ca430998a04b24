import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createRequest,
  encode,
  errorCode,
  opCode,
  openAcl,
  setDataRequest,
} from '@vivarium/zookeeper-protocol'
import { startServer } from './embedded-server.ts'
import { WireClient } from './wire-client.ts'

const enforced = { config: { enforceQuota: 'true' } }

/** What zkCli's setquota does. */
async function setQuota(client: WireClient, path: string, limits: string): Promise<void> {
  const parts = path.split('/').slice(1)
  for (let i = 1; i <= parts.length; i++)
    await client.create(`/zookeeper/quota/${parts.slice(0, i).join('/')}`)
  assert.equal(typeof (await client.create(`/zookeeper/quota${path}/zookeeper_limits`, limits)), 'string')
  assert.equal(
    typeof (await client.create(`/zookeeper/quota${path}/zookeeper_stats`, 'count=0,bytes=0')),
    'string',
  )
}

async function usage(client: WireClient, path: string): Promise<string | undefined> {
  return (await client.get(`/zookeeper/quota${path}/zookeeper_stats`)).data?.toString()
}

test('usage is counted from what is there when the quota is set, and follows every write without being one', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/a', '12345')
  await client.create('/a/b', '123')
  await client.create('/ab', 'not below /a')
  await setQuota(client, '/a', 'count=100,bytes=1000')
  assert.equal(await usage(client, '/a'), 'count=2,bytes=8')
  await client.create('/a/c', '1')
  await client.create('/a/b/d', '', 1)
  await client.set('/a', '12')
  await client.delete('/a/c')
  assert.equal(await usage(client, '/a'), 'count=3,bytes=5')
  const { stat } = await client.get('/zookeeper/quota/a/zookeeper_stats')
  assert.equal(stat!.version, 0)
  // The ephemeral goes with its session, and out of the count.
  await client.call(opCode.closeSession)
  await using other = await WireClient.connect(zookeeper.port)
  assert.equal(await usage(other, '/a'), 'count=2,bytes=5')
})

test('the innermost quota counts; one that is deleted counts nothing', async () => {
  await using zookeeper = await startServer()
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/a')
  await client.create('/a/b')
  await setQuota(client, '/a', 'count=100,bytes=1000')
  await setQuota(client, '/a/b', 'count=100,bytes=1000')
  await client.create('/a/b/c', 'x')
  assert.deepEqual(
    [await usage(client, '/a'), await usage(client, '/a/b')],
    ['count=2,bytes=0', 'count=2,bytes=1'],
  )
  await client.delete('/zookeeper/quota/a/b/zookeeper_limits')
  await client.create('/a/b/d', 'x')
  assert.deepEqual(
    [await usage(client, '/a'), await usage(client, '/a/b')],
    ['count=3,bytes=1', 'count=2,bytes=1'],
  )
})

test('a hard limit refuses what would exceed it, also what is in flight together; a soft one is only logged', async () => {
  await using zookeeper = await startServer(enforced)
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/a')
  await setQuota(client, '/a', 'count=-1,bytes=-1=;byteHardLimit=10;countHardLimit=4')
  const body = (path: string, data: string) =>
    encode(createRequest, { path, data: Buffer.from(data), acl: [...openAcl], flags: 0 })
  for (let i = 0; i < 6; i++) client.send(opCode.create, body(`/a/n${i}`, 'x'))
  const errors = []
  for (let i = 0; i < 6; i++) errors.push((await client.nextReply())!.err)
  const refused = errorCode.QUOTAEXCEEDED
  assert.deepEqual(errors, [0, 0, 0, refused, refused, refused])
  assert.equal((await client.set('/a', '1234567')).err, 0)
  assert.equal((await client.set('/a', '12345678')).err, refused)
  const smaller = encode(setDataRequest, { path: '/a/n0', data: null, version: -1 })
  assert.equal((await client.call(opCode.setData, smaller)).err, 0)
  assert.equal((await client.set('/a', '12345678')).err, 0)
  assert.equal(await usage(client, '/a'), 'count=4,bytes=10')
  assert.ok(
    zookeeper.lines.some(line => line.includes('Quota exceeded: /a [current count=5, hardCountLimit=4]')),
  )

  await client.create('/soft')
  await setQuota(client, '/soft', 'count=1,bytes=-1')
  assert.equal(await client.create('/soft/x'), '/soft/x')
})

test('where nothing is counted no limit is enforced, as in Apache', async () => {
  await using zookeeper = await startServer(enforced)
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/a')
  await client.create('/zookeeper/quota/a')
  await client.create('/zookeeper/quota/a/zookeeper_limits', 'count=-1,bytes=-1=;byteHardLimit=1')
  assert.equal((await client.set('/a', 'xx')).err, 0)
})

test('limits of a multi are of the whole: it happens or it does not', async () => {
  await using zookeeper = await startServer(enforced)
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/a')
  await setQuota(client, '/a', 'count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3')
  const create = (path: string) => ({
    type: opCode.create,
    body: encode(createRequest, { path, data: null, acl: [...openAcl], flags: 0 }),
  })
  await client.multi([create('/a/1'), create('/a/2'), create('/a/3')])
  assert.deepEqual(await client.children('/a'), [])
  await client.multi([create('/a/1'), create('/a/2')])
  assert.deepEqual(await client.children('/a'), ['1', '2'])
})

test('quotas are there again after a restart, with what was used', async () => {
  await using zookeeper = await startServer({ config: { enforceQuota: 'true', snapCount: 10 } })
  await using client = await WireClient.connect(zookeeper.port)
  await client.create('/a', '123')
  await setQuota(client, '/a', 'count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=30')
  for (let i = 0; i < 25; i++) await client.create(`/a/${i}`, 'x')
  client.socket.destroy()
  await zookeeper.stop()
  await using again = await startServer({ folder: zookeeper.folder, ...enforced })
  await using later = await WireClient.connect(again.port)
  assert.equal(await usage(later, '/a'), 'count=26,bytes=28')
  for (let i = 25; i < 29; i++) assert.equal(await later.create(`/a/${i}`), `/a/${i}`)
  assert.equal(await later.create('/a/29'), errorCode.QUOTAEXCEEDED)
})

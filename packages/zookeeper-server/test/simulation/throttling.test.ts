import assert from 'node:assert/strict'
import { test } from 'node:test'
import { soundDisk, World } from '@vivarium/simulator'
import { errorCode, type ZooKeeper, ZooKeeperError } from '@vivarium/zookeeper-client'
import { clientOn, during } from './during.ts'
import { configFor, hostOf, Member } from './ensemble.ts'

/** A server alone whose disk takes `syncMs` for every write. */
async function serverWith(settings: Record<string, string | number>, syncMs = 0.1) {
  const world = new World(3)
  world.network.faults = { latencyMs: [0.1, 0.1], stallRate: 0, resetRate: 0 }
  const member = new Member(1, hostOf(1), world)
  member.configure(configFor(1, [], { maxSessionTimeout: 60_000, ...settings }))
  member.boot()
  await world.until('it serves', 10_000, () => member.isServing)
  world.machine(member.host).disk.faults = { ...soundDisk, latencyMs: [syncMs, syncMs], stallRate: 0 }
  const client = (number: number) =>
    clientOn(`10.0.1.${number}`, world, `${member.host}:2181`, { sessionTimeoutMs: 60_000 })
  return { world, member, client, stats: member.server!.stats }
}

const isConnected = async (zookeeper: ZooKeeper, world: World, ms: number): Promise<boolean> => {
  let connected = false
  zookeeper.connected().then(
    () => {
      connected = true
    },
    () => {},
  )
  await world.pass(ms)
  return connected
}

test('new sessions are made as fast as tokens come, and no faster', async () => {
  const { world, client, stats } = await serverWith({
    connection_throttle_tokens: 2,
    connection_throttle_fill_time: 10_000,
  })
  const early = [1, 2, 3].map(client)
  const connected = []
  for (const zookeeper of early) connected.push(await isConnected(zookeeper, world, 50))
  assert.deepEqual(connected, [true, true, false])
  assert.ok(stats.connectionsRejected > 0)
  await world.pass(30_000)
  assert.equal(await isConnected(early[2]!, world, 50), true, 'its turn comes')
})

test('kinds of sessions cost what they are said to', async () => {
  const { world, client } = await serverWith({
    connection_throttle_tokens: 7,
    connection_throttle_fill_time: 10_000_000,
    connection_throttle_weight_enabled: 'true',
  })
  const connected = []
  for (const number of [1, 2, 3]) connected.push(await isConnected(client(number), world, 50))
  assert.deepEqual(connected, [true, true, false], 'two new ones take six of seven tokens')
})

test('while the bucket is empty the chance of being turned away grows, and falls when it is full again', async () => {
  const { world, client, stats } = await serverWith({
    connection_throttle_tokens: 3,
    connection_throttle_fill_time: 2_000,
    connection_throttle_fill_count: 3,
    connection_throttle_freeze_time: 1,
    connection_throttle_drop_increase: 1,
    connection_throttle_drop_decrease: 0.05,
  })
  for (const number of [1, 2, 3]) assert.equal(await isConnected(client(number), world, 10), true)
  assert.equal(await isConnected(client(4), world, 10), false)
  const rejected = stats.connectionsRejected
  const later = client(5)
  await world.pass(2_500)
  assert.ok(
    stats.connectionsRejected > rejected,
    'there are tokens again, and it is turned away all the same',
  )
  await world.pass(60_000)
  assert.equal(await isConnected(later, world, 10), true)
})

test('with more requests than may be in process, the others wait and are carried out in order', async () => {
  const { world, member, client, stats } = await serverWith({ request_throttle_max_requests: 2 }, 2)
  const zookeeper = client(1)
  await during(world, zookeeper.connected())
  const order: string[] = []
  const writes = Array.from({ length: 20 }, (_, i) =>
    zookeeper.create(`/n${i}`).then(({ path }) => order.push(path)),
  )
  const read = zookeeper.exists('/n19')
  await during(world, Promise.all(writes))
  assert.deepEqual(
    order,
    Array.from({ length: 20 }, (_, i) => `/n${i}`),
  )
  assert.ok(await during(world, read), 'a read comes behind the writes before it')
  assert.equal(stats.requestsThrottled, 18)
  assert.equal(member.server!.outstanding, 0)
})

test('a request that waited too long is refused in its turn, and not carried out', async () => {
  const { world, member, client, stats } = await serverWith(
    { request_throttle_max_requests: 1, throttled_op_wait_time: 12 },
    5,
  )
  const zookeeper = client(1)
  await during(world, zookeeper.connected())
  const writes = Array.from({ length: 10 }, (_, i) => zookeeper.create(`/n${i}`))
  const results = await during(world, Promise.allSettled(writes))
  const codes = results.map(result =>
    result.status === 'rejected' ? (result.reason as ZooKeeperError).code : 0,
  )
  const carriedOut = codes.filter(code => code === 0).length
  assert.ok(carriedOut > 0 && carriedOut < 10, `${codes}`)
  assert.deepEqual(
    codes.filter(code => code !== 0),
    new Array(10 - carriedOut).fill(errorCode.THROTTLEDOP),
  )
  assert.equal(stats.throttledOperations, 10 - carriedOut)
  for (const [i, code] of codes.entries())
    assert.equal(member.server!.tree.nodes.has(`/n${i}`), code === 0, `/n${i}`)
})

for (const drop of ['true', 'false']) {
  const what = drop === 'true' ? 'are forgotten' : 'are carried out where they are not to be dropped'
  test(`requests whose client has left ${what}, and take nobody’s place`, async () => {
    const { world, member, client, stats } = await serverWith(
      { request_throttle_max_requests: 1, request_throttle_drop_stale: drop },
      50,
    )
    const [leaving, staying] = [client(1), client(2)]
    await during(world, Promise.all([leaving.connected(), staying.connected()]))
    const writes = Array.from({ length: 10 }, (_, i) => leaving.create(`/left${i}`))
    for (const write of writes) write.catch(error => assert.ok(error instanceof ZooKeeperError))
    await world.pass(2)
    world.machine('10.0.1.1').kill()
    await during(world, staying.create('/stayed'))
    await during(world, staying.create('/stayed-on'))
    assert.ok(stats.staleRequests >= 8)
    assert.equal(stats.staleRequestsDropped, drop === 'true' ? stats.staleRequests : 0)
    assert.equal(member.server!.tree.nodes.has('/left9'), drop === 'false')
  })
}

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { soundNetwork, World } from '@vivarium/simulator'
import { encode, learnerInfo, packetType } from '@vivarium/zookeeper-protocol'
import { PeerStream } from '../../src/quorum/peer-stream.ts'
import { clientOn, during } from './during.ts'
import { ensembleOf, hostOf, type Member } from './ensemble.ts'

const observerMasterPort = 2191

/** Three voters, and two observers that learn from followers. */
async function serving(settings: Record<string, string> = {}) {
  const world = new World(41)
  world.network.faults = soundNetwork
  const { members } = ensembleOf(3, world, { observerMasterPort, ...settings }, { observers: 2 })
  for (const member of members) member.boot()
  const allServe = () => members.every(({ isUp, isServing }) => !isUp || isServing)
  await world.until('all serve', 10_000, allServe)
  const leader = () => members.find(({ server }) => server?.role === 'leader')!
  return { world, members, leader, allServe, voters: members.slice(0, 3), watching: members.slice(3) }
}

function rowOf(member: Member, name: string): string | undefined {
  const row = member.server!.view.monitor().find(([key]) => key === name)
  return row === undefined ? undefined : String(row[1])
}

const masterOf = (member: Member) => Number(rowOf(member, 'observer_master_id'))

test('observers learn from followers, and the leader has none', async () => {
  const { voters, watching, leader } = await serving()
  const followers = voters.filter(voter => voter !== leader()).map(({ id }) => id)
  for (const observer of watching) assert.ok(followers.includes(masterOf(observer)))
  assert.equal(rowOf(leader(), 'synced_observers'), '0')
  const served = voters.filter(voter => voter !== leader()).map(voter => rowOf(voter, 'synced_observers'))
  assert.equal(
    served.reduce((sum, count) => sum + Number(count), 0),
    2,
  )
})

test('where the leader is the only voter, an observer learns from it', async () => {
  const world = new World(42)
  const settings = { observerMasterPort, standaloneEnabled: 'false' }
  const { members } = ensembleOf(1, world, settings, { observers: 1 })
  for (const member of members) member.boot()
  await world.until('both serve', 10_000, () => members.every(({ isServing }) => isServing))
  assert.equal(masterOf(members[1]!), 1)
})

test('a client of an observer writes, syncs, watches, and keeps its session when the follower between dies', async () => {
  const { world, watching, voters, allServe } = await serving()
  const [observer, other] = watching as [Member, Member]
  const zookeeper = clientOn('10.0.1.1', world, `${observer.host}:2181`)
  const neighbour = clientOn('10.0.1.2', world, `${other.host}:2181`)
  await during(world, zookeeper.create('/a', '1'))
  await during(world, zookeeper.create('/alive', null, { mode: 'ephemeral' }))
  await during(world, neighbour.sync('/a'))
  let changes = 0
  await during(world, neighbour.getData('/a', { watch: () => changes++ }))
  const { sessionId } = zookeeper
  for (let round = 0; round < 3; round++) {
    const between = voters.find(({ id }) => id === masterOf(observer))!
    between.kill()
    await world.pass(2_000)
    await world.until('all serve', 10_000, allServe)
    await during(world, zookeeper.setData('/a', `after ${round}`))
    await during(world, neighbour.sync('/a'))
    const { data } = await during(world, neighbour.getData('/a'))
    assert.equal(data!.toString(), `after ${round}`)
    assert.ok(masterOf(observer) !== between.id)
    between.boot()
    await world.until('all serve', 10_000, allServe)
  }
  // Longer than a session lasts whose heartbeats are lost on the way.
  await world.pass(10_000)
  assert.ok(await during(world, neighbour.exists('/alive')))
  assert.equal(zookeeper.sessionId, sessionId)
  assert.equal(changes, 1)
})

test('many syncs and writes through several servers at once are each answered to who asked', async () => {
  const { world, watching, voters } = await serving()
  const hosts = [...watching, ...voters].map(({ host }) => `${host}:2181`)
  const clients = hosts.map((connect, i) => clientOn(`10.0.1.${i + 1}`, world, connect))
  await during(world, clients[0]!.create('/n', '0'))
  const work = clients.map(async (client, i) => {
    for (let round = 0; round < 20; round++) {
      const { path } = await client.create('/n/', `${i}`, { mode: 'persistent-sequential' })
      await client.sync('/')
      const { data } = await client.getData(path)
      assert.equal(data!.toString(), `${i}`)
    }
  })
  await during(world, Promise.all(work))
  await during(world, clients[1]!.sync('/'))
  const { children } = await during(world, clients[1]!.getChildren('/n'))
  assert.equal(children.length, 100)
})

test('an observer hears through its follower of a reconfiguration, and follows the members that are left', async () => {
  const { world, members, leader, watching, allServe } = await serving({
    reconfigEnabled: 'true',
    skipACL: 'yes',
  })
  const zookeeper = clientOn('10.0.1.1', world, watching.map(({ host }) => `${host}:2181`).join(','))
  const leaving = members.find(member => member.id <= 3 && member !== leader())!
  await during(world, zookeeper.reconfig({ leaving: String(leaving.id) }))
  leaving.kill()
  await world.pass(3_000)
  await world.until('all serve', 10_000, allServe)
  await during(world, zookeeper.create('/after'))
  for (const observer of watching) {
    assert.doesNotMatch(observer.server!.view.membership(), new RegExp(`server\\.${leaving.id}=`))
    assert.ok(![leaving.id, leader().id].includes(masterOf(observer)))
  }
})

test('who would follow, or is ahead of the follower, is turned away with the reason', async () => {
  const { world, voters, leader } = await serving()
  const follower = voters.find(voter => voter !== leader())!
  const { lastProcessedZxid } = follower.server!.tree
  const hello = encode(learnerInfo, { serverid: 9n, protocolVersion: 0x10000, configVersion: 0n })
  const { network, clock } = world.machine('10.0.9.9').start()
  const knock = async (type: number, aheadBy: bigint) => {
    const address = { host: hostOf(follower.id), port: observerMasterPort }
    const stream = new PeerStream(
      await during(world, network.connect(address, { timeoutMs: 1_000 })),
      clock,
      60_000,
    )
    stream.send(type, 0n, hello)
    await world.pass(10)
    if (!stream.isClosed) stream.send(packetType.ACKEPOCH, lastProcessedZxid + aheadBy, Buffer.alloc(4))
    await world.pass(10)
    return stream.isClosed
  }
  assert.equal(await knock(packetType.OBSERVERINFO, 0n), false)
  assert.equal(await knock(packetType.OBSERVERINFO, 7n), true)
  assert.match(follower.log, /observer 9 is ahead of this server: it has 0x/)
  assert.equal(await knock(packetType.FOLLOWERINFO, 0n), true)
  assert.match(follower.log, /server 9 wants to follow, and only observers are served here/)
})

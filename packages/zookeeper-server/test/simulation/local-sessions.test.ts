import assert from 'node:assert/strict'
import { test } from 'node:test'
import { World } from '@vivarium/simulator'
import { errorCode } from '@vivarium/zookeeper-client'
import { clientOn, during } from './during.ts'
import { ensembleOf } from './ensemble.ts'

async function localEnsemble(isUpgrading: boolean) {
  const world = new World(21)
  const more = { localSessionsEnabled: 'true', localSessionsUpgradingEnabled: String(isUpgrading) }
  const { members, connect } = ensembleOf(3, world, more)
  for (const member of members) member.boot()
  await world.until('all serve', 10_000, () => members.every(({ isServing }) => isServing))
  const leader = members.find(({ server }) => server!.role === 'leader')!
  const follower = members.find(member => member !== leader)!
  const known = () => members.map(({ server }) => server!.view.sessions().sessions.size)
  return { world, members, connect, leader, follower, known }
}

test('a local session costs no transaction, and reads and writes through any member', async () => {
  const { world, leader, follower, known } = await localEnsemble(false)
  for (const { host } of [leader, follower]) {
    const before = leader.server!.tree.lastProcessedZxid
    const client = clientOn('10.0.1.1', world, `${host}:2181`)
    await during(world, client.connected(5_000))
    assert.equal(leader.server!.tree.lastProcessedZxid, before)
    const path = `/made-through-${host}`
    await during(world, client.create(path, 'x'))
    assert.equal((await during(world, client.getData(path))).data?.toString(), 'x')
    await during(world, client.delete(path))
    const written = leader.server!.tree.lastProcessedZxid
    await during(world, client.close())
    assert.equal(leader.server!.tree.lastProcessedZxid, written)
    assert.deepEqual(known(), [0, 0, 0])
  }
})

test('it creates no ephemeral znode, alone or in a multi', async () => {
  const { world, leader, follower } = await localEnsemble(false)
  for (const { host } of [leader, follower]) {
    const client = clientOn('10.0.1.1', world, `${host}:2181`)
    const refused = { code: errorCode.EPHEMERALONLOCALSESSION }
    await assert.rejects(during(world, client.create('/e', null, { mode: 'ephemeral' })), refused)
    const both = [
      { op: 'create' as const, path: '/p' },
      { op: 'create' as const, path: '/e', mode: 'ephemeral' as const },
    ]
    await assert.rejects(during(world, client.multi(both)))
    assert.equal(await during(world, client.exists('/p')), null)
    await during(world, client.close())
  }
})

test('with upgrading its first ephemeral makes it global, in order with what was asked before, and its end removes it', async () => {
  const { world, members, leader, follower, known } = await localEnsemble(true)
  for (const { host } of [leader, follower]) {
    const client = clientOn('10.0.1.1', world, `${host}:2181`)
    const asked = [
      client.create('/before'),
      client.create('/e', null, { mode: 'ephemeral' }),
      client.delete('/before'),
    ]
    await during(world, Promise.all(asked))
    await world.pass(1_000)
    assert.deepEqual(known(), [1, 1, 1])
    for (const { server } of members)
      assert.equal(server!.tree.nodes.get('/e')!.ephemeralOwner, client.sessionId)
    // It is kept alive as any other.
    await world.pass(20_000)
    assert.equal(client.state, 'connected')
    await during(world, client.close())
    await world.pass(1_000)
    assert.deepEqual(known(), [0, 0, 0])
    for (const { server } of members) assert.equal(server!.tree.nodes.has('/e'), false)
  }
})

test('no other server knows it: a client that must move has expired', async () => {
  const { world, connect, members } = await localEnsemble(false)
  const client = clientOn('10.0.1.1', world, connect)
  await during(world, client.connected(5_000))
  members.find(({ host }) => host === client.server!.host)!.losePower()
  await world.until('the client learns of it', 30_000, () => client.state === 'expired')
})

test('it expires on its server when its client falls silent, without a transaction', async () => {
  const { world, follower, leader } = await localEnsemble(false)
  const client = clientOn('10.0.1.1', world, `${follower.host}:2181`)
  await during(world, client.connected(5_000))
  const before = leader.server!.tree.lastProcessedZxid
  world.machine('10.0.1.1').losePower()
  await world.pass(10_000)
  assert.equal(follower.server!.view.connections().length, 0)
  assert.equal(leader.server!.tree.lastProcessedZxid, before)
})

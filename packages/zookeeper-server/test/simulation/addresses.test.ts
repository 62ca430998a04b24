import assert from 'node:assert/strict'
import { test } from 'node:test'
import { World } from '@vivarium/simulator'
import { errorCode } from '@vivarium/zookeeper-client'
import { clientOn, during } from './during.ts'
import { configFor, ensembleOf, hostOf } from './ensemble.ts'

const otherHostOf = (id: number) => `10.8.0.${id}`
const ids = [1, 2, 3]

function serverLine(id: number): string {
  return `server.${id}=${hostOf(id)}:2888:3888|${otherHostOf(id)}:2888:3888:participant;${hostOf(id)}:2181`
}

/** Three members on two networks. */
async function onTwoNetworks(settings: Record<string, string> = {}) {
  const world = new World(29)
  const { members, connect } = ensembleOf(3, world)
  for (const member of members) {
    world.network.addAddress(otherHostOf(member.id), member.host)
    member.configure(
      configFor(member.id, ids.map(serverLine), { 'multiAddress.enabled': 'true', ...settings }),
    )
    member.boot()
  }
  await world.until('all serve', 10_000, () => members.every(({ isServing }) => isServing))
  const zookeeper = clientOn('10.0.1.1', world, connect)
  await during(world, zookeeper.create('/before'))
  return { world, members, zookeeper }
}

test('members with an address on each of two networks go on when either network is lost', async () => {
  const { world, members, zookeeper } = await onTwoNetworks()
  for (const lost of [hostOf, otherHostOf]) {
    for (const id of ids) {
      world.part(ids.filter(other => other !== id).map(hostOf), [lost(id)], false)
    }
    await world.pass(5_000)
    await world.until('all serve', 10_000, () => members.every(({ isServing }) => isServing))
    await during(world, zookeeper.create('/during', null, { mode: 'persistent-sequential' }))
    world.network.heal()
  }
  const { children } = await during(world, zookeeper.getChildren('/'))
  assert.equal(children.filter(name => name.startsWith('during')).length, 2)
})

test('a reconfiguration names several addresses only where all servers take them', async () => {
  const dynamic = { reconfigEnabled: 'true', skipACL: 'yes' }
  const { world, zookeeper } = await onTwoNetworks(dynamic)
  const { data } = await during(world, zookeeper.getData('/zookeeper/config'))
  assert.deepEqual(data!.toString().split('\n').slice(0, 3), ids.map(serverLine))

  const single = new World(30)
  const { members, connect } = ensembleOf(3, single, dynamic)
  for (const member of members) member.boot()
  await single.until('all serve', 10_000, () => members.every(({ isServing }) => isServing))
  const client = clientOn('10.0.1.1', single, connect)
  await assert.rejects(during(single, client.reconfig({ joining: serverLine(3) })), {
    code: errorCode.BADARGUMENTS,
  })
})

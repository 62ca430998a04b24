import assert from 'node:assert/strict'
import { test } from 'node:test'
import { World } from '@vivarium/simulator'
import { errorCode } from '@vivarium/zookeeper-client'
import { clientOn, during } from './during.ts'
import { configFor, type Ensemble, ensembleOf, hostOf, type Member, serverLine } from './ensemble.ts'

const dynamic = { reconfigEnabled: 'true', skipACL: 'yes' }

/** Three members that serve, a fourth machine that may join, and a client. */
async function serving(settings: Record<string, string> = dynamic, seed = 17) {
  const world = new World(seed)
  const ensemble = ensembleOf(3, world, settings, { spare: 1 })
  const founders = ensemble.members.slice(0, 3)
  for (const member of founders) member.boot()
  await world.until('all serve', 10_000, () => founders.every(({ isServing }) => isServing))
  const zookeeper = clientOn('10.0.1.1', world, ensemble.connect)
  await during(world, zookeeper.connected())
  return { world, ensemble, zookeeper }
}

/** Starts the fourth machine as operators do: it knows the others and itself. */
async function startJoiner(world: World, { members }: Ensemble): Promise<Member> {
  const joiner = members[3]!
  joiner.configure(configFor(4, [1, 2, 3, 4].map(serverLine), dynamic))
  joiner.boot()
  await world.until('it follows', 10_000, () => joiner.isServing)
  return joiner
}

const leaderOf = ({ members }: Ensemble) => members.find(({ server }) => server?.role === 'leader')!

test('the members are numbered with the first epoch, and written beside zoo.cfg as Apache does', async () => {
  const { world, zookeeper } = await serving()
  const { data, stat } = await during(world, zookeeper.getData('/zookeeper/config'))
  assert.equal(data!.toString(), [...[1, 2, 3].map(serverLine), 'version=100000000'].join('\n'))
  assert.deepEqual([stat.mzxid, stat.version], [0x1_0000_0000n, -1])
  await world.pass(1_000)
  const { disk } = world.machine(hostOf(1))
  assert.equal(disk.textOf('/zoo.cfg.dynamic.100000000'), [1, 2, 3].map(serverLine).join('\n'))
  const text = disk.textOf('/zoo.cfg')!
  assert.match(text, /^dynamicConfigFile=\/zoo\.cfg\.dynamic\.100000000$/m)
  assert.doesNotMatch(text, /^(server\.|clientPort)/m)
  assert.match(text, /^tickTime=200$/m)
  assert.match(disk.textOf('/zoo.cfg.bak')!, /^server\.1=/m)
  assert.equal(disk.textOf('/zoo.cfg.dynamic.next'), null)
})

test('a server joins, counts, and leaves; clients that watch the configuration hear of it', async () => {
  const { world, ensemble } = await serving()
  const zookeeper = clientOn('10.0.1.2', world, `${leaderOf(ensemble).host}:2181`)
  await during(world, zookeeper.connected())
  const joiner = await startJoiner(world, ensemble)
  let changes = 0
  await during(world, zookeeper.getData('/zookeeper/config', { watch: () => changes++ }))
  const { data, stat } = await during(world, zookeeper.reconfig({ joining: serverLine(4) }))
  assert.ok(data!.toString().startsWith([1, 2, 3, 4].map(serverLine).join('\n')))
  assert.equal(data!.toString().split('version=')[1], stat.mzxid.toString(16))
  assert.equal(changes, 1)
  await world.pass(1_000)
  assert.equal(joiner.server!.role, 'follower')
  const shares = ensemble.members.map(({ server }) => server?.limits.outstanding)
  assert.deepEqual(new Set(shares), new Set([333]), 'what may be under way is shared out anew')
  // Three of four are a majority, two of four are not.
  const others = ensemble.members.filter(member => member !== leaderOf(ensemble) && member !== joiner)
  others[0]!.kill()
  await during(world, zookeeper.create('/a'))
  const { data: left } = await during(world, zookeeper.reconfig({ leaving: '4' }))
  assert.doesNotMatch(left!.toString(), /server\.4=/)
  joiner.kill()
  await during(world, zookeeper.create('/b'))
})

test('when the leader is taken out, its followers go over to the next one without an election', async () => {
  const { world, ensemble, zookeeper } = await serving()
  const leader = leaderOf(ensemble)
  const elections = () => ensemble.members.map(({ server }) => server?.stats.lookings)
  const before = elections()
  await during(world, zookeeper.reconfig({ leaving: String(leader.id) }))
  await world.until('another leads', 1_000, () => ![undefined, leader].includes(leaderOf(ensemble)))
  await during(world, zookeeper.create('/after'))
  assert.deepEqual(elections(), before)
  assert.equal(leader.server!.role, 'follower', 'without a vote, until it is stopped')
})

test('a member whose role or client port changes goes on in the new one', async () => {
  const { world, ensemble, zookeeper } = await serving()
  const member = ensemble.members.find(({ server }) => server?.role === 'follower')!
  const moved = serverLine(member.id).replace(':participant', ':observer').replace(/2181$/, '2199')
  await during(world, zookeeper.reconfig({ joining: moved }))
  await world.until('it observes', 5_000, () => member.server?.role === 'observer')
  const atNewPort = clientOn('10.0.1.2', world, `${member.host}:2199`)
  await during(world, atNewPort.connected())
  await during(world, atNewPort.create('/through-the-observer'))
})

test('servers may all have their clients at the same port of every interface', async () => {
  const { world, ensemble, zookeeper } = await serving()
  await startJoiner(world, ensemble)
  const anywhere = (id: number) => serverLine(id).replace(/;.*/, ';2181')
  const members = [1, 2, 3].map(anywhere).join(',')
  await during(world, zookeeper.reconfig({ members }))
  const { data } = await during(world, zookeeper.reconfig({ joining: anywhere(4) }))
  assert.match(data!.toString(), /^server\.4=10\.0\.0\.4:2888:3888:participant;0\.0\.0\.0:2181$/m)
})

test('what cannot be is refused with Apache’s errors', async () => {
  const { world, ensemble, zookeeper } = await serving()
  const refused = (change: Parameters<typeof zookeeper.reconfig>[0], code: number) =>
    assert.rejects(during(world, zookeeper.reconfig(change)), { code })
  await refused({ leaving: '1', fromConfig: 7n }, errorCode.BADVERSION)
  await refused({ joining: 'some thing' }, errorCode.BADARGUMENTS)
  await refused({ joining: 'server.4=10.0.0.4:2888:3888' }, errorCode.BADARGUMENTS)
  await refused({ joining: serverLine(4).replace('10.0.0.4:2888', '10.0.0.3:2888') }, errorCode.BADARGUMENTS)
  const twins = [1, 2, 3].map(id => serverLine(id).replace('10.0.0.3:2888', '10.0.0.2:2888'))
  await refused({ members: twins.join(',') }, errorCode.BADARGUMENTS)
  await refused({ leaving: '1,2' }, errorCode.BADARGUMENTS)
  await refused({ leaving: 'one' }, errorCode.BADARGUMENTS)
  await refused({ members: `${serverLine(1)},group.1=1:2` }, errorCode.BADARGUMENTS)
  await refused({ members: `${serverLine(1)},${serverLine(2)},tickTime=1` }, errorCode.BADARGUMENTS)
  await refused({ members: [1, 4, 5].map(serverLine).join(',') }, errorCode.NEWCONFIGNOQUORUM)
  assert.equal(ensemble.members[0]!.server!.view.membership().split('\n').length, 5)
})

test('who may not write the configuration, or wants to where that is off, is refused', async () => {
  const { world, zookeeper } = await serving({ reconfigEnabled: 'true' })
  await assert.rejects(during(world, zookeeper.reconfig({ leaving: '1' })), { code: errorCode.NOAUTH })
  const other = await serving({})
  await assert.rejects(during(other.world, other.zookeeper.reconfig({ leaving: '1' })), {
    code: errorCode.RECONFIGDISABLED,
  })
})

test('a whole configuration with groups and weights takes the place of the members', async () => {
  const { world, ensemble, zookeeper } = await serving()
  await startJoiner(world, ensemble)
  const lines = [...[1, 2, 3, 4].map(serverLine), 'group.1=1:2', 'group.2=3:4', 'weight.4=0']
  const { data } = await during(world, zookeeper.reconfig({ members: lines.join(',') }))
  assert.equal(data!.toString().split('\nversion=')[0], lines.join('\n'))
  await during(world, zookeeper.create('/a'))
  await assert.rejects(during(world, zookeeper.reconfig({ leaving: '4' })), { code: errorCode.BADARGUMENTS })
})

test('a leader whose disk fails while it writes down new members stops, and the others go on', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { world, ensemble, zookeeper } = await serving(dynamic, seed)
    const leader = leaderOf(ensemble)
    const others = ensemble.members.slice(0, 3).filter(member => member !== leader)
    const { faults } = world.machine(leader.host).disk
    const change = zookeeper.reconfig({ joining: serverLine(others[0]!.id).replace('2181', '2182') })
    const write = zookeeper.create('/a')
    for (const task of [change, write]) task.catch(() => {})
    faults.errorRate = 0.5
    await world.pass(100)
    faults.errorRate = 1
    await world.until('the leader stops', 10_000, () => {
      if (leader.isUp) zookeeper.setData('/a', null).catch(() => {})
      return !leader.isUp
    })
    await world.until('the others serve', 10_000, () => others.every(({ isServing }) => isServing))
  }
})

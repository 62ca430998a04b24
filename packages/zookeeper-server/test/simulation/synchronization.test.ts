import assert from 'node:assert/strict'
import { test } from 'node:test'
import { soundDisk, soundNetwork, World } from '@vivarium/simulator'
import { encode, learnerInfo, packetType, type QuorumPacket } from '@vivarium/zookeeper-protocol'
import { PeerStream } from '../../src/quorum/peer-stream.ts'
import { clientOn, during } from './during.ts'
import { ensembleOf } from './ensemble.ts'

const { PROPOSAL, COMMIT, NEWLEADER } = packetType

test('a voter that joins gets what is under way behind NEWLEADER, so that no commit reaches back over it', async () => {
  // Apache's learners of 3.7 and 3.8 fail at such a commit, and synchronise again and again (ZOOKEEPER-4394).
  const world = new World(7)
  world.network.faults = soundNetwork
  const { members, connect } = ensembleOf(3, world)
  for (const member of members) member.boot()
  await world.until('all serve', 10_000, () => members.every(({ isServing }) => isServing))
  // Slow disks: some proposal is always under way.
  for (const { host } of members) world.machine(host).disk.faults = { ...soundDisk, latencyMs: [20, 20] }
  const zookeeper = clientOn('10.0.1.1', world, connect)
  await during(world, zookeeper.create('/busy'))
  const writing = { isOver: false }
  const writers = Array.from({ length: 20 }, async () => {
    while (!writing.isOver) await zookeeper.setData('/busy', 'x')
  })
  await world.pass(50)

  const leader = members.find(({ server }) => server?.role === 'leader')!
  const epoch = leader.server!.tree.lastProcessedZxid >> 32n
  const { network, clock } = world.machine('10.0.9.9').start()
  const connecting = network.connect({ host: leader.host, port: 2888 }, { timeoutMs: 1_000 })
  const learner = new PeerStream(await during(world, connecting), clock, 60_000)
  const received: QuorumPacket[] = []
  const takeAll = () => {
    for (let packet = learner.next(); packet !== null; packet = learner.next()) received.push(packet)
    return received
  }
  const hello = { serverid: 9n, protocolVersion: 0x10000, configVersion: 0n }
  learner.send(packetType.FOLLOWERINFO, 0n, encode(learnerInfo, hello))
  await world.until('it hears the epoch', 1_000, () => takeAll().length > 0)
  const neverBefore = Buffer.alloc(4, 0xff)
  learner.send(packetType.ACKEPOCH, (epoch << 32n) + 1n, neverBefore)
  const isCommittedBehind = () =>
    takeAll().findLastIndex(({ type }) => type === COMMIT) > kindsOf(received).indexOf(NEWLEADER)
  await world.until(
    'commits follow',
    1_000,
    () => kindsOf(takeAll()).includes(NEWLEADER) && isCommittedBehind(),
  )

  const at = kindsOf(received).indexOf(NEWLEADER)
  assert.deepEqual(uncommittedOf(received.slice(0, at)), [], 'what comes before NEWLEADER is committed')
  const behind = received.slice(at + 1).filter(({ type }) => type === PROPOSAL || type === COMMIT)
  assert.equal(behind[0]!.type, PROPOSAL)
  assert.ok(behind[0]!.zxid <= received.findLast(({ type }) => type === COMMIT)!.zxid)
  writing.isOver = true
  await during(world, Promise.all(writers))
})

const kindsOf = (packets: readonly QuorumPacket[]) => packets.map(({ type }) => type)

function uncommittedOf(packets: readonly QuorumPacket[]): bigint[] {
  const commits = new Set(packets.filter(({ type }) => type === COMMIT).map(({ zxid }) => zxid))
  return packets.filter(({ type, zxid }) => type === PROPOSAL && !commits.has(zxid)).map(({ zxid }) => zxid)
}

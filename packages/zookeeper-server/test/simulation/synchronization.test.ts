import assert from 'node:assert/strict'
import { test } from 'node:test'
import { soundDisk, soundNetwork, World } from '@vivarium/simulator'
import {
  encode,
  learnerInfo,
  packetType,
  type QuorumPacket,
  quorumPacket,
} from '@vivarium/zookeeper-protocol'
import { encodeNotification } from '../../src/quorum/election-messages.ts'
import { PeerStream } from '../../src/quorum/peer-stream.ts'
import { encodeEntry } from '../../src/txn.ts'
import { clientOn, during } from './during.ts'
import { configFor, ensembleOf, hostOf, Member, serverLine } from './ensemble.ts'

const { PROPOSAL, COMMIT, NEWLEADER, LEADERINFO, DIFF } = packetType

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

test('a learner that its leader never brings into step rests before it asks again', async () => {
  const world = new World(8)
  world.network.faults = soundNetwork
  const member = new Member(3, hostOf(3), world)
  member.configure(configFor(3, [1, 2, 3].map(serverLine)))
  const states = { [hostOf(1)]: 1, [hostOf(2)]: 2 } as const
  const vote = { leader: 2n, zxid: 0n, round: 1n, peerEpoch: 1n }
  const header = { clientId: 1n, cxid: 1, zxid: 7n, time: 0n, type: -10 }
  const entry = encodeEntry(header, { type: 'createSession', timeOut: 4_000 }, null)
  let asked = 0
  for (const [host, state] of Object.entries(states)) {
    const { network } = world.machine(host).start()
    void network.listen({ host, port: 3888 }, connection => {
      connection.onData = () => connection.write(encodeNotification(vote, state, ''))
    })
    // Its history has a hole.
    void network.listen({ host, port: 2888 }, connection => {
      asked++
      const packet = (type: number, zxid: bigint, data: Buffer | null = null) =>
        connection.write(encode(quorumPacket, { type, zxid, data, authinfo: null }))
      packet(LEADERINFO, 1n << 32n, Buffer.from([0, 1, 0, 0]))
      packet(DIFF, 7n)
      packet(PROPOSAL, 7n, entry)
    })
  }
  member.boot()
  await world.pass(60_000)
  assert.ok(member.isUp)
  assert.ok(asked > 5 && asked < 60_000 / 200 + 20, `asked ${asked} times in a minute`)
})

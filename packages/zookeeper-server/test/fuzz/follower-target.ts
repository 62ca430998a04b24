import type { Connection } from '@vivarium/platform'
import { encode, packetType, quorumPacket } from '@vivarium/zookeeper-protocol'
import { encodeNotification } from '../../src/quorum/election-messages.ts'
import { encodeEntry } from '../../src/txn.ts'
import { configFor, hostOf, Member, serverLine } from '../simulation/ensemble.ts'
import { mutated } from './mutate.ts'
import { calmDisk, calmWorld, expectUp, type Target, type TargetKind } from './target.ts'

const members = [1, 2, 3].map(serverLine)
const state = { following: 1, leading: 2 } as const

function packet(type: number, zxid: bigint, data: Buffer | null = null): Buffer {
  return encode(quorumPacket, { type, zxid, data, authinfo: null })
}

function entry(zxid: bigint): Buffer {
  const header = { clientId: 1n, cxid: 1, zxid, time: 0n, type: -10 }
  return encodeEntry(header, { type: 'createSession', timeOut: 4_000 }, null)
}

/** An empty database and its end mark. */
const database = Buffer.concat([Buffer.alloc(8), framedSlash(), framedText('BenWasHere')])

function framedSlash(): Buffer {
  return framedText('/')
}

function framedText(text: string): Buffer {
  const bytes = Buffer.alloc(4 + text.length)
  bytes.writeInt32BE(text.length)
  bytes.write(text, 4)
  return bytes
}

/**
 * The learner's half of the quorum protocol: the largest of three servers is led by what only seems to be an ensemble, and
 * hears anything from it.
 */
export const follower: TargetKind = {
  inputsPerSeed: 400,
  share: 0.05,
  slackBytes: 8 * 1024 * 1024,
  open: async (seed): Promise<Target> => {
    const world = calmWorld(seed)
    const { chance } = world
    const member = new Member(3, hostOf(3), world)
    calmDisk(world, hostOf(3))
    member.configure(configFor(3, members, { snapCount: 3_000 }))
    let epoch = 1n
    const leaderDoors = world.machine(hostOf(2)).start()
    const otherDoors = world.machine(hostOf(1)).start()
    const vote = (state_: 1 | 2) =>
      encodeNotification({ leader: 2n, zxid: 0n, round: 1n, peerEpoch: epoch }, state_, '')
    // Whatever it says, it is told that server 2 leads and server 1 follows it.
    for (const [doors, isLeading] of [
      [leaderDoors, true],
      [otherDoors, false],
    ] as const) {
      void doors.network.listen({ host: hostOf(isLeading ? 2 : 1), port: 3888 }, connection => {
        connection.onData = () => connection.write(vote(isLeading ? state.leading : state.following))
      })
    }
    let learner: Connection | null = null
    void leaderDoors.network.listen({ host: hostOf(2), port: 2888 }, connection => {
      learner = connection
      connection.onData = () => {}
      connection.onClose = () => {
        if (learner === connection) learner = null
      }
    })
    member.boot()

    const steps = (): Buffer[] => {
      const first = epoch << 32n
      const version = Buffer.alloc(4)
      version.writeInt32BE(0x10000)
      return [
        packet(packetType.LEADERINFO, first, version),
        chance.pick([
          packet(packetType.DIFF, 0n),
          packet(packetType.TRUNC, 0n),
          Buffer.concat([packet(packetType.SNAP, 0n), database]),
        ]),
        packet(packetType.NEWLEADER, first),
        packet(packetType.UPTODATE, -1n),
        packet(packetType.PROPOSAL, first + 1n, entry(first + 1n)),
        packet(packetType.COMMIT, first + 1n),
        packet(packetType.PING, first),
        packet(packetType.SYNC, first),
        packet(packetType.REVALIDATE, -1n, Buffer.alloc(9)),
        packet(packetType.PROPOSAL, first + 2n, entry(first + 2n)),
      ]
    }
    let before: Buffer[] = []
    return {
      input: () => {
        epoch++
        const all = steps()
        const at = chance.below(all.length)
        before = all.slice(0, at)
        return mutated(all[at]!, chance, all)
      },
      feed: async input => {
        learner?.destroy()
        await world.until('it follows', 20_000, () => learner !== null || !member.isUp)
        for (const bytes of before) {
          ;(learner as Connection | null)?.write(bytes)
          await world.pass(1)
        }
        ;(learner as Connection | null)?.write(input)
        await world.pass(3)
        // Apache's ends there too (code 12): what it holds is not what its leader holds.
        if (/Committing zxid .* but/.test(member.log) && !member.isUp) member.boot()
        expectUp([member])
      },
      finish: async () => {
        member.kill()
        await world.pass(100)
        member.boot()
        await world.until('it follows again', 30_000, () => learner !== null)
        member.kill()
      },
    }
  },
}

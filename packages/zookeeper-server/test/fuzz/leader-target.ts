import type { Chance } from '@vivarium/simulator'
import { encode, learnerInfo, packetType, quorumPacket } from '@vivarium/zookeeper-protocol'
import { ensembleUnderFire, observerMasterPort } from './ensemble-under-fire.ts'
import { mutated } from './mutate.ts'
import { oddRequest } from './odd-requests.ts'
import { Caller, calmWorld, type Target, type TargetKind } from './target.ts'

const stranger = 9n

function packet(type: number, zxid: bigint, data: Buffer | null = null): Buffer {
  return encode(quorumPacket, { type, zxid, data, authinfo: null })
}

/** What a learner that no configuration knows says first. */
function greeting(type: number): Buffer {
  return packet(
    type,
    0n,
    encode(learnerInfo, { serverid: stranger, protocolVersion: 0x10000, configVersion: 0n }),
  )
}

function acceptance(epoch: bigint): Buffer {
  const data = Buffer.alloc(4)
  data.writeInt32BE(Number(epoch))
  return packet(packetType.ACKEPOCH, 0n, data)
}

function later(chance: Chance, epoch: bigint): Buffer {
  switch (chance.below(4)) {
    case 0:
      return packet(packetType.ACK, chance.pick([epoch << 32n, 0n, (epoch << 32n) + 5n]))
    case 1:
      return packet(packetType.PING, epoch << 32n, Buffer.alloc(12 * chance.below(3)))
    case 2:
      return packet(packetType.REVALIDATE, -1n, Buffer.alloc(12))
    default: {
      const { code, body } = oddRequest(chance)
      const head = Buffer.alloc(16)
      head.writeInt32BE(1, 8)
      head.writeInt32BE(code, 12)
      return packet(packetType.REQUEST, -1n, Buffer.concat([head, body]))
    }
  }
}

/** The quorum port of a leader, or a follower's port for observers, at every step of a learner's way. */
export const leader: TargetKind = {
  inputsPerSeed: 2_000,
  share: 0.15,
  slackBytes: 8 * 1024 * 1024,
  open: async (seed): Promise<Target> => {
    const world = calmWorld(seed)
    const { chance } = world
    const ensemble = await ensembleUnderFire(world)
    const isFollower = seed % 3 === 0
    const master = () =>
      isFollower ? ensemble.members.find(member => member !== ensemble.leader)! : ensemble.leader
    const port = isFollower ? observerMasterPort : 2888
    let leading = master()
    let caller = new Caller(world, '10.0.9.9', { host: leading.host, port })
    let fed = 0
    /** What is said in order before the input. */
    let before: Buffer[] = []
    return {
      input: () => {
        const epoch = leading.server!.tree.lastProcessedZxid >> 32n
        const type = chance.pick([packetType.FOLLOWERINFO, packetType.OBSERVERINFO])
        if (caller.isOpen && chance.below(4) > 0) {
          before = []
          return chance.below(6) === 0 ? later(chance, epoch) : mutated(later(chance, epoch), chance)
        }
        const steps = [greeting(type), acceptance(epoch), packet(packetType.ACK, epoch << 32n)]
        const at = chance.below(steps.length + 1)
        before = [...steps.slice(0, at)]
        return mutated(steps[at] ?? later(chance, epoch), chance, steps)
      },
      feed: async input => {
        if (before.length > 0 || !caller.isOpen) await caller.open()
        for (const bytes of before) await caller.say(bytes)
        await caller.say(input)
        if (++fed % 100 > 0) return
        await ensemble.expectWell()
        if (master() === leading) return
        leading = master()
        caller = new Caller(world, '10.0.9.9', { host: leading.host, port })
      },
      finish: async () => {
        caller.close()
        await world.pass(5_000)
        await ensemble.expectWell()
      },
    }
  },
}

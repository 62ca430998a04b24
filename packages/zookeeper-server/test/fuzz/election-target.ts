import { encodeNotification, initialMessage } from '../../src/quorum/election-messages.ts'
import { loanRequest } from '../../src/quorum/log-lending.ts'
import { serverLine } from '../simulation/ensemble.ts'
import { ensembleUnderFire } from './ensemble-under-fire.ts'
import { mutated } from './mutate.ts'
import { Caller, calmWorld, type Target, type TargetKind } from './target.ts'

const configuration = [1, 2, 3].map(serverLine).join('\n')

/** The election port of a member. */
export const election: TargetKind = {
  inputsPerSeed: 2_000,
  share: 0.15,
  slackBytes: 8 * 1024 * 1024,
  open: async (seed): Promise<Target> => {
    const world = calmWorld(seed)
    const { chance } = world
    const ensemble = await ensembleUnderFire(world)
    const callers = ensemble.members.map(({ host }) => new Caller(world, '10.0.9.9', { host, port: 3888 }))
    let caller = callers[0]!
    let isFirst = false
    let fed = 0
    const sids = [9n, 9n, 4n, 0n, -1n, 3n]
    const first = () =>
      chance.below(4) === 0
        ? loanRequest({
            sid: chance.pick([1n, 2n, ...sids]),
            before: BigInt(chance.between(-1, 40)) + (BigInt(chance.below(3)) << 32n),
            maxBytes: chance.pick([-1, 0, 1, 1_000, 1_000_000, 2 ** 31 - 1]),
          })
        : initialMessage(
            chance.pick(sids),
            Array(chance.between(1, 3)).fill({ host: '10.0.9.9', port: 3888 }),
          )
    const notification = () =>
      encodeNotification(
        {
          leader: BigInt(chance.between(-1, 9)),
          zxid: BigInt(chance.below(5)) << 32n,
          round: BigInt(chance.between(-1, 12)),
          peerEpoch: BigInt(chance.between(-1, 12)),
        },
        chance.pick([0, 1, 2, 3] as const),
        chance.pick(['', configuration, `${configuration}\nversion=100000000`, 'server.1=', 'x'.repeat(100)]),
      )
    return {
      input: () => {
        caller = chance.pick(callers)
        isFirst = !caller.isOpen && chance.below(2) === 0
        if (isFirst) return mutated(first(), chance)
        return chance.below(3) === 0 ? notification() : mutated(notification(), chance)
      },
      feed: async input => {
        if (!caller.isOpen) {
          await caller.open()
          if (!isFirst) await caller.say(first())
        }
        await caller.say(input)
        if (++fed % 100 === 0) await ensemble.expectWell()
      },
      finish: async () => {
        for (const one of callers) one.close()
        await world.pass(5_000)
        await ensemble.expectWell()
      },
    }
  },
}

import type { World } from '@vivarium/simulator'
import { clientOn, during } from '../simulation/during.ts'
import { ensembleOf, type Member } from '../simulation/ensemble.ts'
import { calmDisk, expectUp } from './target.ts'

export interface EnsembleUnderFire {
  members: readonly Member[]
  leader: Member
  /** Everybody lives, and a client is served. */
  expectWell(): Promise<void>
}

/** Where followers serve observers. */
export const observerMasterPort = 2191

/** Three members that serve. */
export async function ensembleUnderFire(world: World): Promise<EnsembleUnderFire> {
  const { members, connect } = ensembleOf(3, world, {
    snapCount: 3_000,
    'extensions.enabled': 'true',
    observerMasterPort,
  })
  for (const member of members) {
    calmDisk(world, member.host)
    member.boot()
  }
  const leaderNow = () => members.find(({ server }) => server?.role === 'leader')
  await world.until('all serve', 10_000, () => members.every(({ isServing }) => isServing))
  const witness = clientOn('10.0.1.1', world, connect)
  await during(world, witness.connected())
  let count = 0
  return {
    members,
    get leader() {
      return leaderNow() ?? members[0]!
    },
    expectWell: async () => {
      expectUp(members)
      // Whoever takes part in an election, or speaks for a member, may well bring about another one.
      await world.until('all serve', 30_000, () => members.every(({ isServing }) => isServing))
      const path = `/well-${count++}`
      for (let attempt = 0; ; attempt++) {
        try {
          await during(world, witness.create(path))
          return
        } catch (error) {
          if (attempt === 5) throw error
        }
      }
    },
  }
}

import assert from 'node:assert/strict'
import { connectRequest, encode, opCode, setWatches2 } from '@vivarium/zookeeper-protocol'
import { clientOn, during } from '../simulation/during.ts'
import { configFor, hostOf, Member } from '../simulation/ensemble.ts'
import { framed, mutated } from './mutate.ts'
import { oddRequest } from './odd-requests.ts'
import { Caller, calmDisk, calmWorld, expectUp, type Target, type TargetKind } from './target.ts'

const hello = framed(
  encode(connectRequest, {
    protocolVersion: 0,
    lastZxidSeen: 0n,
    timeOut: 4_000,
    sessionId: 0n,
    passwd: Buffer.alloc(16),
    readOnly: false,
  }),
)
const words = ['ruok', 'stat', 'srvr', 'cons', 'wchp', 'dump', 'isro', 'stmk', 'hash', 'conf'].map(word =>
  Buffer.from(word),
)
const watches = encode(setWatches2, {
  relativeZxid: 1n,
  dataWatches: ['/a', '/b'],
  existWatches: ['/c'],
  childWatches: ['/'],
  persistentWatches: ['/a'],
  persistentRecursiveWatches: ['/'],
})

/** The client port of a server alone, before and in a session. */
export const client: TargetKind = {
  inputsPerSeed: 4_000,
  share: 0.62,
  slackBytes: 8 * 1024 * 1024,
  open: async (seed): Promise<Target> => {
    const world = calmWorld(seed)
    const { chance } = world
    const member = new Member(1, hostOf(1), world)
    calmDisk(world, hostOf(1))
    member.configure(
      configFor(1, [], { snapCount: 3_000, extendedTypesEnabled: 'true', '4lw.commands.whitelist': '*' }),
    )
    member.boot()
    await world.until('it serves', 10_000, () => member.isServing)
    const witness = clientOn('10.0.1.1', world, `${hostOf(1)}:2181`)
    await during(world, witness.connected())
    const states: string[] = []
    witness.onState(state => states.push(state))
    const caller = new Caller(world, '10.0.1.2', { host: hostOf(1), port: 2181 })
    let isFresh = false
    let fed = 0

    const request = (): Buffer => {
      const { code, body } =
        chance.below(20) === 0 ? { code: opCode.setWatches2, body: watches } : oddRequest(chance)
      const header = Buffer.alloc(8)
      header.writeInt32BE(chance.pick([1, 2, -2, -4, -8, chance.below(2 ** 31)]))
      header.writeInt32BE(chance.below(10) === 0 ? chance.between(-12, 110) : code, 4)
      return Buffer.concat([header, body])
    }
    return {
      input: () => {
        isFresh = chance.below(12) === 0
        if (isFresh) return mutated(chance.pick([hello, ...words]), chance)
        const body = request()
        if (chance.below(8) === 0) return mutated(framed(body), chance)
        return framed(chance.below(4) === 0 ? body : mutated(body, chance))
      },
      feed: async input => {
        if (isFresh || !caller.isOpen) {
          await caller.open()
          if (!isFresh) await caller.say(hello)
        }
        await caller.say(input)
        if (isFresh) caller.close()
        expectUp([member])
        if (++fed % 500 === 0) await during(world, witness.create(`/witness-${fed}`))
      },
      finish: async () => {
        caller.close()
        assert.deepEqual(states, [], 'nobody else notices')
        await during(world, witness.close())
        await world.pass(100)
        const { digest, nodeCount } = member.server!.tree
        member.kill()
        member.boot()
        await world.until('it serves again', 10_000, () => member.isServing)
        const { tree } = member.server!
        assert.deepEqual([tree.digest, tree.nodeCount], [digest, nodeCount])
        member.kill()
      },
    }
  },
}

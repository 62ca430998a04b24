import assert from 'node:assert/strict'
import { test } from 'node:test'
import { silentLog } from '@vivarium/platform'
import { World } from '@vivarium/simulator'
import { parseConfiguration, peerOf } from '../src/quorum/configuration.ts'
import type { EpochFiles } from '../src/quorum/epoch-files.ts'
import { Leading } from '../src/quorum/leading.ts'
import type { MemberContext } from '../src/quorum/member.ts'
import { Membership } from '../src/quorum/membership.ts'
import { during } from './simulation/during.ts'

test('an epoch that has no more zxids ends: its leader proposes nothing more and gives up', async () => {
  const world = new World(1)
  const { clock, network } = world.machine('10.0.0.1').start()
  const members = parseConfiguration([1, 2, 3].map(id => `server.${id}=10.0.0.${id}:2888:3888`).join('\n'))
  const fail = (error: Error) => {
    throw error
  }
  const context = {
    myId: 1n,
    own: peerOf(members, 1n)!,
    membership: new Membership(members, members, null, fail),
    replica: { lastLoggedZxid: 0n },
    network,
    clock,
    log: silentLog,
    tickMs: 200,
    initLimit: 1_000,
    syncLimit: 10,
    listenOnAll: false,
    onFailure: fail,
  } as unknown as MemberContext
  const epochs = { accepted: 1n, current: 1n, seen: 1n, setAccepted: () => new Promise(() => {}) }
  const leading = new Leading(context, epochs as unknown as EpochFiles)
  const ended = leading.run()
  await world.pass(10)
  leading.propose(0x1_ffff_ffffn, Buffer.alloc(0))
  // What its server orders until it has noticed would fall into an epoch that nobody established.
  leading.propose(0x2_0000_0000n, Buffer.alloc(0))
  assert.match(await during(world, ended), /zxid lower 32 bits have rolled over, forcing re-election/)
  assert.equal(leading.leader.outstandingCount, 0)
})

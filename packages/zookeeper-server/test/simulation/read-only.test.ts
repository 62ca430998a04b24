import assert from 'node:assert/strict'
import { test } from 'node:test'
import { World } from '@vivarium/simulator'
import { errorCode } from '@vivarium/zookeeper-client'
import { clientOn, during } from './during.ts'
import { ensembleOf } from './ensemble.ts'

/** Three members of which one alone is up, after all were and `/a` was written. */
async function withoutQuorum(more: Record<string, string | number> = { 'readonlymode.enabled': 'true' }) {
  const world = new World(11)
  const ensemble = ensembleOf(3, world, more)
  for (const member of ensemble.members) member.boot()
  await world.until('all serve', 10_000, () => ensemble.members.every(({ isServing }) => isServing))
  const writer = clientOn('10.0.1.1', world, ensemble.connect)
  await during(world, writer.create('/a', 'data'))
  await world.pass(1_000)
  const [alone, ...others] = ensemble.members
  for (const member of others) member.losePower()
  await world.pass(10_000)
  return { world, ensemble, alone: alone!, others, writer }
}

test('a member without quorum serves clients that are content with reading, and tells them so', async () => {
  const { world, ensemble, alone } = await withoutQuorum()
  assert.equal(alone.server!.role, 'read-only')
  const reader = clientOn('10.0.1.1', world, ensemble.connect, { readOnly: true })
  await during(world, reader.connected(30_000))
  assert.equal(reader.isReadOnly, true)
  assert.equal((await during(world, reader.getData('/a'))).data?.toString(), 'data')
  const writes: (() => Promise<unknown>)[] = [
    () => reader.create('/b'),
    () => reader.setData('/a', 'x'),
    () => reader.sync('/'),
  ]
  for (const write of writes) await assert.rejects(during(world, write()), { code: errorCode.NOTREADONLY })
  assert.equal((await during(world, reader.exists('/a')))!.version, 0)
  await during(world, reader.close())
  await world.pass(1_000)
  assert.equal(alone.server!.view.connections().length, 0)
})

test('a client that wants to write is sent away, and so is everyone where the mode is off', async () => {
  const { world, ensemble } = await withoutQuorum()
  await assert.rejects(
    during(world, clientOn('10.0.1.1', world, ensemble.connect).connected(20_000)),
    /CONNECTIONLOSS/,
  )
  const off = await withoutQuorum({})
  assert.equal(off.alone.server!.role, null)
  const reader = clientOn('10.0.1.1', off.world, off.ensemble.connect, { readOnly: true })
  await assert.rejects(during(off.world, reader.connected(20_000)), /CONNECTIONLOSS/)
})

test('with the quorum back the member serves everyone, and its read-only clients find a session that can write', async () => {
  const { world, ensemble, others } = await withoutQuorum()
  const reader = clientOn('10.0.1.1', world, ensemble.connect, { readOnly: true })
  await during(world, reader.connected(30_000))
  for (const member of others) member.boot()
  await world.until('all serve', 30_000, () =>
    ensemble.members.every(({ server }) => server!.role !== 'read-only' && server!.role !== null),
  )
  await world.until(
    'the client is served in full',
    30_000,
    () => reader.state === 'connected' && !reader.isReadOnly,
  )
  await during(world, reader.setData('/a', 'new'))
})

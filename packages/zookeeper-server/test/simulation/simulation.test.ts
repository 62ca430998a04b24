import assert from 'node:assert/strict'
import { test } from 'node:test'
import { live } from './scenario.ts'

const seeds =
  process.env.SEED === undefined
    ? Array.from({ length: Number(process.env.SEEDS ?? 40) }, (_, i) => i + 1)
    : [Number(process.env.SEED)]

test('ensembles that are killed, torn apart and lose power keep what they acknowledged, in the order they promised', async () => {
  const events = new Set<string>()
  let acknowledged = 0
  for (const seed of seeds) {
    const outcome = await live(seed)
    for (const event of outcome.events) events.add(event)
    acknowledged += outcome.acknowledged
  }
  if (seeds.length < 40) return
  for (const event of [
    'kill of the leader',
    'power loss of the leader',
    'power loss of all',
    'partition of the leader',
    'failing disk',
    'full disk',
    'damaged file',
    'a damaged member is whole again',
    'joined as participant',
    'a member left',
  ])
    assert.ok(events.has(event), `${event} never happened`)
  assert.ok(acknowledged > 1_000, `${acknowledged} operations`)
})

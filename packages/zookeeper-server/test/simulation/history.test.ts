import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkHistory, type Operation } from './history.ts'
import { live } from './scenario.ts'

// The checkers and the simulator are worth what they find: histories that break one promise each, and a cluster on drives
// that lie.

const at = (
  calledMs: number,
  zxid: number,
  more: Partial<Operation> & { version?: number; path?: string } = {},
): Operation => {
  const { version = zxid, path = '/k', ...rest } = more
  const sight = { path, value: `v${zxid}`, mzxid: BigInt(zxid), version }
  return { session: 1, kind: 'write', calledMs, returnedMs: calledMs + 1, sights: [sight], ...rest }
}

test('an orderly history is accepted, with writes of unknown outcome between', () => {
  checkHistory([
    at(0, 1),
    at(10, 2, { kind: 'read' }),
    at(20, 5),
    at(30, 5, { kind: 'sync-read', session: 2 }),
  ])
})

test('two values of one zxid, and a version that does not rise with the zxid, are found', () => {
  const other = at(10, 1, { kind: 'read' })
  assert.throws(
    () => checkHistory([at(0, 1), { ...other, sights: [{ ...other.sights[0]!, value: 'x' }] }]),
    /two things of one zxid/,
  )
  assert.throws(() => checkHistory([at(0, 1, { version: 7 }), at(10, 2, { version: 7 })]), /comes after/)
})

test('a write that comes before one acknowledged earlier is found', () => {
  assert.throws(() => checkHistory([at(0, 5), at(10, 4, { session: 2, path: '/other' })]), /comes before/)
})

test('a synced read that misses an acknowledged write is found; a plain read may miss it', () => {
  const history = [at(0, 1), at(10, 2), at(20, 1, { kind: 'sync-read', session: 2 })]
  assert.throws(() => checkHistory(history), /a synced read/)
  checkHistory([at(0, 1), at(10, 2), at(20, 1, { kind: 'read', session: 2 })])
})

test('a session that sees time go back is found, also across znodes', () => {
  assert.throws(() => checkHistory([at(0, 2), at(10, 1, { kind: 'read' })]), /is missing/)
  const other = { session: 2, path: '/other' } as const
  const history = [at(0, 1), at(10, 2), at(20, 3, { path: '/other' }), at(30, 3, { ...other, kind: 'read' })]
  assert.throws(() => checkHistory([...history, at(40, 1, { session: 2, kind: 'read' })]), /is missing/)
})

test('drives that say that they have written what they have not cost acknowledged writes, and that is found', async () => {
  let found = 0
  for (let seed = 1; seed <= 12; seed++) await live(seed, { areDisksLying: true }).catch(() => found++)
  assert.ok(found > 0)
})

test('a seed gives the same life each time', async () => {
  assert.deepEqual(await live(7), await live(7))
})

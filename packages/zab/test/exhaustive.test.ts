import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Bounds, explore } from './explorer.ts'

// `EXPLORE=all npm test -- packages/zab/test/exhaustive.test.ts` goes further, for some minutes.

const isThorough = process.env.EXPLORE === 'all'

const small: Bounds = {
  servers: 3,
  leads: 2,
  follows: 3,
  followers: 1,
  proposals: 1,
  crashes: 0,
  breaks: 0,
  remembers: true,
}

const everyOrder: readonly [what: string, bounds: Bounds][] = [
  ['two leads, a transaction, a lost connection', { ...small, breaks: 1 }],
  ['two leads, a transaction, a power loss', { ...small, crashes: 1 }],
  ['the same with leaders that send whole databases', { ...small, crashes: 1, remembers: false }],
  ...(isThorough
    ? ([
        ['three leads, a transaction, a power loss', { ...small, leads: 3, follows: 4, crashes: 1 }],
        ['two leads, two transactions, a power loss', { ...small, proposals: 2, crashes: 1 }],
        ['two leads, a transaction, a power loss, a lost connection', { ...small, crashes: 1, breaks: 1 }],
      ] satisfies [string, Bounds][])
    : []),
]

for (const [what, bounds] of everyOrder) {
  test(`in every order of events of ${what}, servers agree and lose nothing`, () => {
    const { states, epochs, commits, modes } = explore(bounds)
    assert.ok(states > 10_000, `${states} states`)
    assert.deepEqual([epochs, commits], [2, bounds.proposals])
    for (const mode of ['adopt-history', 'restore', ...(bounds.remembers ? ['diff', 'truncate'] : [])])
      assert.ok(modes.has(mode), mode)
  })
}

type Mistake = [Bounds['mistake'] & string, Partial<Bounds>, RegExp]

const mistakes: readonly Mistake[] = [
  ['the epoch is not kept', { breaks: 1 }, /has two leaders/],
  ['learners ahead of their leader are led', { breaks: 1 }, /lacks what was committed/],
  // ZOOKEEPER-4643
  ...(isThorough
    ? ([
        [
          'current epoch before history',
          { leads: 3, follows: 4, crashes: 1, breaks: 1 },
          /lacks what was committed/,
        ],
      ] satisfies Mistake[])
    : []),
]

for (const [mistake, more, promise] of mistakes) {
  test(`a mistake that is made on purpose is found: ${mistake}`, () => {
    assert.throws(() => explore({ ...small, ...more, mistake }, 1_000_000), promise)
  })
}

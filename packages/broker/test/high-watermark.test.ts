import assert from 'node:assert/strict'
import { test } from 'node:test'
import { highWatermarkAfter } from '../src/replication/replica-progress.ts'

const lagLimitMs = 30_000
const nowMs = 100_000

/** Followers as `id: [end, ms since it last had everything]`, from a leader whose log ends at 10 and stood at 5. */
function check(
  followers: Record<number, [end: number, caughtUpAgoMs: number]>,
  expected: number | null,
  options: { isr: number[]; minIsr?: number; dead?: number[] },
): void {
  const { isr, minIsr = 1, dead = [] } = options
  const raised = highWatermarkAfter({
    current: 5,
    leaderEnd: 10,
    followers: new Map(
      Object.entries(followers).map(([id, [logEndOffset, agoMs]]) => [
        Number(id),
        {
          logEndOffset,
          logStartOffset: 0,
          caughtUpMs: nowMs - agoMs,
          lastFetchMs: nowMs,
          endAtLastFetch: logEndOffset,
        },
      ]),
    ),
    maximalIsr: new Set(isr),
    committedIsrSize: isr.length,
    minIsr,
    nowMs,
    lagLimitMs,
    isAlive: id => !dead.includes(id),
  })
  assert.equal(raised, expected)
}

test('the high watermark is the least end of the in-sync replicas, and never falls', () => {
  check({ 2: [8, 0], 3: [7, 0] }, 7, { isr: [1, 2, 3] })
  check({ 2: [10, 0], 3: [10, 0] }, 10, { isr: [1, 2, 3] })
  check({ 2: [4, 0], 3: [10, 0] }, null, { isr: [1, 2, 3] })
})

test('it waits for a follower that keeps up and could join, not for one that lags, and not for a dead one', () => {
  check({ 2: [10, 0], 3: [6, 0] }, 6, { isr: [1, 2] })
  check({ 2: [10, 0], 3: [6, lagLimitMs + 1] }, 10, { isr: [1, 2] })
  check({ 2: [10, 0], 3: [6, 0] }, 10, { isr: [1, 2], dead: [3] })
})

test('an in-sync replica is waited for even if it is dead: only the controller may take it out', () => {
  check({ 2: [6, lagLimitMs + 1], 3: [10, 0] }, 6, { isr: [1, 2, 3], dead: [2] })
})

test('below min.insync.replicas it stays', () => {
  check({ 2: [10, 0] }, null, { isr: [1], minIsr: 2 })
})

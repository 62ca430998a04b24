import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hierarchical, majority, type QuorumRule, type Sid } from '../src/index.ts'
import { Cluster } from './simulated-cluster.ts'

/** One seed by hand: SEED=17 node --test …; more of them: SEEDS=4000. */
const seeds = (count: number): number[] =>
  process.env.SEED === undefined ? Array.from({ length: count }, (_, i) => i + 1) : [Number(process.env.SEED)]

/** Lets a cluster live through random faults, then heals it and checks that all agree and nothing acknowledged is lost. */
function liveThroughFaults(seed: number, rule: QuorumRule, observers: readonly Sid[] = []): Cluster {
  const cluster = new Cluster({ seed, rule, observers })
  const { time, chance } = cluster
  const all = [...cluster.servers.values()]
  for (let step = 0; step < 60; step++) {
    time.runUntil(time.nowMs + chance.below(600))
    for (let i = chance.below(8); i > 0; i--) cluster.write()
    // Faults strike while the writes are on their way.
    time.runUntil(time.nowMs + chance.below(40))
    if (chance.happens(0.2)) chance.pick(all).crash()
    if (chance.happens(0.05)) for (const server of all) server.crash()
    if (chance.happens(0.08)) cluster.split()
    if (chance.happens(0.15)) cluster.heal()
    if (chance.happens(0.1)) {
      const unlucky = chance.pick(all).sid
      chance.pick(all).breakLinks(peer => peer === unlucky)
    }
    if (chance.happens(0.4)) for (const server of all) if (!server.isUp && chance.happens(0.5)) server.boot()
  }
  cluster.heal()
  for (const server of all) if (!server.isUp) server.boot()
  time.runUntil(time.nowMs + 60_000)
  for (let i = 0; i < 3; i++) cluster.write()
  time.runUntil(time.nowMs + 2_000)
  for (const server of all) {
    assert.ok(server.isServing, `server ${server.sid} serves again`)
    assert.deepEqual(server.log, cluster.history, `server ${server.sid} has the whole history`)
  }
  assert.ok(cluster.history.length >= cluster.acknowledgedCount, 'what was acknowledged is there')
  return cluster
}

function check(count: number, rule: () => QuorumRule, observers?: readonly Sid[]): Cluster[] {
  return seeds(count).map(seed => {
    try {
      return liveThroughFaults(seed, rule(), observers)
    } catch (error) {
      throw new Error(`replay with SEED=${seed}`, { cause: error })
    }
  })
}

test('crashes, partitions and lost connections: three servers agree and lose no acknowledged write', () => {
  const clusters = check(Number(process.env.SEEDS ?? 150), () => majority([1n, 2n, 3n]))
  if (process.env.SEED !== undefined) return
  const modes = new Set(clusters.flatMap(cluster => [...cluster.syncModes]))
  assert.deepEqual([...modes].sort(), ['diff', 'snap', 'trunc'], 'every way of synchronisation was taken')
  assert.ok(
    clusters.reduce((sum, { acknowledgedCount }) => sum + acknowledgedCount, 0) > 5_000,
    'much was written',
  )
})

test('the same for five voters and an observer', () => {
  check(Number(process.env.SEEDS ?? 60), () => majority([1n, 2n, 3n, 4n, 5n]), [6n])
})

test('the same for three groups of weighted servers, one server of weight 0', () => {
  const groups = [
    [1n, 2n],
    [3n, 4n],
    [5n, 6n],
  ]
  check(Number(process.env.SEEDS ?? 40), () => hierarchical(groups, new Map([[2n, 0]])))
})

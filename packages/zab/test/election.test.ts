import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Election, majority, peerState } from '../src/index.ts'

test('a server without a say that has waited long asks again soon after it hears that voters elect', () => {
  let asked = 0
  const election = new Election(
    {
      current: majority(new Set([1n, 2n, 3n])),
      next: null,
      isObserver: true,
      myId: 3n,
      minNotificationMs: 200,
      maxNotificationMs: 60_000,
      finalizeMs: 200,
    },
    { send: () => asked++, reconnect: () => {}, decided: () => {}, outdone: () => {} },
  )
  const history = { lastZxid: 5n, peerEpoch: 1n }
  election.start(history, 0)
  election.start(history, 0)
  let nowMs = 0
  while (nowMs < 300_000) {
    nowMs = election.nextDeadlineMs
    election.elapse(nowMs)
  }
  assert.equal(election.nextDeadlineMs - nowMs, 60_000)
  const candidacy = { leader: 1n, zxid: 7n, peerEpoch: 1n, round: 1n, sender: 1n, version: 2 }
  const before = asked
  election.received({ ...candidacy, state: peerState.LOOKING }, nowMs)
  assert.equal(asked, before, 'servers that answer each other would never stop')
  assert.equal(election.nextDeadlineMs - nowMs, 200)
})

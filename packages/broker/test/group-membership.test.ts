import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorCode } from '@vivarium/kafka-protocol'
import {
  Group,
  type GroupOptions,
  type JoinRequest,
  type JoinResult,
  type SyncResult,
} from '../src/groups/group.ts'

/** A group in virtual time, its records stored at once unless told otherwise. */
function group(options: Partial<GroupOptions> = {}) {
  let count = 0
  let persistError: number = errorCode.NONE
  const machine = new Group(
    'g',
    { minSessionTimeoutMs: 1000, maxSessionTimeoutMs: 60_000, maxSize: 100, initialDelayMs: 0, ...options },
    { newMemberId: prefix => `${prefix}-${++count}`, persist: (_group, done) => done(persistError) },
    0,
  )
  let nowMs = 0
  const join = (name: string, request: Partial<JoinRequest> = {}) => {
    const answer: { result: JoinResult | null } = { result: null }
    machine.join(
      {
        memberId: '',
        groupInstanceId: null,
        clientId: name,
        clientHost: '/127.0.0.1',
        sessionTimeoutMs: 10_000,
        rebalanceTimeoutMs: 30_000,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: Buffer.from(name) }],
        canLearnId: false,
        canSkipAssignment: true,
        ...request,
      },
      nowMs,
      result => {
        answer.result = result
      },
    )
    return answer
  }
  const sync = (
    member: JoinResult,
    assignments: Record<string, string> = {},
    generationId = member.generationId,
  ) => {
    const answer: { result: SyncResult | null } = { result: null }
    machine.sync(
      {
        memberId: member.memberId,
        groupInstanceId: null,
        generationId,
        protocolType: null,
        protocolName: null,
        assignments: Object.entries(assignments).map(([memberId, text]) => ({
          memberId,
          assignment: Buffer.from(text),
        })),
      },
      nowMs,
      result => {
        answer.result = result
      },
    )
    return answer
  }
  const heartbeat = (member: JoinResult) =>
    machine.heartbeat(member.memberId, null, member.generationId, nowMs)
  const elapse = (ms: number, step = 100) => {
    for (const end = nowMs + ms; nowMs < end; ) {
      nowMs += step
      machine.elapse(nowMs)
    }
  }
  return {
    machine,
    join,
    sync,
    heartbeat,
    elapse,
    now: () => nowMs,
    failPersisting: (code: number) => {
      persistError = code
    },
  }
}

/** Two members that have their share. */
function twoMembers() {
  const g = group()
  const first = g.join('a').result!
  g.sync(first, { [first.memberId]: 'all' })
  const second = g.join('b')
  const again = g.join('a', { memberId: first.memberId })
  const leader = again.result!
  const follower = second.result!
  const waiting = g.sync(follower)
  g.sync(leader, { [leader.memberId]: 'p0', [follower.memberId]: 'p1' })
  return { ...g, leader, follower, share: waiting.result!.assignment.toString() }
}

test('the first member leads, learns everybody’s wishes and hands out the shares', () => {
  const { leader, follower, share, machine } = twoMembers()
  assert.equal(leader.generationId, 2)
  assert.equal(leader.leader, leader.memberId)
  assert.deepEqual(leader.members.map(m => m.metadata.toString()).sort(), ['a', 'b'])
  assert.deepEqual(follower.members, [])
  assert.equal(share, 'p1')
  assert.equal(machine.state, 'Stable')
})

test('a new client is sent away once to learn its member id, and does not hold up the group if it stays away', () => {
  const g = group()
  const refused = g.join('a', { canLearnId: true }).result!
  assert.equal(refused.errorCode, errorCode.MEMBER_ID_REQUIRED)
  assert.equal(
    g.join('a', { memberId: refused.memberId, canLearnId: true }).result!.errorCode,
    errorCode.NONE,
  )
  assert.equal(g.join('b', { memberId: 'made-up' }).result!.errorCode, errorCode.UNKNOWN_MEMBER_ID)
})

test('a member that is not heard from goes, and the others share anew', () => {
  const g = twoMembers()
  for (let i = 0; i < 11; i++) {
    g.elapse(1000)
    g.heartbeat(g.leader)
  }
  assert.equal(g.machine.members.size, 1)
  assert.equal(g.heartbeat(g.leader), errorCode.REBALANCE_IN_PROGRESS)
  const alone = g.join('a', { memberId: g.leader.memberId }).result!
  assert.equal(alone.generationId, 3)
  assert.equal(alone.members.length, 1)
})

test('whoever does not rejoin in time is left out', () => {
  const g = twoMembers()
  const third = g.join('c')
  assert.equal(third.result, null)
  const rejoined = g.join('b', { memberId: g.follower.memberId })
  for (let i = 0; i < 31; i++) {
    g.elapse(1000)
    g.heartbeat(g.leader)
  }
  assert.equal(third.result!.generationId, 3)
  assert.equal(rejoined.result!.leader, g.follower.memberId)
  assert.equal(g.heartbeat(g.leader), errorCode.UNKNOWN_MEMBER_ID)
})

test('leaving makes the others share anew at once', () => {
  const g = twoMembers()
  assert.equal(g.machine.leave(g.follower.memberId, null, g.now()), errorCode.NONE)
  assert.equal(g.heartbeat(g.leader), errorCode.REBALANCE_IN_PROGRESS)
  assert.equal(g.machine.leave(g.follower.memberId, null, g.now()), errorCode.UNKNOWN_MEMBER_ID)
})

test('a commit of an older generation, or of nobody, is refused', () => {
  const g = twoMembers()
  const check = (memberId: string, generation: number) =>
    g.machine.checkCommit(memberId, null, generation, g.now())
  assert.equal(check(g.leader.memberId, 2), errorCode.NONE)
  assert.equal(check(g.leader.memberId, 1), errorCode.ILLEGAL_GENERATION)
  assert.equal(check('', -1), errorCode.UNKNOWN_MEMBER_ID)
  assert.equal(check('stranger', 2), errorCode.UNKNOWN_MEMBER_ID)
  assert.equal(group().machine.checkCommit('', null, -1, 0), errorCode.NONE)
})

test('a static member that comes back takes its place without a rebalance, and its former self is fenced', () => {
  const g = group()
  const first = g.join('a', { groupInstanceId: 'one' }).result!
  g.sync(first, { [first.memberId]: 'all' })
  assert.equal(g.machine.state, 'Stable')
  const back = g.join('a', { groupInstanceId: 'one' }).result!
  assert.equal(back.generationId, first.generationId)
  assert.notEqual(back.memberId, first.memberId)
  assert.equal(back.skipAssignment, true)
  assert.equal(g.sync(back).result!.assignment.toString(), 'all')
  assert.equal(g.machine.heartbeat(first.memberId, 'one', 1, g.now()), errorCode.FENCED_INSTANCE_ID)
})

test('who speaks no common protocol, or too short a session, may not join', () => {
  const g = twoMembers()
  assert.equal(
    g.join('c', { protocols: [{ name: 'other', metadata: Buffer.alloc(0) }] }).result!.errorCode,
    errorCode.INCONSISTENT_GROUP_PROTOCOL,
  )
  assert.equal(
    g.join('c', { protocolType: 'connect' }).result!.errorCode,
    errorCode.INCONSISTENT_GROUP_PROTOCOL,
  )
  assert.equal(g.join('c', { sessionTimeoutMs: 10 }).result!.errorCode, errorCode.INVALID_SESSION_TIMEOUT)
})

test('shares that could not be written down are nobody’s', () => {
  const g = group()
  const first = g.join('a').result!
  g.failPersisting(errorCode.NOT_COORDINATOR)
  assert.equal(g.sync(first, { [first.memberId]: 'all' }).result!.errorCode, errorCode.NOT_COORDINATOR)
  assert.equal(g.machine.state, 'PreparingRebalance')
})

test('the first members of an empty group wait for more', () => {
  const g = group({ initialDelayMs: 3000 })
  const first = g.join('a')
  g.elapse(2000)
  assert.equal(first.result, null)
  const second = g.join('b')
  g.elapse(3100)
  assert.equal(first.result!.generationId, 1)
  assert.equal(second.result!.generationId, 1)
  assert.equal(first.result!.members.length, 2)
})

test('members of a coordinator that moves are sent to look for the new one', () => {
  const g = twoMembers()
  const waiting = g.join('c')
  g.machine.end(errorCode.NOT_COORDINATOR)
  assert.equal(waiting.result!.errorCode, errorCode.NOT_COORDINATOR)
})

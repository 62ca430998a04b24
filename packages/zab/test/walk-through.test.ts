import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type CommittedTxn,
  continuePlan,
  Election,
  hierarchical,
  Leader,
  type LeaderEffects,
  type LeaderHistory,
  Learner,
  LearnerError,
  majority,
  type Notification,
  peerState,
  planSync,
  type Reconfiguration,
} from '../src/index.ts'

const entry = Uint8Array.of(1)

/** A leader of three whose effects become lines of text. */
function leaderOf(
  own: LeaderHistory,
  voters: readonly bigint[] = [1n, 2n, 3n],
  next: Reconfiguration | null = null,
) {
  const lines: string[] = []
  const effects: LeaderEffects = {
    persistAcceptedEpoch: epoch => lines.push(`write acceptedEpoch ${epoch}`),
    persistCurrentEpoch: epoch => lines.push(`write currentEpoch ${epoch}`),
    sendLeaderInfo: (to, epoch) => lines.push(`${to} < LEADERINFO ${epoch}`),
    synchronize: (to, zxid) => lines.push(`${to} < history after ${zxid.toString(16)}`),
    startServing: zxid => lines.push(`serve from ${zxid.toString(16)}`),
    sendUpToDate: to => lines.push(`${to} < UPTODATE`),
    propose: zxid => lines.push(`propose ${zxid.toString(16)}`),
    commit: (zxid, _, nextLeader) =>
      lines.push(
        `commit ${zxid.toString(16)}${nextLeader === undefined ? '' : `, then ${nextLeader} leads`}`,
      ),
    confirm: round => lines.push(`confirm ${round}`),
    refuse: (to, reason) => lines.push(`refuse ${to}: ${reason.slice(0, 28)}`),
    giveUp: reason => lines.push(`give up: ${reason}`),
  }
  const leader = new Leader(1n, majority(voters), own, effects, next)
  const said = () => lines.splice(0)
  return { leader, said }
}

/** The same, established in epoch 5 with server 2. */
function established() {
  const { leader, said } = leaderOf({ acceptedEpoch: 4n, currentEpoch: 4n, lastZxid: 0x4_0000_0002n })
  leader.learnerInfo(2n, 4n, 0)
  leader.acceptedEpochDurable()
  leader.ackEpoch(2n, 4n, 0x4_0000_0002n, 0)
  leader.currentEpochDurable()
  leader.ack(2n, 5n << 32n, 0)
  said()
  return { leader, said }
}

test('a leader discovers, synchronises and serves, each step only when the one before is durable', () => {
  const { leader, said } = leaderOf({ acceptedEpoch: 4n, currentEpoch: 3n, lastZxid: 0x3_0000_0009n })
  leader.learnerInfo(2n, 6n, 0)
  assert.deepEqual(said(), ['write acceptedEpoch 7'], 'one more than any voter has accepted')
  leader.acceptedEpochDurable()
  assert.deepEqual(said(), ['2 < LEADERINFO 7'])
  leader.ackEpoch(2n, 3n, 0x3_0000_0008n, 0)
  assert.deepEqual(said(), ['write currentEpoch 7'])
  leader.currentEpochDurable()
  assert.deepEqual(said(), ['2 < history after 300000008'])
  leader.ack(2n, 7n << 32n, 0)
  assert.deepEqual(said(), ['serve from 700000000', '2 < UPTODATE'])
  leader.learnerInfo(3n, 4n, 0)
  leader.ackEpoch(3n, 2n, 0x2_0000_0001n, 0)
  leader.ack(3n, 7n << 32n, 0)
  assert.deepEqual(said(), ['3 < LEADERINFO 7', '3 < history after 200000001', '3 < UPTODATE'])
})

test('a learner with newer history is refused in discovery, and one that accepted this epoch before does not count', () => {
  const { leader, said } = leaderOf({ acceptedEpoch: 4n, currentEpoch: 4n, lastZxid: 0x4_0000_0002n })
  leader.learnerInfo(2n, 4n, 0)
  leader.acceptedEpochDurable()
  said()
  leader.ackEpoch(2n, 4n, 0x4_0000_0003n, 0)
  assert.deepEqual(said(), ['refuse 2: Follower is ahead of the lea'])
  leader.ackEpoch(2n, -1n, 0x4_0000_0001n, 0)
  assert.deepEqual(said(), [])
  leader.initTimedOut()
  assert.equal(said().length, 1, 'without a quorum it gives up')
})

test('a transaction is committed once a quorum has it on disk, in order, and never by what was not proposed', () => {
  const { leader, said } = established()
  for (const zxid of [0x5_0000_0001n, 0x5_0000_0002n, 0x5_0000_0003n]) leader.propose(zxid, entry)
  assert.deepEqual(said(), ['propose 500000001', 'propose 500000002', 'propose 500000003'])
  leader.ack(1n, 0x5_0000_0003n, 0)
  assert.deepEqual(said(), [])
  leader.ack(2n, 0x5_0000_0004n, 0)
  assert.deepEqual(said(), [], 'nobody can have what was never proposed')
  leader.ack(2n, 0x5_0000_0002n, 0)
  assert.deepEqual(said(), ['commit 500000001', 'commit 500000002'])
  leader.ack(9n, 0x5_0000_0003n, 0)
  assert.deepEqual(said(), [], 'one that has no vote does not count')
  leader.ack(3n, 0x5_0000_0003n, 0)
  assert.deepEqual(said(), ['commit 500000003'])
})

test('what a learner acknowledged counts no more once it is synchronised anew, for it may have to cut it off', () => {
  const { leader, said } = established()
  leader.propose(0x5_0000_0001n, entry)
  leader.ack(2n, 0x5_0000_0001n, 0)
  // Its connection breaks, and it comes back: what this leader has not committed yet it will be sent again.
  leader.learnerGone(2n)
  leader.learnerInfo(2n, 5n, 0)
  leader.ackEpoch(2n, -1n, 0x5_0000_0001n, 0)
  said()
  leader.ack(1n, 0x5_0000_0001n, 0)
  assert.deepEqual(said(), [])
  leader.ack(2n, 5n << 32n, 0)
  leader.ack(2n, 0x5_0000_0001n, 0)
  assert.deepEqual(said(), ['2 < UPTODATE', 'commit 500000001'])
})

test('a reconfiguration, and all behind it, is committed once a quorum of either configuration has it', () => {
  const { leader, said } = established()
  for (const joiner of [4n, 5n]) leader.ack(joiner, 5n << 32n, 0)
  const next = majority([1n, 4n, 5n])
  assert.equal(leader.hasQuorumOf(majority([3n, 6n])), false)
  assert.equal(leader.hasQuorumOf(next), true)
  leader.propose(0x5_0000_0001n, entry, { rule: next, mayLead: true })
  leader.propose(0x5_0000_0002n, entry)
  said()
  for (const sid of [1n, 2n, 3n]) leader.ack(sid, 0x5_0000_0002n, 0)
  assert.deepEqual(said(), [], 'all of the old members are one of the new')
  leader.ack(4n, 0x5_0000_0002n, 0)
  assert.deepEqual(said(), ['commit 500000001, then 1 leads', 'commit 500000002'])
  leader.propose(0x5_0000_0003n, entry)
  said()
  for (const sid of [2n, 3n, 5n]) leader.ack(sid, 0x5_0000_0003n, 0)
  assert.deepEqual(said(), [], 'the old members do not count any more')
  leader.ack(1n, 0x5_0000_0003n, 0)
  assert.deepEqual(said(), ['commit 500000003'])
})

test('a leader that is not in the new configuration commits it, and gives way to who has the most', () => {
  const { leader, said } = established()
  leader.ack(3n, 5n << 32n, 0)
  leader.propose(0x5_0000_0001n, entry, { rule: majority([2n, 3n]), mayLead: false })
  leader.propose(0x5_0000_0002n, entry)
  said()
  leader.ack(1n, 0x5_0000_0002n, 0)
  leader.ack(3n, 0x5_0000_0002n, 0)
  leader.ack(2n, 0x5_0000_0001n, 0)
  assert.deepEqual(said(), ['commit 500000001, then 3 leads'])
  leader.propose(0x5_0000_0003n, entry)
  leader.ack(2n, 0x5_0000_0002n, 0)
  assert.deepEqual(said(), [], 'what is left is for the next leader to decide')
  leader.learnerGone(2n)
  assert.deepEqual(said(), [])
  leader.learnerGone(3n)
  assert.deepEqual(said(), ['give up: server 3 leads in the new configuration'])
})

test('a new leader needs a quorum of a configuration that was proposed before it, and then takes it over', () => {
  const own = { acceptedEpoch: 4n, currentEpoch: 4n, lastZxid: 0x4_0000_0002n }
  const next = { rule: majority([1n, 4n, 5n]), mayLead: true }
  const { leader, said } = leaderOf(own, [1n, 2n, 3n], next)
  leader.learnerInfo(2n, 4n, 0)
  assert.deepEqual(said(), [], 'none of the new members')
  leader.learnerInfo(4n, 4n, 0)
  assert.deepEqual(said(), ['write acceptedEpoch 5'])
  leader.acceptedEpochDurable()
  for (const sid of [2n, 4n]) leader.ackEpoch(sid, 4n, 0x4_0000_0002n, 0)
  leader.currentEpochDurable()
  said()
  leader.ack(2n, 5n << 32n, 0)
  assert.deepEqual(said(), [])
  leader.ack(4n, 5n << 32n, 0)
  assert.deepEqual(said(), ['serve from 500000000', '2 < UPTODATE', '4 < UPTODATE'])
  leader.propose(0x5_0000_0001n, entry)
  said()
  for (const sid of [1n, 4n]) leader.ack(sid, 0x5_0000_0001n, 0)
  assert.deepEqual(said(), ['commit 500000001'])
})

test('a sync is answered behind the commits before it, and only by a quorum that still follows', () => {
  const { leader, said } = established()
  const answered: string[] = []
  leader.propose(0x5_0000_0001n, entry)
  leader.afterOutstanding(() => answered.push('first'))
  leader.confirmed(2n, leader.round, 0)
  assert.equal(answered.length, 0, 'a proposal is outstanding')
  leader.ack(1n, 0x5_0000_0001n, 0)
  leader.ack(2n, 0x5_0000_0001n, 0)
  assert.equal(answered.join(), 'first')
  leader.afterOutstanding(() => answered.push('second'))
  leader.confirmed(2n, leader.round - 1, 0)
  assert.equal(answered.join(), 'first', 'that answers an older question')
  leader.confirmed(2n, leader.round, 0)
  assert.equal(answered.join(), 'first,second')
  assert.ok(said().includes('confirm 2'))
})

test('a sync is answered before what was proposed behind it is committed: the quorum that has that follows', () => {
  const { leader, said } = established()
  const order: string[] = []
  leader.propose(0x5_0000_0001n, entry)
  leader.afterOutstanding(() => order.push(...said(), 'first'))
  leader.propose(0x5_0000_0002n, entry)
  leader.afterOutstanding(() => order.push('second'))
  said()
  for (const zxid of [0x5_0000_0001n, 0x5_0000_0002n]) for (const sid of [1n, 2n]) leader.ack(sid, zxid, 0)
  assert.deepEqual([...order, ...said()], ['commit 500000001', 'first', 'commit 500000002'])
})

test('a leader gives up when a quorum is silent, and for a voter of a later epoch', () => {
  const silent = established()
  silent.leader.checkQuorum(1_000, 1_000)
  assert.deepEqual(silent.said(), [])
  silent.leader.checkQuorum(1_001, 1_000)
  assert.deepEqual(silent.said(), ['give up: Not sufficient followers synced, only synced with sids: [ 1 ]'])
  const promised = established()
  promised.leader.learnerInfo(3n, 6n, 0)
  assert.match(promised.said()[0]!, /^give up: server 3 has accepted epoch 6/)
  promised.leader.propose(0x5_0000_0001n, entry)
  assert.deepEqual(promised.said(), [], 'nothing is proposed after that')
})

/** A learner whose effects become lines of text. */
function learnerOf(own: Partial<LeaderHistory> & { needsDatabase?: boolean } = {}) {
  const lines: string[] = []
  const learner = new Learner(
    { acceptedEpoch: 4n, currentEpoch: 4n, lastZxid: 0x4_0000_0002n, ...own },
    true,
    {
      sendEpochAck: (epoch, zxid) => lines.push(`ACKEPOCH ${epoch} ${zxid.toString(16)}`),
      sendAck: zxid => lines.push(`ACK ${zxid.toString(16)}`),
      startServing: zxid => lines.push(`serve from ${zxid.toString(16)}`),
      append: zxid => lines.push(`append ${zxid.toString(16)}`),
      commit: zxid => lines.push(`commit ${zxid.toString(16)}`),
      syncCompleted: () => lines.push('synced'),
    },
  )
  return { learner, said: () => lines.splice(0) }
}

test('a learner accepts the epoch on disk, takes over the history on disk, then acknowledges', () => {
  const { learner, said } = learnerOf()
  assert.deepEqual(learner.received({ kind: 'leader-info', epoch: 5n }), {
    kind: 'persist-accepted-epoch',
    epoch: 5n,
  })
  assert.deepEqual(said(), [], 'not before the disk has it')
  learner.completed()
  assert.deepEqual(said(), ['ACKEPOCH 4 400000002'])
  assert.equal(learner.received({ kind: 'diff', zxid: 0x4_0000_0003n }), null)
  learner.received({ kind: 'proposal', zxid: 0x4_0000_0003n, entry })
  learner.received({ kind: 'commit', zxid: 0x4_0000_0003n })
  const work = learner.received({ kind: 'new-leader', zxid: 5n << 32n })
  assert.equal(work?.kind, 'adopt-history')
  assert.deepEqual(said(), [])
  learner.completed()
  assert.deepEqual(said(), ['ACK 500000000'])
  learner.received({ kind: 'proposal', zxid: 0x5_0000_0001n, entry })
  learner.received({ kind: 'commit', zxid: 0x5_0000_0001n })
  assert.deepEqual(said(), [], 'kept until the leader has its quorum')
  learner.received({ kind: 'up-to-date' })
  assert.deepEqual(said(), ['ACK 500000000', 'serve from 500000000', 'append 500000001', 'commit 500000001'])
  learner.received({ kind: 'proposal', zxid: 0x5_0000_0002n, entry })
  learner.received({ kind: 'sync' })
  assert.deepEqual(said(), ['append 500000002', 'synced'])
  assert.deepEqual(
    learner.uncommitted.map(({ zxid }) => zxid),
    [0x5_0000_0002n],
  )
})

test('a learner leaves a leader of an older epoch, one that skips a transaction, and one that commits another', () => {
  assert.throws(() => learnerOf().learner.received({ kind: 'leader-info', epoch: 3n }), LearnerError)
  const again = learnerOf()
  assert.equal(again.learner.received({ kind: 'leader-info', epoch: 4n }), null)
  assert.deepEqual(again.said(), ['ACKEPOCH -1 400000002'], 'accepted before: it does not count twice')
  again.learner.received({ kind: 'diff', zxid: 0x4_0000_0002n })
  assert.throws(
    () => again.learner.received({ kind: 'proposal', zxid: 0x4_0000_0004n, entry }),
    /expected 0x400000003/,
  )
  const other = learnerOf({ acceptedEpoch: 5n })
  other.learner.received({ kind: 'leader-info', epoch: 5n })
  other.learner.received({ kind: 'diff', zxid: 0x4_0000_0002n })
  const wrong = () => other.learner.received({ kind: 'commit', zxid: 0x4_0000_0003n })
  assert.throws(wrong, (error: LearnerError) => error.exitCode === 12)
})

test('a learner whose log is of no use asks as if it had nothing, counts for no quorum, and takes nothing but a database', () => {
  // Whoever counted it could take over the lead with less than this server had.
  const { learner, said } = learnerOf({ acceptedEpoch: 4n, currentEpoch: 4n, needsDatabase: true })
  learner.received({ kind: 'leader-info', epoch: 5n })
  learner.completed()
  assert.deepEqual(said(), ['ACKEPOCH -1 0'])
  assert.throws(() => learner.received({ kind: 'diff', zxid: 0n }), LearnerError)
})

test('DIFF, TRUNC or SNAP is chosen by where the learner stands in the history', () => {
  const at = (epoch: bigint, counter: bigint): CommittedTxn => ({ zxid: (epoch << 32n) | counter, entry })
  const memory = [at(1n, 3n), at(1n, 4n), at(2n, 1n), at(2n, 2n)]
  const check = (epoch: bigint, counter: bigint, expected: string, mayReadLog = false) => {
    const plan = planSync((epoch << 32n) | counter, memory, (2n << 32n) | 2n, mayReadLog)
    const detail = 'txns' in plan ? ` ${plan.zxid.toString(16)} +${plan.txns.length}` : ''
    assert.equal(plan.mode + detail, expected, `a learner at ${epoch}:${counter}`)
  }
  check(2n, 2n, 'diff 200000002 +0')
  check(1n, 4n, 'diff 200000002 +2')
  check(2n, 0n, 'diff 200000002 +2')
  check(2n, 5n, 'trunc 200000002 +0')
  check(3n, 0n, 'diff 200000002 +0')
  check(1n, 5n, 'snap')
  check(1n, 2n, 'snap')
  check(1n, 2n, 'read-log', true)
  const gap = planSync((1n << 32n) | 4n, [at(1n, 3n), at(1n, 6n)], (1n << 32n) | 6n, false)
  assert.deepEqual(gap.mode === 'trunc' && [gap.zxid, gap.txns.length], [(1n << 32n) | 3n, 1])
  assert.equal(continuePlan(5n, null).mode, 'snap')
})

/** An election whose decision and messages are kept. */
function electionOf(myId: bigint, rule = majority([1n, 2n, 3n])) {
  const sent: string[] = []
  const decided: number[] = []
  const election = new Election(
    {
      myId,
      current: rule,
      next: null,
      isObserver: !rule.voters.has(myId),
      minNotificationMs: 200,
      maxNotificationMs: 1_000,
      finalizeMs: 200,
    },
    {
      send: (to, vote) => sent.push(`${to}: ${vote.leader} in ${vote.round}`),
      reconnect: () => sent.push('reconnect'),
      decided: (_, state) => decided.push(state),
      outdone: () => sent.push('outdone'),
    },
  )
  return { election, sent: () => sent.splice(0), decided }
}

const candidacy = (sender: bigint, leader: bigint, rest: Partial<Notification> = {}): Notification => ({
  sender,
  leader,
  zxid: 0n,
  peerEpoch: 0n,
  round: 1n,
  state: peerState.LOOKING,
  version: 2,
  ...rest,
})

test('the newest history wins; a quorum waits a moment for a better candidate, all voters do not', () => {
  const { election, sent, decided } = electionOf(1n)
  election.start({ lastZxid: 0n, peerEpoch: 0n }, 0)
  assert.deepEqual(sent(), ['2: 1 in 1', '3: 1 in 1'])
  election.received(candidacy(2n, 2n, { zxid: 5n }), 10)
  assert.deepEqual(sent(), ['2: 2 in 1', '3: 2 in 1'])
  election.elapse(209)
  assert.deepEqual(decided, [])
  election.elapse(210)
  assert.deepEqual(decided, [peerState.FOLLOWING])
  const all = electionOf(3n)
  all.election.start({ lastZxid: 9n, peerEpoch: 1n }, 0)
  all.election.received(candidacy(1n, 3n, { zxid: 9n, peerEpoch: 1n }), 10)
  all.election.received(candidacy(2n, 3n, { zxid: 9n, peerEpoch: 1n }), 10)
  assert.deepEqual(all.decided, [peerState.LEADING])
})

test('a voter at whose address nobody is is not waited for; one that has come back is', () => {
  const { election, decided } = electionOf(2n)
  election.start({ lastZxid: 0n, peerEpoch: 0n }, 0)
  election.received(candidacy(1n, 2n), 10)
  assert.deepEqual(decided, [])
  election.reachable(3n, false, 20)
  assert.deepEqual(decided, [peerState.LEADING])
  election.start({ lastZxid: 0n, peerEpoch: 0n }, 1_000)
  election.reachable(3n, true, 1_001)
  election.received(candidacy(1n, 2n, { round: 2n }), 1_002)
  assert.equal(decided.length, 1)
  election.elapse(1_202)
  assert.equal(decided.length, 2)
})

test('one whose candidate is worse is told of the better one, which it may have missed; one that agrees is not', () => {
  const { election, sent } = electionOf(3n)
  election.start({ lastZxid: 5n, peerEpoch: 0n }, 0)
  sent()
  election.received(candidacy(1n, 1n, { zxid: 5n }), 10)
  assert.deepEqual(sent(), ['1: 3 in 1'])
  election.received(candidacy(1n, 3n, { zxid: 5n }), 11)
  assert.deepEqual(sent(), [])
})

test('a server that comes late joins the leader a quorum follows, once that says itself that it leads', () => {
  const { election, decided } = electionOf(1n)
  election.start({ lastZxid: 99n, peerEpoch: 9n }, 0)
  election.received(candidacy(2n, 3n, { round: 7n, state: peerState.FOLLOWING }), 1)
  assert.deepEqual(decided, [])
  election.received(candidacy(3n, 3n, { round: 7n, state: peerState.LEADING }), 2)
  assert.deepEqual(decided, [peerState.FOLLOWING])
  assert.equal(election.vote.leader, 3n)
})

test('silence is answered with the proposal again, at longer and longer intervals; a later round is joined', () => {
  const { election, sent } = electionOf(1n)
  election.start({ lastZxid: 0n, peerEpoch: 0n }, 0)
  sent()
  election.elapse(200)
  assert.deepEqual(sent(), ['reconnect', '2: 1 in 1', '3: 1 in 1'])
  assert.equal(election.nextDeadlineMs, 600)
  election.received(candidacy(2n, 2n, { round: 5n }), 300)
  assert.deepEqual(sent(), ['2: 2 in 5', '3: 2 in 5'])
  election.received(candidacy(3n, 3n, { round: 2n }), 310)
  assert.deepEqual(sent(), ['3: 2 in 5'], 'one that lags is told')
})

test('a voter that has no say is counted by nobody, itself included, and leads nobody', () => {
  const { election, sent, decided } = electionOf(1n)
  election.reconfigure({ current: majority([1n, 2n, 3n]), next: null, isObserver: true })
  election.start({ lastZxid: 7n, peerEpoch: 1n }, 0)
  election.received(candidacy(2n, 2n, { zxid: 9n }), 1)
  election.received(candidacy(3n, 1n, { zxid: 9n }), 2)
  election.elapse(1_000)
  assert.deepEqual(decided, [], 'one vote of three is not enough')
  const nobody = -(2n ** 63n)
  const votes = sent().filter(message => message !== 'reconnect')
  assert.ok(votes.length > 0 && votes.every(vote => vote.includes(`: ${nobody} in`)), votes.join())
  election.received(candidacy(3n, 2n, { zxid: 9n }), 1_001)
  election.elapse(2_000)
  assert.deepEqual([decided, election.vote.leader], [[peerState.OBSERVING], 2n])
})

test('a leader that did not wait for a voter hears of it if that one comes up as the better candidate', () => {
  const { election, sent } = electionOf(2n)
  const isOutdone = (sender: bigint, rest: Partial<Notification> = {}) => {
    election.received(candidacy(sender, sender, rest), 30)
    return sent().includes('outdone')
  }
  const elect = () => {
    election.start({ lastZxid: 5n, peerEpoch: 0n }, 0)
    election.reachable(3n, false, 10)
    election.received(candidacy(1n, 2n, { zxid: 5n, round: election.vote.round }), 20)
    sent()
  }
  elect()
  assert.deepEqual(
    [isOutdone(1n, { zxid: 9n }), isOutdone(3n, { zxid: 4n }), isOutdone(3n, { zxid: 5n })],
    [false, false, true],
    'not by who was asked, nor by who has less',
  )
  elect()
  election.epochEstablished(1n)
  assert.equal(isOutdone(3n, { zxid: 9n }), false, 'it serves already')
})

test('a voter of the next configuration stands for nobody, and its support counts', () => {
  const { election, sent, decided } = electionOf(4n)
  election.reconfigure({ current: majority([1n, 2n, 3n]), next: majority([1n, 4n, 5n]), isObserver: false })
  election.start({ lastZxid: 7n, peerEpoch: 1n }, 0)
  assert.ok(sent().every(vote => vote.includes(`: ${-(2n ** 63n)} in`)))
  election.received(candidacy(1n, 1n, { zxid: 9n }), 1)
  assert.deepEqual(
    sent(),
    [1n, 2n, 3n, 5n].map(sid => `${sid}: 1 in 1`),
  )
  election.received(candidacy(2n, 1n, { zxid: 9n }), 2)
  election.elapse(2_000)
  assert.deepEqual([decided, election.vote.leader], [[peerState.FOLLOWING], 1n])
})

test('an observer follows whom the voters chose and answers no voter that lags', () => {
  const { election, sent, decided } = electionOf(9n)
  election.start({ lastZxid: 7n, peerEpoch: 1n }, 0)
  election.start({ lastZxid: 7n, peerEpoch: 1n }, 0)
  sent()
  election.received(candidacy(2n, 2n, { round: 1n }), 1)
  assert.deepEqual(sent(), [])
  election.received(candidacy(2n, 2n, { round: 4n, state: peerState.LEADING }), 2)
  election.received(candidacy(3n, 2n, { round: 4n, state: peerState.FOLLOWING }), 3)
  assert.deepEqual(decided, [peerState.OBSERVING])
})

test('groups: more than half of the groups, in each more than half of the weight', () => {
  const rule = hierarchical(
    [
      [1n, 2n, 3n],
      [4n, 5n, 6n],
      [7n, 8n],
    ],
    new Map([
      [7n, 0],
      [8n, 0],
      [1n, 3],
    ]),
  )
  const check = (servers: bigint[], expected: boolean) =>
    assert.equal(rule.isQuorum(servers), expected, String(servers))
  check([1n, 4n, 5n], true)
  check([2n, 3n, 4n, 5n], false)
  check([1n, 7n, 8n], false)
  assert.equal(rule.weightOf(7n), 0)
})

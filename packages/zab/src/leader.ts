import { assert, Fifo } from '@vivarium/platform'
import { joint, type QuorumRule, type Sid } from './quorum.ts'

/** What a leader asks of the world. Called in the order in which it must be carried out. */
export interface LeaderEffects {
  /** Write acceptedEpoch; call `acceptedEpochDurable` when it survives a power loss. */
  persistAcceptedEpoch(epoch: bigint): void
  /** Write currentEpoch; call `currentEpochDurable`. */
  persistCurrentEpoch(epoch: bigint): void
  sendLeaderInfo(to: Sid, epoch: bigint): void
  /** Bring this learner up to date, then send NEWLEADER, and behind it what is outstanding and every later proposal and commit. */
  synchronize(learner: Sid, peerLastZxid: bigint): void
  /** A quorum has the leader's history: serve, the first transaction being `zxid` + 1. */
  startServing(zxid: bigint): void
  sendUpToDate(to: Sid): void
  /** Send to every learner that is being, or has been, synchronised; log it; call `ack` for oneself when durable. */
  propose(zxid: bigint, entry: Uint8Array): void
  /**
   * Tell all learners, apply, answer. `nextLeader`, given for a reconfiguration only, leads from here on; if that is not
   * this server, its learners leave it for that one.
   */
  commit(zxid: bigint, entry: Uint8Array, nextLeader?: Sid): void
  /**
   * Ask every learner for a sign of life, behind all that was sent to it, and call `confirmed` with `round` for each that
   * answers. An answer to a later round stands for the earlier ones.
   */
  confirm(round: number): void
  /** This learner cannot be led by this server; the others can. */
  refuse(learner: Sid, reason: string): void
  /** This server must not lead (any longer). Nothing is asked after this. */
  giveUp(reason: string): void
}

/** What a leader has on disk when it begins. */
export interface LeaderHistory {
  acceptedEpoch: bigint
  currentEpoch: bigint
  lastZxid: bigint
  /** The highest epoch that some voter was heard to have accepted. */
  seenEpoch?: bigint
}

/** The members that take over once a transaction is committed. */
export interface Reconfiguration {
  readonly rule: QuorumRule
  /** Whether this server leads on: it votes in the new configuration, at the same address. */
  readonly mayLead: boolean
}

interface Proposal {
  readonly zxid: bigint
  readonly entry: Uint8Array
}

/**
 * Zab's leader: discovery of a new epoch, synchronisation of a quorum with its own history, broadcast. Pure: knows servers
 * by number and time as an argument. What it holds committed, a quorum has on disk.
 */
export class Leader {
  readonly #myId: Sid
  /** Who decides: the current members and, while that is under way, those of the next configuration as well. */
  #rule: QuorumRule
  #next: Reconfiguration | null
  /** The transaction that makes `#next` the configuration; null for one that an earlier leader had proposed. */
  #nextZxid: bigint | null = null
  readonly #effects: LeaderEffects
  readonly #own: LeaderHistory
  #phase: 'discovery' | 'synchronization' | 'broadcast' | 'handing over' | 'over' = 'discovery'
  /** Who leads after this server. */
  #successor: Sid | null = null
  #epoch: bigint | null = null
  #highestAccepted: bigint
  /** Learners that said hello, waiting for the epoch. */
  readonly #greeting = new Set<Sid>()
  readonly #connected = new Set<Sid>()
  #isEpochAccepted = false
  readonly #epochAcks = new Set<Sid>()
  /** Learners that know the epoch, waiting to be synchronised: their last zxids. */
  readonly #awaitingSync = new Map<Sid, bigint>()
  #isEpochCurrent = false
  readonly #newLeaderAcks = new Set<Sid>()
  readonly #outstanding = new Fifo<Proposal>()
  #lastProposed: bigint
  #lastCommitted: bigint
  /** Highest transaction each server has on disk. */
  readonly #acked = new Map<Sid, bigint>()
  readonly #syncs = new Fifo<{ zxid: bigint; round: number; onSynced: () => void }>()
  #round = 0
  /** The newest round each learner has answered. */
  readonly #confirmed = new Map<Sid, number>()
  /** When each learner was last heard from. */
  readonly #heard = new Map<Sid, number>()

  /** `next`: a configuration that was proposed and, as far as this server knows, not committed. */
  constructor(
    myId: Sid,
    rule: QuorumRule,
    own: LeaderHistory,
    effects: LeaderEffects,
    next: Reconfiguration | null = null,
  ) {
    this.#myId = myId
    this.#rule = next === null ? rule : joint(rule, next.rule)
    this.#next = next
    this.#own = own
    this.#effects = effects
    const seen = own.seenEpoch ?? 0n
    this.#highestAccepted = seen > own.acceptedEpoch ? seen : own.acceptedEpoch
    this.#lastProposed = own.lastZxid
    this.#lastCommitted = own.lastZxid
    this.#connected.add(myId)
    this.#fixEpochIfPossible()
  }

  get phase(): string {
    return this.#phase
  }

  get epoch(): bigint | null {
    return this.#epoch
  }

  get lastProposed(): bigint {
    return this.#lastProposed
  }

  get lastCommitted(): bigint {
    return this.#lastCommitted
  }

  get outstandingCount(): number {
    return this.#outstanding.length
  }

  /** Proposed and not committed, oldest first: what a learner that joins now must get as well. */
  outstanding(): readonly Proposal[] {
    return [...this.#outstanding]
  }

  // ---- discovery ---------------------------------------------------------------------------------------------------------

  /** FOLLOWERINFO or OBSERVERINFO. */
  learnerInfo(sid: Sid, acceptedEpoch: bigint, nowMs: number): void {
    if (this.#isLeaving) return
    this.#heard.set(sid, nowMs)
    this.#greeting.add(sid)
    const isVoter = this.#rule.voters.has(sid)
    // It promised itself to a leader that never came to be, and may not follow this epoch: only a newer one gets it back.
    if (this.#epoch !== null && isVoter && acceptedEpoch > this.#epoch) {
      return this.#giveUp(
        `server ${sid} has accepted epoch ${acceptedEpoch}, this leader's is ${this.#epoch}: a newer one must begin`,
      )
    }
    if (this.#epoch === null && isVoter) {
      this.#connected.add(sid)
      if (acceptedEpoch > this.#highestAccepted) this.#highestAccepted = acceptedEpoch
      this.#fixEpochIfPossible()
    }
    if (this.#isEpochAccepted) this.#welcome()
  }

  #fixEpochIfPossible(): void {
    if (this.#epoch !== null || !this.#rule.isQuorum(this.#connected)) return
    this.#epoch = this.#highestAccepted + 1n
    this.#effects.persistAcceptedEpoch(this.#epoch)
  }

  acceptedEpochDurable(): void {
    if (this.#phase === 'over') return
    this.#isEpochAccepted = true
    this.#welcome()
    this.#ackEpoch(this.#myId)
  }

  #welcome(): void {
    for (const sid of this.#greeting) this.#effects.sendLeaderInfo(sid, this.#epoch!)
    this.#greeting.clear()
  }

  /** ACKEPOCH. `currentEpoch` −1: the learner had accepted this epoch before, and does not count again. */
  ackEpoch(sid: Sid, currentEpoch: bigint, lastZxid: bigint, nowMs: number): void {
    if (this.#isLeaving || this.#epoch === null) return
    this.#heard.set(sid, nowMs)
    if (currentEpoch !== -1n) {
      const { currentEpoch: ownEpoch, lastZxid: ownZxid } = this.#own
      if (
        this.#phase === 'discovery' &&
        (currentEpoch > ownEpoch || (currentEpoch === ownEpoch && lastZxid > ownZxid))
      ) {
        return this.#effects.refuse(
          sid,
          `Follower is ahead of the leader, leader summary: ${ownEpoch} (current epoch), 0x${ownZxid.toString(16)} (last zxid); ` +
            `the follower's: ${currentEpoch}, 0x${lastZxid.toString(16)}`,
        )
      }
    }
    this.#awaitingSync.set(sid, lastZxid)
    if (currentEpoch !== -1n) this.#ackEpoch(sid)
    if (this.#isEpochCurrent) this.#synchronizeAwaiting()
  }

  #ackEpoch(sid: Sid): void {
    this.#epochAcks.add(sid)
    if (this.#phase !== 'discovery' || !this.#rule.isQuorum(this.#epochAcks)) return
    this.#phase = 'synchronization'
    this.#effects.persistCurrentEpoch(this.#epoch!)
  }

  currentEpochDurable(): void {
    if (this.#phase === 'over') return
    this.#isEpochCurrent = true
    this.#lastProposed = this.#epoch! << 32n
    this.#lastCommitted = this.#lastProposed
    this.#synchronizeAwaiting()
    this.#ackNewLeader(this.#myId)
  }

  // ---- synchronisation -----------------------------------------------------------------------------------------------------

  #synchronizeAwaiting(): void {
    const learners = [...this.#awaitingSync]
    this.#awaitingSync.clear()
    for (const [sid, lastZxid] of learners) {
      // What it has and this leader has not committed yet is cut off, and sent again: until then it counts for nothing.
      this.#acked.delete(sid)
      this.#effects.synchronize(sid, lastZxid)
    }
  }

  #ackNewLeader(sid: Sid): void {
    this.#newLeaderAcks.add(sid)
    if (this.#phase === 'broadcast') {
      if (sid !== this.#myId) this.#effects.sendUpToDate(sid)
      return
    }
    if (!this.#rule.isQuorum(this.#newLeaderAcks)) return
    this.#phase = 'broadcast'
    this.#effects.startServing(this.#lastCommitted)
    for (const learner of this.#newLeaderAcks) if (learner !== this.#myId) this.#effects.sendUpToDate(learner)
    // What an earlier leader left undecided is decided now: the next configuration's quorum has this history.
    if (this.#next !== null && !this.#adopt(this.#next))
      this.#giveUp('this server does not lead in the configuration that has been taken over')
  }

  /** The next configuration becomes the current one. False if this server does not lead in it. */
  #adopt(next: Reconfiguration): boolean {
    this.#rule = next.rule
    this.#next = null
    this.#nextZxid = null
    return next.mayLead
  }

  /** Whether the servers that are in step would be a quorum by another rule. */
  hasQuorumOf(rule: QuorumRule): boolean {
    return rule.isQuorum(this.#newLeaderAcks)
  }

  /** Who has the leader's history. */
  get synced(): readonly Sid[] {
    return [...this.#newLeaderAcks]
  }

  // ---- broadcast ---------------------------------------------------------------------------------------------------------------

  /**
   * The next transaction. zxids are consecutive within the epoch. A reconfiguration, and all behind it, needs a quorum of
   * the current members and one of the next; there can be only one at a time.
   */
  propose(zxid: bigint, entry: Uint8Array, reconfiguration?: Reconfiguration): void {
    // Deposed in this very turn: what still comes is not logged, and its clients learn nothing of its fate.
    if (this.#isLeaving) return
    assert(this.#phase === 'broadcast', 'transactions are proposed only by an established leader')
    assert(zxid === this.#lastProposed + 1n, 'zxids are consecutive within an epoch')
    // The counter is used up: a new epoch must begin before it would flow over (ZOOKEEPER-1277).
    if ((zxid & 0xffff_ffffn) === 0xffff_ffffn)
      return this.#giveUp(
        'zxid lower 32 bits have rolled over, forcing re-election, and therefore new epoch start',
      )
    this.#lastProposed = zxid
    this.#outstanding.push({ zxid, entry })
    if (reconfiguration !== undefined) {
      assert(this.#next === null, 'there is one reconfiguration at a time')
      this.#next = reconfiguration
      this.#nextZxid = zxid
      this.#rule = joint(this.#rule, reconfiguration.rule)
    }
    this.#effects.propose(zxid, entry)
  }

  /** `sid` has everything up to `zxid` on disk. */
  ack(sid: Sid, zxid: bigint, nowMs: number): void {
    if (this.#isLeaving || this.#epoch === null) return
    this.#heard.set(sid, nowMs)
    if ((zxid & 0xffff_ffffn) === 0n) {
      // The answer to NEWLEADER; a second one answers UPTODATE and says nothing new.
      if (zxid >> 32n === this.#epoch && !this.#newLeaderAcks.has(sid)) this.#ackNewLeader(sid)
      return
    }
    const before = this.#acked.get(sid) ?? 0n
    // Nobody can have what was never proposed.
    if (zxid <= before || zxid > this.#lastProposed) return
    this.#acked.set(sid, zxid)
    if (zxid > this.#lastCommitted && this.#rule.voters.has(sid)) this.#commitUpTo(this.#durableZxid(zxid))
  }

  #commitUpTo(durable: bigint): void {
    for (let oldest = this.#outstanding.peek(); oldest !== undefined; oldest = this.#outstanding.peek()) {
      const { zxid, entry } = oldest
      if (zxid > durable || this.#phase !== 'broadcast') return
      if (this.#syncs.length > 0) this.#answerSyncs(zxid)
      this.#outstanding.shift()
      this.#lastCommitted = zxid
      if (zxid === this.#nextZxid) this.#commitReconfiguration(this.#next!, zxid, entry)
      else this.#effects.commit(zxid, entry)
      if (this.#syncs.length > 0) this.#answerSyncs()
    }
  }

  #commitReconfiguration(next: Reconfiguration, zxid: bigint, entry: Uint8Array): void {
    if (this.#adopt(next)) return this.#effects.commit(zxid, entry, this.#myId)
    this.#successor = this.#mostAdvancedVoter(zxid)
    this.#phase = 'handing over'
    this.#effects.commit(zxid, entry, this.#successor)
  }

  /** The voter that has the most of what was proposed; a quorum has `zxid`. */
  #mostAdvancedVoter(zxid: bigint): Sid {
    let best: Sid | null = null
    for (const sid of this.#rule.voters) {
      const acked = this.#acked.get(sid) ?? 0n
      const isCandidate = sid !== this.#myId && acked >= zxid && this.#rule.weightOf(sid) > 0
      if (isCandidate && (best === null || acked > this.#acked.get(best)!)) best = sid
    }
    assert(best !== null, 'a quorum of the new configuration has acknowledged it')
    return best
  }

  /** The newest transaction, up to `limit`, that a quorum has on disk; −1 if the quorum is not there yet. */
  #durableZxid(limit: bigint): bigint {
    const holders: Sid[] = []
    for (const [sid, acked] of this.#acked) if (acked >= limit) holders.push(sid)
    if (this.#rule.isQuorum(holders)) return limit
    // `limit` was just acked by one server: what a quorum has ends where some other server's log does.
    let durable = -1n
    for (const candidate of this.#acked.values()) {
      if (candidate <= durable || candidate >= limit) continue
      holders.length = 0
      for (const [sid, acked] of this.#acked) if (acked >= candidate) holders.push(sid)
      if (this.#rule.isQuorum(holders)) durable = candidate
    }
    return durable
  }

  /**
   * Calls back once everything proposed so far is committed and a quorum has confirmed, since this call, that it follows:
   * a leader that was deposed without noticing never answers (stricter than Apache's). What is proposed later is committed
   * later, as from Apache's: a client's requests are answered in their order.
   */
  afterOutstanding(onSynced: () => void): void {
    if (this.#phase !== 'broadcast') return
    this.#syncs.push({ zxid: this.#lastProposed, round: ++this.#round, onSynced })
    this.#effects.confirm(this.#round)
    this.#answerSyncs()
  }

  /** The newest round that was asked for; whoever is sent a sign of life now answers to it. */
  get round(): number {
    return this.#round
  }

  /** `sid` answered what was sent to it in `round`. */
  confirmed(sid: Sid, round: number, nowMs: number): void {
    this.#heard.set(sid, nowMs)
    this.#confirmed.set(sid, round)
    if (this.#syncs.length > 0) this.#answerSyncs()
  }

  /** `durable`: a quorum has that on disk, and so has followed since it was proposed. */
  #answerSyncs(durable = -1n): void {
    for (let oldest = this.#syncs.peek(); oldest !== undefined; oldest = this.#syncs.peek()) {
      if (oldest.zxid > this.#lastCommitted || this.#phase !== 'broadcast') return
      if (oldest.zxid >= durable && !this.#isConfirmedSince(oldest.round)) return
      this.#syncs.shift()
      oldest.onSynced()
    }
  }

  #isConfirmedSince(asked: number): boolean {
    const followers = [this.#myId]
    for (const [sid, round] of this.#confirmed) if (round >= asked) followers.push(sid)
    return this.#rule.isQuorum(followers)
  }

  // ---- life and death ------------------------------------------------------------------------------------------------------------

  heardFrom(sid: Sid, nowMs: number): void {
    this.#heard.set(sid, nowMs)
  }

  learnerGone(sid: Sid): void {
    this.#greeting.delete(sid)
    this.#awaitingSync.delete(sid)
    this.#heard.delete(sid)
    this.#confirmed.delete(sid)
    this.#newLeaderAcks.delete(sid)
    // Before the epoch is fixed it must not count; afterwards what it said stays true.
    if (this.#epoch === null) this.#connected.delete(sid)
    if (this.#phase === 'handing over' && (sid === this.#successor || this.#newLeaderAcks.size <= 1))
      this.#giveUp(`server ${this.#successor} leads in the new configuration`)
  }

  /** Once a tick: a leader that a quorum no longer hears must not go on. */
  checkQuorum(nowMs: number, limitMs: number): void {
    if (this.#phase !== 'broadcast' && this.#phase !== 'handing over') return
    const alive = [this.#myId]
    for (const sid of this.#newLeaderAcks) {
      if (sid !== this.#myId && nowMs - (this.#heard.get(sid) ?? Number.NEGATIVE_INFINITY) <= limitMs)
        alive.push(sid)
    }
    if (this.#rule.isQuorum(alive)) return
    this.#giveUp(`Not sufficient followers synced, only synced with sids: [ ${alive.join(', ')} ]`)
  }

  /** The time for discovery and synchronisation is over. */
  initTimedOut(): void {
    if (this.#phase === 'broadcast' || this.#isLeaving) return
    this.#giveUp(
      `Waiting for a quorum of followers, only synced with sids: [ ${[...this.#newLeaderAcks].join(', ')} ]`,
    )
  }

  /** What comes from now on is for another leader. */
  get #isLeaving(): boolean {
    return this.#phase === 'handing over' || this.#phase === 'over'
  }

  /** The host ends this server's lead itself. */
  stop(): void {
    this.#phase = 'over'
  }

  #giveUp(reason: string): void {
    this.#phase = 'over'
    this.#effects.giveUp(reason)
  }
}

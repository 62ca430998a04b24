import { MalformedBytesError } from '@vivarium/bytes'
import { background, type Listener, type Timer } from '@vivarium/platform'
import { Leader, type Reconfiguration, type Sid } from '@vivarium/zab'
import { counterOf, errorCode, formatZxid, type ReconfigRequest } from '@vivarium/zookeeper-protocol'
import type { LogListener } from '../persistence/txn-log.ts'
import { Refusal } from '../refusal.ts'
import { listenOnAny } from './addresses.ts'
import {
  type Configuration,
  configurationIn,
  configurationText,
  isDisplaced,
  isReconfiguration,
  isSuccessor,
  peerOf,
  quorumAddresses,
  ruleOf,
} from './configuration.ts'
import type { EpochFiles } from './epoch-files.ts'
import type { LearnerHandler, LearnerMaster } from './learner-handler.ts'
import { Learners } from './learners.ts'
import type { MemberContext } from './member.ts'
import { reconfigured } from './reconfiguration.ts'
import type { ForwardedRequest, Quorum } from './replica.ts'

/** A zxid's counter that no transaction gets, as in Apache's leader. */
const lastCounter = 0xffff_ffffn
/** A learner may lag behind by so much. */
const maxQueuedBytes = 256 * 1024 * 1024

/** Carries out what zab's Leader asks, for as long as this server leads. */
export class Leading implements Quorum, LearnerMaster, LogListener {
  readonly #context: MemberContext
  readonly #epochs: EpochFiles
  readonly #leader: Leader
  readonly maxQueuedBytes = maxQueuedBytes
  readonly #learners: Learners
  readonly #timers: Timer[] = []
  #listeners: Listener[] = []
  #isPingQueued = false
  /** What this server's own acknowledgements wait for: that it has written down a reconfiguration. */
  #ownAcks: Promise<void> | null = null
  #hasRolledOver = false
  #end: (reason: string) => void = () => {}
  readonly #ended: Promise<string>
  readonly proposalSizes = { last: -1, min: -1, max: -1 }
  servingSinceMs = 0

  constructor(context: MemberContext, epochs: EpochFiles) {
    this.#context = context
    this.#epochs = epochs
    this.#ended = new Promise(resolve => {
      this.#end = resolve
    })
    const { replica } = context
    const own = {
      acceptedEpoch: epochs.accepted,
      currentEpoch: epochs.current,
      lastZxid: replica.lastLoggedZxid,
      seenEpoch: epochs.seen,
    }
    const fail = (error: Error) => context.onFailure(error)
    this.#learners = new Learners(context, this, sid => this.#leader.learnerGone(sid))
    const { membership } = context
    const next = isSuccessor(membership.lastSeen, membership.committed) ? membership.lastSeen : null
    this.#leader = new Leader(
      context.myId,
      membership.currentRule,
      own,
      {
        persistAcceptedEpoch: epoch =>
          background(
            epochs.setAccepted(epoch).then(() => this.#leader.acceptedEpochDurable()),
            fail,
          ),
        persistCurrentEpoch: epoch =>
          background(
            this.#numberConfiguration(epoch)
              .then(() => epochs.setCurrent(epoch))
              .then(() => this.#leader.currentEpochDurable()),
            fail,
          ),
        sendLeaderInfo: (to, epoch) => this.#learners.get(to)?.sendLeaderInfo(epoch),
        synchronize: (sid, zxid) => this.#learners.get(sid)?.synchronize(zxid, this.#leader.epoch!),
        startServing: zxid => this.#startServing(zxid),
        sendUpToDate: to => this.#learners.get(to)?.sendUpToDate(),
        propose: (zxid, entry) => this.#propose(zxid, entry as Buffer),
        commit: (zxid, entry, nextLeader) => this.#commit(zxid, entry as Buffer, nextLeader),
        confirm: () => this.#pingThisTurn(),
        refuse: (sid, reason) => this.#learners.get(sid)?.stream.close(new Error(reason)),
        giveUp: reason => this.#end(reason),
      },
      next === null ? null : this.#reconfigurationTo(next),
    )
  }

  #reconfigurationTo(configuration: Configuration): Reconfiguration {
    const { own } = this.#context
    return {
      rule: ruleOf(configuration),
      mayLead: !isDisplaced(own, peerOf(configuration, own.sid)),
    }
  }

  /** What nobody has agreed on yet gets its first number with this epoch (ZOOKEEPER-1783). */
  async #numberConfiguration(epoch: bigint): Promise<void> {
    const { membership } = this.#context
    if (membership.isDynamic && membership.lastSeen.version === 0n)
      await membership.see({ ...membership.lastSeen, version: epoch << 32n })
  }

  /** A better candidate has come up. Unless a quorum has gathered here already, it is likely to gather there. */
  outdone(): void {
    if (this.#leader.phase === 'discovery') this.#end('a better candidate has come up')
  }

  get leader(): Leader {
    return this.#leader
  }

  /** Leads until that is over; gives the reason. */
  async run(): Promise<string> {
    const { clock, network, own, myId, tickMs, syncLimit, listenOnAll, log } = this.#context
    this.#listeners = await listenOnAny(
      network,
      quorumAddresses(own),
      { onAllInterfaces: listenOnAll, key: `server.${myId}`, log: log.named('Leader') },
      connection => this.#learners.accept(connection),
    )
    this.#limitPhase()
    this.#timers.push(clock.every(tickMs / 2, () => this.#ping()))
    this.#timers.push(
      clock.every(tickMs, () => this.#leader.checkQuorum(clock.monotonicMs(), syncLimit * tickMs)),
    )
    return this.#ended
  }

  /** Discovery and synchronisation have initLimit ticks each. */
  #limitPhase(): void {
    const { clock, tickMs, initLimit } = this.#context
    const { phase } = this.#leader
    const timer = clock.after(initLimit * tickMs, () => {
      if (phase === 'discovery' && this.#leader.phase === 'synchronization') this.#limitPhase()
      else this.#leader.initTimedOut()
    })
    this.#timers.push(timer)
  }

  /** Stops leading. What is proposed and not committed stays in the log, since a quorum may have it. */
  async stop(reason: string): Promise<void> {
    this.#end(reason)
    this.#leader.stop()
    for (const timer of this.#timers) timer.cancel()
    this.#learners.close(reason)
    const { replica } = this.#context
    replica.stopServing(reason)
    await Promise.all(this.#listeners.map(listener => listener.close()))
    await replica.snapshotsDone()
    for (const { entry } of this.#leader.outstanding()) replica.applyTentatively(entry as Buffer)
  }

  // ---- what learners say ------------------------------------------------------------------------------------------------------

  introduced(learner: LearnerHandler, acceptedEpoch: bigint): void {
    const { sid } = learner
    if (sid === this.#context.myId)
      throw new MalformedBytesError(`a learner that calls itself ${sid}, as this leader is`)
    this.#learners.introduced(learner)
    if (this.#context.membership.isVoter(sid) && acceptedEpoch > this.#epochs.seen)
      this.#epochs.seen = acceptedEpoch
    this.#leader.learnerInfo(sid, acceptedEpoch, this.#nowMs)
  }

  epochAccepted({ sid }: LearnerHandler, currentEpoch: bigint, lastZxid: bigint): void {
    this.#leader.ackEpoch(sid, currentEpoch, lastZxid, this.#nowMs)
  }

  acknowledged({ sid }: LearnerHandler, zxid: bigint): void {
    this.#leader.ack(sid, zxid, this.#nowMs)
  }

  answered({ sid }: LearnerHandler, round: number): void {
    this.#leader.confirmed(sid, round, this.#nowMs)
  }

  touched({ sid }: LearnerHandler, sessionId: bigint, timeoutMs: number): void {
    this.#context.replica.touchSession(sid, sessionId, timeoutMs)
  }

  revalidateFor(learner: LearnerHandler, sessionId: bigint, timeoutMs: number): void {
    this.#leader.heardFrom(learner.sid, this.#nowMs)
    learner.revalidated(sessionId, this.#context.replica.revalidateSession(learner.sid, sessionId, timeoutMs))
  }

  syncFor(learner: LearnerHandler): void {
    this.#leader.heardFrom(learner.sid, this.#nowMs)
    this.#leader.afterOutstanding(() => learner.synced())
  }

  submitFor({ sid }: LearnerHandler, request: ForwardedRequest): void {
    this.#leader.heardFrom(sid, this.#nowMs)
    this.#context.replica.submitForLearner(sid, request)
  }

  get #nowMs(): number {
    return this.#context.clock.monotonicMs()
  }

  // ---- synchronisation --------------------------------------------------------------------------------------------------------

  /** Proposed and not committed yet. */
  underWay(): { zxid: bigint; entry: Buffer }[] {
    return this.#leader.outstanding().map(({ zxid, entry }) => ({ zxid, entry: entry as Buffer }))
  }

  #startServing(zxid: bigint): void {
    const { replica, log, clock } = this.#context
    log
      .named('Leader')
      .info(
        `Have quorum of supporters, sids: [[${this.#leader.synced.join(', ')}]]; starting up and setting last processed zxid: 0x${formatZxid(zxid)}`,
      )
    this.servingSinceMs = clock.monotonicMs()
    replica.startServing('leader', zxid, this)
    const { lastSeen } = this.#context.membership
    const mayLead = this.#reconfigurationTo(lastSeen).mayLead
    this.#context.activate(lastSeen, mayLead ? this.#context.myId : null)
    this.#context.established(this.#leader.epoch!)
  }

  // ---- broadcast ----------------------------------------------------------------------------------------------------------------

  propose(zxid: bigint, entry: Buffer): void {
    // An epoch has no more numbers; what is ordered until this server stops leading is nobody's (ZOOKEEPER-1277).
    if (counterOf(zxid) === lastCounter) this.#hasRolledOver = true
    if (this.#hasRolledOver)
      return this.#end(
        'zxid lower 32 bits have rolled over, forcing re-election, and therefore new epoch start',
      )
    if (isReconfiguration(entry)) this.#proposeReconfiguration(zxid, entry)
    else this.#leader.propose(zxid, entry)
  }

  #proposeReconfiguration(zxid: bigint, entry: Buffer): void {
    const configuration = configurationIn(entry)
    // This server's own word counts only once it cannot forget what it gave it for.
    const seen = this.#context.membership.see(configuration).then(() => {
      // Unless the next one has begun, which waits for its own.
      if (this.#ownAcks === seen) this.#ownAcks = null
    })
    this.#ownAcks = seen
    background(seen, error => this.#context.onFailure(error))
    this.#leader.propose(zxid, entry, this.#reconfigurationTo(configuration))
  }

  reconfigure(request: ReconfigRequest, zxid: bigint): string {
    const { membership, reconfigurable } = this.#context
    if (membership.lastSeen.version !== membership.committed.version)
      throw new Refusal(errorCode.RECONFIGINPROGRESS)
    const next = reconfigured(membership.committed, request, zxid, reconfigurable)
    if (!this.#leader.hasQuorumOf(ruleOf(next))) throw new Refusal(errorCode.NEWCONFIGNOQUORUM)
    return configurationText(next)
  }

  #propose(zxid: bigint, entry: Buffer): void {
    const { proposalSizes } = this
    proposalSizes.last = entry.length
    proposalSizes.max = Math.max(proposalSizes.max, entry.length)
    proposalSizes.min = proposalSizes.min === -1 ? entry.length : Math.min(proposalSizes.min, entry.length)
    for (const learner of this.#learners) learner.propose(zxid, entry)
    this.#context.replica.append(zxid, entry, this)
  }

  durable(zxid: bigint, _entry: Buffer, isLast: boolean): void {
    if (!isLast) return
    if (this.#ownAcks === null) return this.#acknowledge(zxid)
    // Should that fail, this server stops: whoever began it has been told.
    void this.#ownAcks.then(
      () => this.#acknowledge(zxid),
      () => {},
    )
  }

  #acknowledge(zxid: bigint): void {
    this.#leader.ack(this.#context.myId, zxid, this.#nowMs)
  }

  /** `nextLeader`: of the configuration that this transaction puts in force. */
  #commit(zxid: bigint, entry: Buffer, nextLeader?: Sid): void {
    if (nextLeader !== undefined) this.#context.activate(configurationIn(entry), nextLeader)
    this.#context.replica.commit(zxid, entry)
    for (const learner of this.#learners) learner.commit(zxid, entry, nextLeader)
  }

  afterOutstanding(onSynced: () => void): void {
    this.#leader.afterOutstanding(onSynced)
  }

  forward(): never {
    throw new Error('a leader has nobody to forward to')
  }

  sync(): never {
    throw new Error('a leader syncs with itself')
  }

  revalidate(): never {
    throw new Error('a leader knows the sessions')
  }

  /** However many syncs one turn of the event loop brings, their learners are asked once. */
  #pingThisTurn(): void {
    if (this.#isPingQueued) return
    this.#isPingQueued = true
    queueMicrotask(() => {
      this.#isPingQueued = false
      this.#ping()
    })
  }

  #ping(): void {
    for (const learner of this.#learners) learner.ping(this.#leader.lastProposed, this.#leader.round)
  }

  get followers(): { learners: number; synced: number; observers: number; pendingSyncs: number } {
    const learners = [...this.#learners]
    const synced = learners.filter(learner => learner.isUpToDate)
    return {
      learners: learners.length,
      synced: synced.filter(learner => !learner.isObserver).length,
      observers: synced.filter(learner => learner.isObserver).length,
      pendingSyncs: 0,
    }
  }
}

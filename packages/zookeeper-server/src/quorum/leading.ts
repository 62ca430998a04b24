import { MalformedBytesError } from '@vivarium/bytes'
import { background, type Connection, type Listener, type Timer } from '@vivarium/platform'
import { Leader, planSync, type Reconfiguration, type Sid } from '@vivarium/zab'
import { counterOf, errorCode, formatZxid, type ReconfigRequest } from '@vivarium/zookeeper-protocol'
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
import { LearnerHandler, type LearnersLeader } from './learner-handler.ts'
import type { MemberContext } from './member.ts'
import { PeerStream } from './peer-stream.ts'
import { reconfigured } from './reconfiguration.ts'
import type { Quorum } from './replica.ts'

/** A zxid's counter that no transaction gets, as in Apache's leader. */
const lastCounter = 0xffff_ffffn
/** More connections than any ensemble has learners. */
const maxConnections = 1000

/** Carries out what zab's Leader asks, for as long as this server leads. */
export class Leading implements Quorum, LearnersLeader {
  readonly #context: MemberContext
  readonly #epochs: EpochFiles
  readonly #leader: Leader
  readonly #handlers = new Map<Sid, LearnerHandler>()
  readonly #greeting = new Set<LearnerHandler>()
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
        sendLeaderInfo: (to, epoch) => this.#handlers.get(to)?.sendLeaderInfo(epoch),
        synchronize: (sid, zxid) => this.#synchronize(sid, zxid),
        startServing: zxid => this.#startServing(zxid),
        sendUpToDate: to => this.#handlers.get(to)?.sendUpToDate(),
        propose: (zxid, entry) => this.#propose(zxid, entry as Buffer),
        commit: (zxid, entry, nextLeader) => this.#commit(zxid, entry as Buffer, nextLeader),
        confirm: () => this.#pingThisTurn(),
        refuse: (sid, reason) => this.#handlers.get(sid)?.stream.close(new Error(reason)),
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

  get leader(): Leader {
    return this.#leader
  }

  /** Leads until that is over; gives the reason. */
  async run(): Promise<string> {
    const { clock, network, own, tickMs, syncLimit, listenOnAll, log } = this.#context
    this.#listeners = await listenOnAny(
      network,
      quorumAddresses(own),
      listenOnAll,
      log.named('Leader'),
      connection => this.#accept(connection),
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
    for (const handler of [...this.#handlers.values(), ...this.#greeting])
      handler.stream.close(new Error(reason))
    const { replica } = this.#context
    replica.stopServing(reason)
    await Promise.all(this.#listeners.map(listener => listener.close()))
    await replica.snapshotsDone()
    for (const { entry } of this.#leader.outstanding()) replica.applyTentatively(entry as Buffer)
  }

  #accept(connection: Connection): void {
    const { clock, tickMs, initLimit } = this.#context
    if (this.#greeting.size + this.#handlers.size >= maxConnections) return connection.destroy()
    const handler = new LearnerHandler(
      new PeerStream(connection, clock, initLimit * tickMs),
      this,
      this.#context,
    )
    this.#greeting.add(handler)
    background(
      handler
        .run()
        .catch(error => {
          this.#context.log
            .named('LearnerHandler')
            .warn(`******* GOODBYE ${handler.stream.remoteText} ******** (${(error as Error).message})`)
        })
        .finally(() => this.#gone(handler)),
      error => this.#context.onFailure(error),
    )
  }

  /** A learner said who it is. An older connection of the same server is a dead one. */
  introduced(handler: LearnerHandler, acceptedEpoch: bigint): void {
    this.#greeting.delete(handler)
    const { sid } = handler
    if (sid === this.#context.myId)
      throw new MalformedBytesError(`a learner that calls itself ${sid}, as this leader is`)
    const older = this.#handlers.get(sid)
    if (older !== undefined) {
      older.stream.close(new Error('the learner connected anew'))
      this.#leader.learnerGone(sid)
    }
    this.#handlers.set(sid, handler)
    if (this.#context.membership.isVoter(sid) && acceptedEpoch > this.#epochs.seen)
      this.#epochs.seen = acceptedEpoch
    this.#leader.learnerInfo(sid, acceptedEpoch, this.#context.clock.monotonicMs())
  }

  #gone(handler: LearnerHandler): void {
    handler.stream.close()
    this.#greeting.delete(handler)
    if (this.#handlers.get(handler.sid) !== handler) return
    this.#handlers.delete(handler.sid)
    this.#leader.learnerGone(handler.sid)
  }

  // ---- synchronisation --------------------------------------------------------------------------------------------------------

  #synchronize(sid: Sid, peerLastZxid: bigint): void {
    const handler = this.#handlers.get(sid)
    if (handler === undefined) return
    const { replica, log } = this.#context
    const memory = replica.committedLog
    log
      .named('LearnerHandler')
      .info(
        `Synchronizing with Learner sid: ${sid} maxCommittedLog=0x${formatZxid(memory.at(-1)?.zxid ?? replica.lastProcessedZxid)} ` +
          `minCommittedLog=0x${formatZxid(memory[0]?.zxid ?? replica.lastProcessedZxid)} lastProcessedZxid=0x${formatZxid(replica.lastProcessedZxid)} ` +
          `peerLastZxid=0x${formatZxid(peerLastZxid)}`,
      )
    // From this moment on every proposal and commit is kept for the learner, behind what it lacks now.
    const plan = planSync(peerLastZxid, memory, replica.lastProcessedZxid, this.#context.logSyncBytes > 0)
    background(handler.synchronize(plan, peerLastZxid, this.#leader.epoch!), error =>
      handler.stream.close(error),
    )
  }

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
    const { replica, myId, clock } = this.#context
    const { proposalSizes } = this
    proposalSizes.last = entry.length
    proposalSizes.max = Math.max(proposalSizes.max, entry.length)
    proposalSizes.min = proposalSizes.min === -1 ? entry.length : Math.min(proposalSizes.min, entry.length)
    for (const handler of this.#handlers.values()) handler.propose(zxid, entry)
    const ack = () => this.#leader.ack(myId, zxid, clock.monotonicMs())
    replica.append(zxid, entry, () => {
      if (this.#ownAcks === null) ack()
      else void this.#ownAcks.then(ack)
    })
  }

  /** `nextLeader`: of the configuration that this transaction puts in force. */
  #commit(zxid: bigint, entry: Buffer, nextLeader?: Sid): void {
    for (const handler of this.#handlers.values()) handler.commit(zxid, entry, nextLeader)
    if (nextLeader !== undefined) this.#context.activate(configurationIn(entry), nextLeader)
    this.#context.replica.commit(zxid, entry)
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
    for (const handler of this.#handlers.values()) handler.ping(this.#leader.lastProposed, this.#leader.round)
  }

  get followers(): { learners: number; synced: number; observers: number; pendingSyncs: number } {
    const handlers = [...this.#handlers.values()]
    const synced = handlers.filter(handler => handler.isUpToDate)
    return {
      learners: handlers.length,
      synced: synced.filter(handler => !handler.isObserver).length,
      observers: synced.filter(handler => handler.isObserver).length,
      pendingSyncs: 0,
    }
  }
}

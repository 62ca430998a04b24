import { background, type Listener, type Timer } from '@vivarium/platform'
import type { Sid } from '@vivarium/zab'
import { counterOf, formatZxid } from '@vivarium/zookeeper-protocol'
import { listenOnAny } from './addresses.ts'
import type { LearnerHandler, LearnerMaster } from './learner-handler.ts'
import { Learners } from './learners.ts'
import type { MemberContext } from './member.ts'
import type { ForwardedRequest } from './replica.ts'

/** More sessions than observers hear from between two pings of the leader. */
const maxTouched = 1_000_000

/** The way to the leader. */
export interface Upstream {
  forward(request: ForwardedRequest): void
  syncWithLeader(request: ForwardedRequest, onSynced: () => void): void
  askLeaderFor(sessionId: bigint, timeoutMs: number, onAnswer: (isAlive: boolean) => void): void
}

/**
 * The half of a follower to which observers are connected instead of to the leader, so that its load does not grow with
 * their number. They are sent what the follower has seen committed; what they ask for goes the follower's way to the leader.
 *
 * Source: ObserverMaster (ZOOKEEPER-3140).
 */
export class ObserverMaster implements LearnerMaster {
  readonly maxQueuedBytes: number
  readonly #context: MemberContext
  readonly #epoch: bigint
  readonly #upstream: Upstream
  readonly #learners: Learners
  #listeners: Listener[] = []
  readonly #timer: Timer
  #isStopped = false
  /** Sessions that observers heard from since the leader last asked. */
  #touched = new Map<bigint, number>()

  /** `epoch`: the leader's, which serves. */
  constructor(context: MemberContext, epoch: bigint, upstream: Upstream) {
    this.#context = context
    this.#epoch = epoch
    this.#upstream = upstream
    this.maxQueuedBytes = context.observerMaster.sizeLimit
    this.#learners = new Learners(context, this, () => {})
    this.#timer = context.clock.every(context.tickMs / 2, () => this.#ping())
    background(this.#listen(), error => context.onFailure(error))
  }

  async #listen(): Promise<void> {
    const { network, own, observerMaster, listenOnAll, log } = this.#context
    const addresses = own.endpoints.map(({ host }) => ({ host, port: observerMaster.port }))
    const options = {
      onAllInterfaces: listenOnAll,
      key: 'observerMasterPort',
      log: log.named('ObserverMaster'),
    }
    this.#listeners = await listenOnAny(network, addresses, options, connection =>
      this.#learners.accept(connection),
    )
    if (this.#isStopped) await this.#closeListeners()
  }

  async stop(reason: string): Promise<void> {
    this.#isStopped = true
    this.#timer.cancel()
    this.#learners.close(reason)
    await this.#closeListeners()
  }

  async #closeListeners(): Promise<void> {
    await Promise.all(this.#listeners.map(listener => listener.close()))
  }

  #ping(): void {
    for (const learner of this.#learners) learner.ping(this.#context.replica.lastProcessedZxid, 0)
  }

  /** A transaction is committed. `nextLeader`, given for a reconfiguration only, leads from here on. */
  commit(zxid: bigint, entry: Buffer, nextLeader?: Sid): void {
    for (const learner of this.#learners) learner.commit(zxid, entry, nextLeader)
  }

  get synced(): number {
    return [...this.#learners].filter(learner => learner.isUpToDate).length
  }

  takeTouches(): { id: bigint; timeoutMs: number }[] {
    const touches = [...this.#touched].map(([id, timeoutMs]) => ({ id, timeoutMs }))
    this.#touched = new Map()
    return touches
  }

  // ---- what observers say ---------------------------------------------------------------------------------------------------

  introduced(learner: LearnerHandler): void {
    if (!learner.isObserver)
      throw new Error(`server ${learner.sid} wants to follow, and only observers are served here`)
    this.#learners.introduced(learner)
    learner.sendLeaderInfo(this.#epoch)
  }

  epochAccepted(learner: LearnerHandler, _currentEpoch: bigint, lastZxid: bigint): void {
    const { lastProcessedZxid } = this.#context.replica
    // What it has of this epoch is committed, or will be: it must not be cut off because this server lags behind.
    if (lastZxid > lastProcessedZxid && lastZxid >> 32n === this.#epoch) {
      throw new Error(
        `observer ${learner.sid} is ahead of this server: it has 0x${formatZxid(lastZxid)}, and 0x${formatZxid(lastProcessedZxid)} is committed here`,
      )
    }
    learner.synchronize(lastZxid, this.#epoch)
  }

  acknowledged(learner: LearnerHandler, zxid: bigint): void {
    if (counterOf(zxid) === 0n && zxid >> 32n === this.#epoch && !learner.isUpToDate) learner.sendUpToDate()
  }

  answered(): void {}

  touched(_learner: LearnerHandler, sessionId: bigint, timeoutMs: number): void {
    if (this.#touched.size < maxTouched) this.#touched.set(sessionId, timeoutMs)
  }

  revalidateFor(learner: LearnerHandler, sessionId: bigint, timeoutMs: number): void {
    this.#upstream.askLeaderFor(sessionId, timeoutMs, isAlive => learner.revalidated(sessionId, isAlive))
  }

  syncFor(learner: LearnerHandler, request: ForwardedRequest): void {
    this.#upstream.syncWithLeader(request, () => learner.synced())
  }

  submitFor(_learner: LearnerHandler, request: ForwardedRequest): void {
    this.#upstream.forward(request)
  }

  /** An observer is told only of what is committed. */
  underWay(): [] {
    return []
  }
}

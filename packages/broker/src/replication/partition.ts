import { errorCode } from '@vivarium/kafka-protocol'
import type { PartitionLog } from '@vivarium/log-storage'
import { type FollowerProgress, highWatermarkAfter, laggards, noteFetch } from './replica-progress.ts'

/** What the controller said of a partition. */
export interface PartitionState {
  leader: number
  leaderEpoch: number
  isr: readonly number[]
  partitionEpoch: number
  replicas: readonly number[]
}

export interface PartitionOptions {
  brokerId: number
  topic: string
  partition: number
  lagLimitMs: number
  minIsr: () => number
  isAlive: (broker: number) => boolean
}

/**
 * A replica of a partition on this broker: its role, its in-sync replicas and high watermark. Decides; time is an argument
 * and results are told to `onChange` listeners.
 */
export class Partition {
  readonly topic: string
  readonly partition: number
  readonly log: PartitionLog
  readonly #options: PartitionOptions
  #state: PartitionState = { leader: -1, leaderEpoch: -1, isr: [], partitionEpoch: -1, replicas: [] }
  readonly followers = new Map<number, FollowerProgress>()
  /** An ISR that was proposed to the controller and is not settled yet. */
  #proposedIsr: readonly number[] | null = null
  #highWatermark: number
  #epochStartOffset = 0
  /** Told when the high watermark or the end moves, or the role changes: what waits may be ready. */
  readonly #waiting = new Set<() => void>()

  constructor(log: PartitionLog, highWatermark: number, options: PartitionOptions) {
    this.log = log
    this.topic = options.topic
    this.partition = options.partition
    this.#options = options
    this.#highWatermark = Math.max(log.logStartOffset, Math.min(highWatermark, log.logEndOffset))
  }

  get isLeader(): boolean {
    return this.#state.leader === this.#options.brokerId
  }

  get state(): PartitionState {
    return this.#state
  }

  get leaderEpoch(): number {
    return this.#state.leaderEpoch
  }

  /** Consumers see nothing at or above it. */
  get highWatermark(): number {
    return this.#highWatermark
  }

  /** Without open transactions the last stable offset is the high watermark. */
  get lastStableOffset(): number {
    return this.#highWatermark
  }

  get isr(): readonly number[] {
    return this.#state.isr
  }

  /** Whether `isr` is still the proposal under way: no newer word of the controller has come. */
  isProposed(isr: readonly number[]): boolean {
    return this.#proposedIsr === isr
  }

  /** The leader of this epoch is still to learn how far consumers had come. */
  get isHighWatermarkKnown(): boolean {
    return this.#highWatermark >= this.#epochStartOffset || this.#state.replicas.length <= 1
  }

  // ---- roles -----------------------------------------------------------------------------------------------------------

  /** Takes over what the controller says. Gives whether this broker's role or epoch changed. */
  become(state: PartitionState, nowMs: number): 'unchanged' | 'leader' | 'follower' {
    const isNewEpoch = state.leaderEpoch > this.#state.leaderEpoch
    if (!isNewEpoch && state.partitionEpoch <= this.#state.partitionEpoch) return 'unchanged'
    this.#state = state
    this.#proposedIsr = null
    if (!isNewEpoch) {
      this.advance(nowMs)
      return 'unchanged'
    }
    this.followers.clear()
    if (this.isLeader) {
      this.#epochStartOffset = this.log.logEndOffset
      this.log.noteEpoch(state.leaderEpoch, this.log.logEndOffset)
      for (const id of state.replicas) {
        if (id === this.#options.brokerId) continue
        const caughtUpMs = state.isr.includes(id) ? nowMs : Number.NEGATIVE_INFINITY
        this.followers.set(id, {
          logEndOffset: -1,
          logStartOffset: -1,
          caughtUpMs,
          lastFetchMs: nowMs,
          endAtLastFetch: this.log.logEndOffset,
        })
      }
      this.advance(nowMs)
    }
    this.wake()
    return this.isLeader ? 'leader' : 'follower'
  }

  /** The error for a request that names a leader epoch, or 0. −1 names none. */
  checkEpoch(currentLeaderEpoch: number): number {
    if (currentLeaderEpoch === -1 || currentLeaderEpoch === this.leaderEpoch) return errorCode.NONE
    return currentLeaderEpoch < this.leaderEpoch
      ? errorCode.FENCED_LEADER_EPOCH
      : errorCode.UNKNOWN_LEADER_EPOCH
  }

  // ---- the leader's side -----------------------------------------------------------------------------------------------------

  /** A follower asked for `fetchOffset`: it has everything before. Gives whether the ISR should grow by it. */
  followerFetched(id: number, fetchOffset: number, logStartOffset: number, nowMs: number): boolean {
    const progress = this.followers.get(id)
    if (progress === undefined) return false
    const endBefore = progress.logEndOffset
    noteFetch(progress, fetchOffset, logStartOffset, this.log.logEndOffset, nowMs)
    if (fetchOffset !== endBefore) this.advance(nowMs)
    return this.#canJoin(id, progress)
  }

  #canJoin(id: number, progress: FollowerProgress): boolean {
    if (this.#proposedIsr !== null || this.#state.isr.includes(id)) return false
    return progress.logEndOffset >= this.#highWatermark && progress.logEndOffset >= this.#epochStartOffset
  }

  /** Raises the high watermark as far as it may go. */
  advance(nowMs: number): void {
    if (!this.isLeader) return
    const raised = highWatermarkAfter({
      current: this.#highWatermark,
      leaderEnd: this.log.writtenOffset,
      followers: this.followers,
      maximalIsr: new Set([...this.#state.isr, ...(this.#proposedIsr ?? [])]),
      committedIsrSize: this.#state.isr.length,
      minIsr: this.effectiveMinIsr,
      nowMs,
      lagLimitMs: this.#options.lagLimitMs,
      isAlive: this.#options.isAlive,
    })
    if (raised === null) return
    this.#highWatermark = raised
    this.wake()
  }

  get effectiveMinIsr(): number {
    return Math.min(this.#options.minIsr(), Math.max(1, this.#state.replicas.length))
  }

  /** The ISR without those that fell behind, or null if it may stay. */
  shrunkIsr(nowMs: number): number[] | null {
    if (!this.isLeader || this.#proposedIsr !== null) return null
    const gone = laggards(
      this.#state.isr,
      this.followers,
      this.log.logEndOffset,
      nowMs,
      this.#options.lagLimitMs,
    )
    return gone.length === 0 ? null : this.#state.isr.filter(id => !gone.includes(id))
  }

  /** An ISR has been proposed: until it is settled, records must reach the old and the new one. */
  propose(isr: readonly number[]): void {
    this.#proposedIsr = isr
  }

  /** The controller settled the ISR, or (null) refused the proposal. */
  settle(
    accepted: { isr: readonly number[]; partitionEpoch: number; leaderEpoch: number } | null,
    nowMs: number,
  ): void {
    this.#proposedIsr = null
    if (
      accepted !== null &&
      accepted.leaderEpoch === this.leaderEpoch &&
      accepted.partitionEpoch >= this.#state.partitionEpoch
    ) {
      this.#state = { ...this.#state, isr: accepted.isr, partitionEpoch: accepted.partitionEpoch }
    }
    this.advance(nowMs)
  }

  // ---- the follower's side -------------------------------------------------------------------------------------------------------

  /** The leader's high watermark, as far as this log reaches. */
  followHighWatermark(leaderHighWatermark: number): void {
    const before = this.#highWatermark
    this.#highWatermark = Math.max(
      this.log.logStartOffset,
      Math.min(leaderHighWatermark, this.log.logEndOffset),
    )
    if (this.#highWatermark !== before) this.wake()
  }

  // ---- waiting ------------------------------------------------------------------------------------------------------------------------

  /** Calls `listener` whenever something moved; gives the function that ends that. */
  onChange(listener: () => void): () => void {
    this.#waiting.add(listener)
    return () => this.#waiting.delete(listener)
  }

  wake(): void {
    for (const listener of [...this.#waiting]) listener()
  }
}

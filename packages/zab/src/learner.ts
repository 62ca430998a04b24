import { assert, Fifo } from '@vivarium/platform'

/** What a leader tells a learner. */
export type FromLeader =
  | { kind: 'leader-info'; epoch: bigint }
  | { kind: 'diff'; zxid: bigint }
  | { kind: 'trunc'; zxid: bigint }
  /** The database itself follows on the stream; the host reads it as part of `restore`. */
  | { kind: 'snap'; zxid: bigint }
  | { kind: 'proposal'; zxid: bigint; entry: Uint8Array }
  | { kind: 'commit'; zxid: bigint }
  /** A proposal that is committed already: what observers get. */
  | { kind: 'inform'; zxid: bigint; entry: Uint8Array }
  | { kind: 'new-leader'; zxid: bigint }
  | { kind: 'up-to-date' }
  | { kind: 'sync' }

interface Txn {
  readonly zxid: bigint
  readonly entry: Uint8Array
}

/**
 * Work that must be finished, and durable where it says so, before the learner is given anything else. The host carries it
 * out and then calls `completed`.
 */
export type Work =
  | { kind: 'persist-accepted-epoch'; epoch: bigint }
  | { kind: 'truncate'; zxid: bigint }
  | { kind: 'restore'; zxid: bigint }
  /**
   * The history of the leader is complete here. After a restore: apply `committed` and save a snapshot; else append them
   * to the log, apply them and wait until they are durable. Only then write currentEpoch (ZOOKEEPER-4643, -4646, -4785).
   */
  | { kind: 'adopt-history'; committed: readonly Txn[]; afterRestore: boolean; epoch: bigint }

export interface LearnerEffects {
  /** ACKEPOCH. −1: this epoch was accepted before. */
  sendEpochAck(currentEpoch: bigint, lastZxid: bigint): void
  sendAck(zxid: bigint): void
  startServing(zxid: bigint): void
  /** Log it; call `sendAck` once it is durable, in order. */
  append(zxid: bigint, entry: Uint8Array): void
  /** Apply it. */
  commit(zxid: bigint, entry: Uint8Array): void
  syncCompleted(): void
}

/** The leader broke the protocol, or is none of ours any more: leave it. */
export class LearnerError extends Error {
  override name = 'LearnerError'
  /** Apache's exit code where the only safe thing is to start anew from disk. */
  readonly exitCode: number | null

  constructor(message: string, exitCode: number | null = null) {
    super(message)
    this.exitCode = exitCode
  }
}

/** What a learner has on disk when it meets its leader. */
export interface LearnerHistory {
  acceptedEpoch: bigint
  currentEpoch: bigint
  lastZxid: bigint
  /**
   * The log is damaged, or could not be cut where a leader wanted it: only a whole database helps. The learner then speaks as
   * one that has nothing, which makes any leader send one; what is on disk stays until that has arrived, for it may be all a
   * quorum has. It counts for no leader's quorum before: what it has, and that leader may lack, it does not tell.
   */
  needsDatabase?: boolean
}

/**
 * Zab's follower and observer: adopts the leader's epoch and history, then logs and applies what comes. Pure: packets come
 * in one at a time, in order; work that takes time is given out and reported back.
 */
export class Learner {
  readonly #effects: LearnerEffects
  readonly #votes: boolean
  readonly #own: LearnerHistory
  #phase: 'discovery' | 'synchronization' | 'waiting' | 'broadcast' = 'discovery'
  #epoch: bigint | null = null
  #mode: 'diff' | 'trunc' | 'snap' | null = null
  #lastProposed: bigint
  /** Proposed and not committed, oldest first. Before UPTODATE they are not in the log. */
  readonly #pending = new Fifo<Txn>()
  /** Committed before NEWLEADER: part of the history. */
  #committed: Txn[] = []
  /** Commits that came between NEWLEADER and UPTODATE. */
  #earlyCommits: bigint[] = []
  #work: Work | null = null
  #historyZxid = 0n

  constructor(own: LearnerHistory, votes: boolean, effects: LearnerEffects) {
    this.#own = own
    this.#votes = votes
    this.#effects = effects
    this.#lastProposed = own.lastZxid
  }

  get phase(): string {
    return this.#phase === 'waiting' ? 'synchronization' : this.#phase
  }

  get syncMode(): string {
    return this.#mode ?? 'none'
  }

  get epoch(): bigint | null {
    return this.#epoch
  }

  /** Logged and not committed: what a server that loses its leader must keep, since a quorum may have it. */
  get uncommitted(): readonly Txn[] {
    return this.#phase === 'broadcast' ? [...this.#pending] : []
  }

  /** Proposed and not committed, as far as this learner was told. */
  isPending(zxid: bigint): boolean {
    return [...this.#pending].some(txn => txn.zxid === zxid) && !this.#earlyCommits.includes(zxid)
  }

  /** Gives work to be done before the next packet, or null. Throws LearnerError when the leader must be left. */
  received(packet: FromLeader): Work | null {
    assert(this.#work === null, 'one thing at a time')
    this.#work = this.#receive(packet)
    return this.#work
  }

  #receive(packet: FromLeader): Work | null {
    switch (this.#phase) {
      case 'discovery':
        return this.#discover(packet)
      case 'synchronization':
        return this.#synchronize(packet)
      case 'waiting':
        this.#await(packet)
        return null
      case 'broadcast':
        this.#broadcast(packet)
        return null
    }
  }

  /** The work that was given out is done. */
  completed(): void {
    const work = this.#work
    assert(work !== null, 'work was given out')
    this.#work = null
    switch (work.kind) {
      case 'persist-accepted-epoch':
        return this.#effects.sendEpochAck(this.#claimedEpoch, this.#claimedZxid)
      case 'truncate':
      case 'restore':
        this.#lastProposed = work.zxid
        return
      case 'adopt-history':
        this.#committed = []
        this.#phase = 'waiting'
        return this.#effects.sendAck(work.epoch << 32n)
    }
  }

  #discover(packet: FromLeader): Work | null {
    if (packet.kind !== 'leader-info')
      throw new LearnerError(`First packet should be LEADERINFO, got ${packet.kind}`)
    const { acceptedEpoch } = this.#own
    if (packet.epoch < acceptedEpoch) {
      throw new LearnerError(`Leaders epoch, ${packet.epoch} is less than accepted epoch, ${acceptedEpoch}`)
    }
    this.#epoch = packet.epoch
    this.#phase = 'synchronization'
    if (packet.epoch > acceptedEpoch) return { kind: 'persist-accepted-epoch', epoch: packet.epoch }
    this.#effects.sendEpochAck(-1n, this.#claimedZxid)
    return null
  }

  /** −1 makes a leader not count it. */
  get #claimedEpoch(): bigint {
    return this.#own.needsDatabase ? -1n : this.#own.currentEpoch
  }

  get #claimedZxid(): bigint {
    return this.#own.needsDatabase ? 0n : this.#own.lastZxid
  }

  #synchronize(packet: FromLeader): Work | null {
    if (this.#mode === null) return this.#beginSync(packet)
    switch (packet.kind) {
      case 'proposal':
        this.#checkOrder(packet.zxid)
        this.#pending.push(packet)
        return null
      case 'commit':
        this.#committed.push(this.#takePending(packet.zxid))
        return null
      case 'inform':
        this.#checkOrder(packet.zxid)
        this.#committed.push(packet)
        return null
      case 'new-leader': {
        const epoch = packet.zxid >> 32n
        if (epoch !== this.#epoch)
          throw new LearnerError(`NEWLEADER of epoch ${epoch} from the leader of epoch ${this.#epoch}`)
        this.#historyZxid = packet.zxid
        return {
          kind: 'adopt-history',
          committed: this.#committed,
          afterRestore: this.#mode === 'snap',
          epoch,
        }
      }
      default:
        throw new LearnerError(`Got unexpected packet ${packet.kind} during synchronization`)
    }
  }

  #beginSync(packet: FromLeader): Work | null {
    if (this.#own.needsDatabase && packet.kind !== 'snap')
      throw new LearnerError(`The leader sent ${packet.kind} to a learner that needs a whole database`)
    switch (packet.kind) {
      case 'diff':
        this.#mode = 'diff'
        return null
      case 'trunc':
        this.#mode = 'trunc'
        return { kind: 'truncate', zxid: packet.zxid }
      case 'snap':
        this.#mode = 'snap'
        return { kind: 'restore', zxid: packet.zxid }
      default:
        throw new LearnerError(
          `Got unexpected packet from leader: ${packet.kind}, expected DIFF, TRUNC or SNAP`,
        )
    }
  }

  /** Between NEWLEADER and UPTODATE: what comes is kept. */
  #await(packet: FromLeader): void {
    switch (packet.kind) {
      case 'proposal':
        this.#checkOrder(packet.zxid)
        this.#pending.push(packet)
        return
      case 'commit':
        this.#earlyCommits.push(packet.zxid)
        return
      case 'inform':
        this.#checkOrder(packet.zxid)
        this.#pending.push(packet)
        this.#earlyCommits.push(packet.zxid)
        return
      case 'up-to-date': {
        this.#phase = 'broadcast'
        this.#effects.sendAck(this.#historyZxid)
        this.#effects.startServing(this.#historyZxid)
        for (const { zxid, entry } of this.uncommitted) this.#effects.append(zxid, entry)
        const commits = this.#earlyCommits
        this.#earlyCommits = []
        for (const zxid of commits) this.#commit(zxid)
        return
      }
      default:
        throw new LearnerError(`Got unexpected packet ${packet.kind} before UPTODATE`)
    }
  }

  #broadcast(packet: FromLeader): void {
    switch (packet.kind) {
      case 'proposal':
        this.#checkOrder(packet.zxid)
        this.#pending.push(packet)
        return this.#effects.append(packet.zxid, packet.entry)
      case 'commit':
        return this.#commit(packet.zxid)
      case 'inform':
        this.#checkOrder(packet.zxid)
        this.#effects.append(packet.zxid, packet.entry)
        return this.#effects.commit(packet.zxid, packet.entry)
      case 'sync':
        return this.#effects.syncCompleted()
      case 'up-to-date':
        return
      default:
        throw new LearnerError(
          `Got unexpected packet ${packet.kind} while ${this.#votes ? 'following' : 'observing'}`,
        )
    }
  }

  #commit(zxid: bigint): void {
    const { entry } = this.#takePending(zxid)
    this.#effects.commit(zxid, entry)
  }

  #takePending(zxid: bigint): Txn {
    const oldest = this.#pending.peek()
    if (oldest === undefined || oldest.zxid !== zxid) {
      const expected =
        oldest === undefined ? 'nothing is pending' : `next pending is 0x${oldest.zxid.toString(16)}`
      throw new LearnerError(`Committing zxid 0x${zxid.toString(16)} but ${expected}`, 12)
    }
    this.#pending.shift()
    return oldest
  }

  /** The next counter of the same epoch, or a newer epoch. */
  #checkOrder(zxid: bigint): void {
    const isNext = zxid === this.#lastProposed + 1n || zxid >> 32n > this.#lastProposed >> 32n
    if (!isNext)
      throw new LearnerError(
        `Got zxid 0x${zxid.toString(16)} expected 0x${(this.#lastProposed + 1n).toString(16)}`,
      )
    this.#lastProposed = zxid
  }
}

import { joint, type QuorumRule, type Sid } from './quorum.ts'

export const peerState = { LOOKING: 0, FOLLOWING: 1, LEADING: 2, OBSERVING: 3 } as const
export type PeerState = (typeof peerState)[keyof typeof peerState]

/** Whom a server would follow, and why: the one with the newest history. */
export interface Vote {
  readonly leader: Sid
  /** Last transaction of the proposed leader. */
  readonly zxid: bigint
  /** The epoch that server last took part in. */
  readonly peerEpoch: bigint
  /** The round of election this vote was cast in. */
  readonly round: bigint
}

/** A vote as it travels. Source: FastLeaderElection.Notification. */
export interface Notification extends Vote {
  readonly sender: Sid
  readonly state: PeerState
  /** Format of the message it came in; 0 for servers so old that they did not say. */
  readonly version: number
}

/** Who elects. */
export interface Electorate {
  current: QuorumRule
  /** A configuration that was proposed and may have been committed: its quorum must agree as well. */
  next: QuorumRule | null
  /** Whether this server has no say, though it may be a voter: it only learns whom the others follow. */
  isObserver: boolean
}

export interface ElectionOptions extends Electorate {
  myId: Sid
  minNotificationMs: number
  maxNotificationMs: number
  /** How long a winner waits for a better candidate to show up. */
  finalizeMs: number
}

/** What an election asks of the world. */
export interface ElectionEffects {
  send(to: Sid, vote: Vote, state: PeerState): void
  /** Nobody answers: connections may be gone without notice. */
  reconnect(): void
  decided(vote: Vote, state: PeerState): void
  /**
   * This server was elected without waiting for a voter that nobody reached, and that one has come up as the better
   * candidate: the others may be following it. Whoever has no followers yet should elect again.
   */
  outdone(): void
}

const none = -(2n ** 63n)

/**
 * Fast leader election: servers tell each other whom they would follow until a quorum agrees. Pure: notifications and time
 * come in, notifications and the decision go out.
 *
 * Source: FastLeaderElection of ZooKeeper 3.9, whose servers may take part.
 */
export class Election {
  readonly #options: Omit<ElectionOptions, keyof Electorate>
  readonly #effects: ElectionEffects
  #electorate: Electorate
  #rule: QuorumRule
  #state: PeerState = peerState.LOOKING
  /** Whom this server follows, or would. */
  #vote: Vote
  #initial: { zxid: bigint; peerEpoch: bigint } = { zxid: 0n, peerEpoch: 0n }
  #round = 0n
  readonly #votes = new Map<Sid, Notification>()
  /** Votes of servers that follow or lead already. */
  readonly #settled = new Map<Sid, Notification>()
  /** Voters whose addresses refuse connections: nobody is there to be waited for. */
  readonly #absent = new Set<Sid>()
  /** The voters among them that the last decision did not wait for, until the epoch is established. */
  #passedOver: ReadonlySet<Sid> = new Set()
  /** Servers outside the configuration that were answered a moment ago, and when. */
  readonly #strangers = new Map<Sid, number>()
  #notificationMs: number
  #resendAtMs = Number.POSITIVE_INFINITY
  #finalizeAtMs = Number.POSITIVE_INFINITY

  constructor(options: ElectionOptions, effects: ElectionEffects) {
    this.#options = options
    this.#effects = effects
    this.#electorate = options
    this.#rule = ruleOf(options)
    this.#notificationMs = options.minNotificationMs
    this.#vote = { leader: options.myId, zxid: 0n, peerEpoch: 0n, round: 0n }
  }

  get state(): PeerState {
    return this.#state
  }

  get vote(): Vote {
    return this.#vote
  }

  /** When `elapse` has something to do next; Infinity if nothing. */
  get nextDeadlineMs(): number {
    return Math.min(this.#resendAtMs, this.#finalizeAtMs)
  }

  /** Begins a new round, standing for oneself with this history. */
  start(history: { lastZxid: bigint; peerEpoch: bigint }, nowMs: number): void {
    this.#state = peerState.LOOKING
    this.#passedOver = new Set()
    this.#round++
    this.#votes.clear()
    this.#settled.clear()
    this.#initial = { zxid: history.lastZxid, peerEpoch: history.peerEpoch }
    this.#vote = this.#ownCandidacy()
    this.#notificationMs = this.#options.minNotificationMs
    this.#announce()
    this.#waitForVotes(nowMs)
    this.#countOwn()
    this.#tally(nowMs)
  }

  /** Other servers elect from now on. While this server is looking, `start` must follow. */
  reconfigure(electorate: Electorate): void {
    this.#electorate = electorate
    this.#rule = ruleOf(electorate)
  }

  /** A reconfiguration named the leader: there is nothing to elect. */
  appoint(leader: Sid, history: { lastZxid: bigint; peerEpoch: bigint }): void {
    this.#vote = { leader, zxid: history.lastZxid, peerEpoch: history.peerEpoch, round: this.#round }
    this.#settle()
  }

  /** The epoch that the new leader established; what later joiners are told. */
  epochEstablished(peerEpoch: bigint): void {
    this.#passedOver = new Set()
    this.#vote = { ...this.#vote, peerEpoch }
  }

  /** Whether somebody is at a voter's address, as the last attempt to connect showed. */
  reachable(sid: Sid, isReachable: boolean, nowMs: number): void {
    if (isReachable) this.#absent.delete(sid)
    else this.#absent.add(sid)
    if (this.#state === peerState.LOOKING && !isReachable) this.#tally(nowMs)
  }

  elapse(nowMs: number): void {
    if (this.#state !== peerState.LOOKING) return
    if (nowMs >= this.#finalizeAtMs) return this.#decide()
    if (nowMs < this.#resendAtMs) return
    this.#effects.reconnect()
    this.#announce()
    this.#notificationMs = Math.min(this.#notificationMs * 2, this.#options.maxNotificationMs)
    this.#waitForVotes(nowMs)
  }

  received(n: Notification, nowMs: number): void {
    const { voters } = this.#rule
    if (!voters.has(n.sender)) return this.#answerStranger(n.sender, nowMs)
    // Others may still stand for this server, that has no say by now.
    if (n.leader === this.#options.myId && !this.#hasSay) return
    if (this.#state !== peerState.LOOKING) {
      if (n.state === peerState.LOOKING) this.#heardCandidacyLate(n)
      return
    }
    if (n.state === peerState.LOOKING) {
      this.#settled.delete(n.sender)
      this.#receivedCandidacy(n, nowMs)
    } else if (n.state === peerState.FOLLOWING || n.state === peerState.LEADING) this.#receivedSettled(n)
  }

  #heardCandidacyLate(n: Notification): void {
    this.#answer(n.sender)
    const isLeading = this.#state === peerState.LEADING
    if (isLeading && this.#passedOver.has(n.sender) && this.#isBetter(n, this.#vote)) this.#effects.outdone()
  }

  #receivedCandidacy(n: Notification, nowMs: number): void {
    const { voters } = this.#rule
    if (n.round < this.#round) {
      // An observer's word changes nothing, and two servers that answer each other would never stop.
      if (this.#hasSay) this.#answer(n.sender)
      else if (n.leader !== none) this.#askAgainSoon(nowMs)
      return
    }
    if (!voters.has(n.leader) || n.zxid === -1n) return
    if (n.round > this.#round) {
      this.#round = n.round
      this.#votes.clear()
      const own = this.#ownCandidacy()
      this.#vote = asVote(this.#isBetter(n, own) ? n : own, this.#round)
      this.#finalizeAtMs = Number.POSITIVE_INFINITY
      this.#announce()
      this.#countOwn()
    } else if (this.#isBetter(n, this.#vote)) {
      this.#vote = asVote(n, this.#round)
      this.#finalizeAtMs = Number.POSITIVE_INFINITY
      this.#announce()
      this.#countOwn()
    } else if (this.#isBetter(this.#vote, n)) {
      // It may have been following still when this vote was announced, and would not hear of it before the next time.
      this.#answer(n.sender)
    }
    this.#count(n, nowMs)
  }

  #count(n: Notification, nowMs: number): void {
    this.#votes.set(n.sender, n)
    this.#tally(nowMs)
  }

  #countOwn(): void {
    if (this.#hasSay) this.#votes.set(this.#options.myId, this.#ownNotification())
  }

  /** Whether its votes count: among the present voters or, with a reconfiguration under way, the next ones. */
  get #hasSay(): boolean {
    return !this.#electorate.isObserver && this.#rule.voters.has(this.#options.myId)
  }

  #tally(nowMs: number): void {
    const rule = this.#rule
    const supporters = this.#supportersOf(this.#votes, this.#ownNotification())
    if (!rule.isQuorum(supporters)) {
      this.#finalizeAtMs = Number.POSITIVE_INFINITY
      return
    }
    // When every voter that is there agrees, there is no better candidate left to wait for.
    const undecided = rule.voters.difference(new Set(supporters))
    if (undecided.isSubsetOf(this.#absent)) {
      this.#passedOver = undecided
      this.#decide()
    } else if (this.#finalizeAtMs === Number.POSITIVE_INFINITY)
      this.#finalizeAtMs = nowMs + this.#options.finalizeMs
  }

  /**
   * A server that follows or leads: is there an established leader to join? That one needs its own quorum, so that a joiner
   * with a reconfiguration which came to nothing need not wait for the servers it names.
   */
  #receivedSettled(n: Notification): void {
    if (n.round === this.#round) {
      this.#votes.set(n.sender, n)
      if (
        this.#electorate.current.isQuorum(this.#supportersOf(this.#votes, n)) &&
        this.#isLeaderAlive(this.#votes, n)
      )
        return this.#join(n)
    }
    this.#settled.set(n.sender, n)
    if (
      this.#electorate.current.isQuorum(this.#supportersOf(this.#settled, n)) &&
      this.#isLeaderAlive(this.#settled, n)
    ) {
      this.#round = n.round
      this.#join(n)
    }
  }

  /** A vote for another counts only once that other says itself that it leads. */
  #isLeaderAlive(votes: ReadonlyMap<Sid, Notification>, n: Notification): boolean {
    if (n.leader === this.#options.myId) return n.round === this.#round
    return votes.get(n.leader)?.state === peerState.LEADING
  }

  #supportersOf(votes: ReadonlyMap<Sid, Notification>, n: Notification): Sid[] {
    const supporters: Sid[] = []
    for (const [sid, other] of votes) if (isSameVote(other, n)) supporters.push(sid)
    return supporters
  }

  #join(n: Notification): void {
    this.#vote = asVote(n, n.round)
    this.#decide()
  }

  #decide(): void {
    this.#settle()
    this.#effects.decided(this.#vote, this.#state)
  }

  #settle(): void {
    this.#resendAtMs = Number.POSITIVE_INFINITY
    this.#finalizeAtMs = Number.POSITIVE_INFINITY
    if (this.#vote.leader === this.#options.myId) this.#state = peerState.LEADING
    else this.#state = this.#electorate.isObserver ? peerState.OBSERVING : peerState.FOLLOWING
  }

  #isBetter(n: Vote, current: Vote): boolean {
    if (this.#rule.weightOf(n.leader) === 0) return false
    if (n.peerEpoch !== current.peerEpoch) return n.peerEpoch > current.peerEpoch
    if (n.zxid !== current.zxid) return n.zxid > current.zxid
    return n.leader > current.leader
  }

  /** Who is no voter yet, or has no say, stands for nobody. */
  #ownCandidacy(): Vote {
    const { myId } = this.#options
    const mayStand = this.#hasSay && this.#electorate.current.voters.has(myId)
    if (!mayStand) return { leader: none, zxid: none, peerEpoch: none, round: this.#round }
    return { leader: myId, zxid: this.#initial.zxid, peerEpoch: this.#initial.peerEpoch, round: this.#round }
  }

  /** What others are told: while it looks for a leader, the word of who has no say must not be counted as a vote. */
  get #spokenVote(): Vote {
    return this.#hasSay || this.#state !== peerState.LOOKING ? this.#vote : this.#ownCandidacy()
  }

  #ownNotification(): Notification {
    return { ...this.#vote, sender: this.#options.myId, state: this.#state, version: 2 }
  }

  #announce(): void {
    for (const sid of this.#rule.voters) {
      if (sid !== this.#options.myId) this.#effects.send(sid, this.#spokenVote, this.#state)
    }
  }

  #answer(to: Sid): void {
    this.#effects.send(to, this.#spokenVote, this.#state)
  }

  /** Two servers whose configurations lack each other would answer each other for ever. */
  #answerStranger(to: Sid, nowMs: number): void {
    const { minNotificationMs } = this.#options
    for (const [sid, atMs] of this.#strangers)
      if (nowMs - atMs >= minNotificationMs) this.#strangers.delete(sid)
    if (this.#strangers.has(to)) return
    this.#strangers.set(to, nowMs)
    this.#answer(to)
  }

  #waitForVotes(nowMs: number): void {
    this.#resendAtMs = nowMs + this.#notificationMs
  }

  /** Voters elect whose word does not count here: whom they elect they tell only if they are asked. */
  #askAgainSoon(nowMs: number): void {
    this.#notificationMs = this.#options.minNotificationMs
    this.#resendAtMs = Math.min(this.#resendAtMs, nowMs + this.#notificationMs)
  }
}

function ruleOf({ current, next }: Electorate): QuorumRule {
  return next === null ? current : joint(current, next)
}

function asVote(vote: Vote, round: bigint): Vote {
  return { leader: vote.leader, zxid: vote.zxid, peerEpoch: vote.peerEpoch, round }
}

/** Servers that follow or lead may have learnt the epoch since; rounds differ between those who joined late. */
function isSameVote(a: Notification, b: Notification): boolean {
  if (a.leader !== b.leader) return false
  if (a.state === peerState.LOOKING || b.state === peerState.LOOKING) {
    return a.zxid === b.zxid && a.round === b.round && a.peerEpoch === b.peerEpoch
  }
  if ((a.version === 0) !== (b.version === 0)) return true
  return a.peerEpoch === b.peerEpoch
}

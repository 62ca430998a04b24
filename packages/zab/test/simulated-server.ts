import assert from 'node:assert/strict'
import {
  continuePlan,
  Election,
  Leader,
  Learner,
  LearnerError,
  type Notification,
  type PeerState,
  peerState,
  planSync,
  type Sid,
  type Vote,
  type Work,
} from '../src/index.ts'
import type { Cluster } from './simulated-cluster.ts'
import { Link, type ToLeader, type Txn } from './simulated-link.ts'

const tickMs = 500
const initMs = 5_000
const syncMs = 2_000

interface Handler {
  link: Link
  isForwarding: boolean
  isUpToDate: boolean
}

/** One server: a process that can die, and a disk that loses what was not synced. Carries out what the cores ask. */
export class Server {
  readonly cluster: Cluster
  readonly sid: Sid
  /** Changes when the process dies: what was begun before must not be finished. */
  #life = 0
  isUp = false
  /** Changes with every role. */
  #term = 0
  // On disk.
  #disk = { log: [] as Txn[], accepted: 0n, current: 0n }
  // In memory.
  log: Txn[] = []
  #durableCount = 0
  #waiting: { count: number; onDurable: () => void }[] = []
  #appliedCount = 0
  #floor = 0n
  #election!: Election
  #leader: Leader | null = null
  #isServing = false
  readonly #handlers = new Map<Sid, Handler>()
  #learner: Learner | null = null
  #link: Link | null = null
  #inbox: Parameters<Link['toLearner']>[0][] = []
  #heardMs = 0
  #incoming: { log: readonly Txn[]; zxid: bigint } | null = null
  #needsDatabase = false
  #seenEpoch = 0n

  constructor(cluster: Cluster, sid: Sid) {
    this.cluster = cluster
    this.sid = sid
  }

  get isObserver(): boolean {
    return !this.cluster.rule.voters.has(this.sid)
  }

  get isServingAsLeader(): boolean {
    return this.isUp && this.#isServing && this.#leader !== null
  }

  get isServing(): boolean {
    return this.isUp && this.#isServing
  }

  get lastLogged(): bigint {
    const last = this.log.at(-1)?.zxid ?? 0n
    return last > this.#floor ? last : this.#floor
  }

  get lastProcessed(): bigint {
    const last = this.log[this.#appliedCount - 1]?.zxid ?? 0n
    return last > this.#floor ? last : this.#floor
  }

  /** Runs a task later unless the process has died (or, if asked, the role has ended) meanwhile. */
  #later(delayMs: number, task: () => void, ofThisTerm = false): void {
    const life = this.#life
    const term = this.#term
    this.cluster.time.after(delayMs, () => {
      if (life === this.#life && this.isUp && (!ofThisTerm || term === this.#term)) task()
    })
  }

  // ---- process and disk -----------------------------------------------------------------------------------------------------

  boot(): void {
    this.isUp = true
    this.log = [...this.#disk.log]
    this.#durableCount = this.log.length
    this.#appliedCount = this.log.length
    this.#floor = 0n
    const epochOfData = this.lastLogged >> 32n
    if (this.#disk.current < epochOfData) {
      assert.ok(this.#disk.accepted >= epochOfData, 'history of an epoch that was never accepted')
      this.#disk.current = epochOfData
    }
    this.#election = new Election(
      {
        myId: this.sid,
        current: this.cluster.rule,
        next: null,
        isObserver: this.isObserver,
        minNotificationMs: 200,
        maxNotificationMs: 1_000,
        finalizeMs: 200,
      },
      {
        send: (to, vote, state) => this.#notify(to, vote, state),
        reconnect: () => {},
        decided: (vote, state) => this.#later(0, () => this.#begin(vote.leader, state), true),
        outdone: () => {
          if (this.#leader?.phase === 'discovery') this.#later(0, () => this.#over(), true)
        },
      },
    )
    this.#look()
  }

  /** kill -9 and power loss: of what was not durable, some beginning may have reached the disk. */
  crash(): void {
    if (!this.isUp) return
    this.isUp = false
    this.#life++
    const lost = this.log.length - this.#durableCount
    if (this.#incoming === null && !this.#isRestoring && lost > 0)
      this.#disk.log = this.log.slice(0, this.#durableCount + this.cluster.chance.below(lost + 1))
    this.#isRestoring = false
    this.#leaveRole()
    this.breakLinks(() => true)
    this.#waiting = []
  }

  #isRestoring = false

  #append(txn: Txn, onDurable: () => void): void {
    assert.ok(txn.zxid > (this.log.at(-1)?.zxid ?? 0n), 'a log only grows')
    this.log.push({ zxid: txn.zxid, entry: txn.entry })
    this.#waiting.push({ count: this.log.length, onDurable })
    if (this.#waiting.length === 1) this.#later(1 + this.cluster.chance.below(15), () => this.#synced())
  }

  #synced(): void {
    const batch = this.#waiting
    this.#waiting = []
    this.#durableCount = this.log.length
    this.#disk.log = [...this.log]
    for (const { onDurable } of batch) onDurable()
  }

  breakLinks(which: (peer: Sid) => boolean): void {
    if (this.#link !== null && which(this.#link.leader.sid)) this.#link.break()
    for (const [peer, { link }] of this.#handlers) if (which(peer)) link.break()
  }

  // ---- election -------------------------------------------------------------------------------------------------------------

  #look(): void {
    this.#term++
    // As the host: never vote with memory ahead of disk.
    if (this.#waiting.length > 0) return this.#later(5, () => this.#look(), true)
    this.#appliedCount = this.log.length
    this.#election.start(
      { lastZxid: this.lastLogged, peerEpoch: this.#disk.current },
      this.cluster.time.nowMs,
    )
    this.#tickElection()
  }

  #tickElection(): void {
    const deadlineMs = this.#election.nextDeadlineMs
    if (this.#election.state !== peerState.LOOKING) return
    const delayMs = Math.min(50, Math.max(1, deadlineMs - this.cluster.time.nowMs))
    this.#later(
      delayMs,
      () => {
        this.#election.elapse(this.cluster.time.nowMs)
        this.#tickElection()
      },
      true,
    )
  }

  #notify(to: Sid, vote: Vote, state: PeerState): void {
    const { cluster, sid } = this
    const message: Notification = { ...vote, sender: sid, state, version: 2 }
    cluster.time.after(1 + cluster.chance.below(20), () => {
      const receiver = cluster.servers.get(to)!
      const isThere = receiver.isUp && cluster.areConnected(sid, to)
      if (isThere) receiver.#election.received(message, cluster.time.nowMs)
      this.#election.reachable(to, isThere, cluster.time.nowMs)
    })
  }

  #begin(leader: Sid, state: PeerState): void {
    if (state === peerState.LEADING) this.#lead()
    else this.#follow(this.cluster.servers.get(leader)!)
  }

  #leaveRole(): void {
    this.#term++
    this.#leader?.stop()
    this.#leader = null
    this.#learner = null
    this.#isServing = false
    for (const { link } of this.#handlers.values()) link.break()
    this.#handlers.clear()
    this.#link?.break()
    this.#link = null
    this.#inbox = []
    if (this.#incoming !== null || this.#isRestoring) {
      // The database in memory is torn: load what is on disk.
      this.#incoming = null
      this.#isRestoring = false
      this.log = [...this.#disk.log]
      this.#durableCount = this.log.length
      this.#floor = 0n
    }
  }

  #over(): void {
    this.#leaveRole()
    this.#look()
  }

  // ---- leading --------------------------------------------------------------------------------------------------------------

  #lead(): void {
    const { cluster, sid } = this
    const own = {
      acceptedEpoch: this.#disk.accepted,
      currentEpoch: this.#disk.current,
      lastZxid: this.lastLogged,
      seenEpoch: this.#seenEpoch,
    }
    let leader: Leader | null = null
    const diskMs = () => 1 + cluster.chance.below(10)
    this.#leader = leader = new Leader(sid, cluster.rule, own, {
      persistAcceptedEpoch: epoch =>
        this.#later(
          diskMs(),
          () => {
            this.#disk.accepted = epoch
            leader!.acceptedEpochDurable()
          },
          true,
        ),
      persistCurrentEpoch: epoch =>
        this.#later(
          diskMs(),
          () => {
            this.#disk.current = epoch
            leader!.currentEpochDurable()
          },
          true,
        ),
      sendLeaderInfo: (to, epoch) => this.#handlers.get(to)?.link.toLearner({ kind: 'leader-info', epoch }),
      synchronize: (to, zxid) => this.#synchronize(to, zxid),
      startServing: zxid => {
        cluster.established(sid, zxid >> 32n)
        // Its whole history is committed now: a quorum has it.
        this.#commitAll()
        this.#floor = zxid
        this.#isServing = true
        this.#election.epochEstablished(zxid >> 32n)
      },
      sendUpToDate: to => {
        const handler = this.#handlers.get(to)
        if (handler === undefined) return
        handler.isUpToDate = true
        handler.link.toLearner({ kind: 'up-to-date' })
      },
      propose: (zxid, entry) => {
        for (const [to, handler] of this.#handlers)
          if (handler.isForwarding && cluster.rule.voters.has(to))
            handler.link.toLearner({ kind: 'proposal', zxid, entry })
        this.#append({ zxid, entry }, () => leader!.ack(sid, zxid, cluster.time.nowMs))
      },
      commit: (zxid, entry) => {
        for (const [to, handler] of this.#handlers) {
          if (!handler.isForwarding) continue
          handler.link.toLearner(
            cluster.rule.voters.has(to) ? { kind: 'commit', zxid } : { kind: 'inform', zxid, entry },
          )
        }
        this.#commit(zxid)
        cluster.acknowledgedCount = Math.max(cluster.acknowledgedCount, this.#appliedCount)
      },
      confirm: () => this.#ping(),
      refuse: to => this.#handlers.get(to)?.link.break(),
      giveUp: () => this.#later(0, () => this.#over(), true),
    })
    this.#later(initMs, () => leader!.initTimedOut(), true)
    this.#tickLeader()
  }

  #tickLeader(): void {
    this.#later(
      tickMs,
      () => {
        this.#ping()
        this.#leader!.checkQuorum(this.cluster.time.nowMs, syncMs)
        if (this.#leader?.phase !== 'over') this.#tickLeader()
      },
      true,
    )
  }

  #ping(): void {
    const { round } = this.#leader!
    for (const { link, isUpToDate } of this.#handlers.values())
      if (isUpToDate) link.toLearner({ kind: 'ping', round })
  }

  /** A client's sync: when it is answered, everything acknowledged before it was asked for is here. */
  sync(): void {
    const asked = this.cluster.acknowledgedCount
    this.#leader!.afterOutstanding(() => {
      this.cluster.syncCount++
      assert.ok(this.#appliedCount >= asked, 'a deposed leader answers no sync')
    })
  }

  propose(entry: Uint8Array): void {
    this.#leader!.propose(this.#leader!.lastProposed + 1n, entry)
  }

  #synchronize(to: Sid, peerLastZxid: bigint): void {
    const handler = this.#handlers.get(to)
    if (handler === undefined) return
    const { chance } = this.cluster
    const committed = this.log.slice(0, this.#appliedCount)
    const memory = committed.slice(-chance.below(12))
    let plan = planSync(
      peerLastZxid,
      memory.length === 12 ? [] : memory,
      this.lastProcessed,
      chance.happens(0.5),
    )
    if (plan.mode === 'read-log') {
      const start = committed.findIndex(txn => txn.zxid === peerLastZxid)
      plan = continuePlan(peerLastZxid, start === -1 ? null : committed.slice(start))
    }
    this.cluster.syncModes.add(plan.mode)
    const { link } = handler
    if (plan.mode === 'snap') {
      link.toLearner({ kind: 'database', log: committed, zxid: this.lastProcessed })
      link.toLearner({ kind: 'snap', zxid: this.lastProcessed })
    } else if (plan.mode !== 'read-log') {
      link.toLearner({ kind: plan.mode, zxid: plan.zxid })
      for (const { zxid, entry } of plan.txns) {
        link.toLearner({ kind: 'proposal', zxid, entry })
        link.toLearner({ kind: 'commit', zxid })
      }
    }
    link.toLearner({ kind: 'new-leader', zxid: this.#leader!.epoch! << 32n })
    if (this.cluster.rule.voters.has(to))
      for (const { zxid, entry } of this.#leader!.outstanding())
        link.toLearner({ kind: 'proposal', zxid, entry })
    handler.isForwarding = true
  }

  fromLearner(link: Link, packet: ToLeader): void {
    const leader = this.#leader
    const from = link.learner.sid
    const { nowMs } = this.cluster.time
    if (leader === null) return link.break()
    if (packet.kind === 'info') {
      this.#handlers.get(from)?.link.break()
      if (this.#handlers.has(from)) leader.learnerGone(from)
      this.#handlers.set(from, { link, isForwarding: false, isUpToDate: false })
      if (packet.acceptedEpoch > this.#seenEpoch) this.#seenEpoch = packet.acceptedEpoch
      return leader.learnerInfo(from, packet.acceptedEpoch, nowMs)
    }
    if (this.#handlers.get(from)?.link !== link) return
    if (packet.kind === 'ack-epoch') leader.ackEpoch(from, packet.currentEpoch, packet.lastZxid, nowMs)
    else if (packet.kind === 'ack') leader.ack(from, packet.zxid, nowMs)
    else leader.confirmed(from, packet.round, nowMs)
  }

  // ---- following -------------------------------------------------------------------------------------------------------------

  #follow(leader: Server, tries = 0): void {
    if (!leader.isUp || leader.#leader === null || !this.cluster.areConnected(this.sid, leader.sid)) {
      if (tries >= 5) return this.#over()
      return this.#later(100, () => this.#follow(leader, tries + 1), true)
    }
    const link = new Link(this, leader)
    this.#link = link
    this.#heardMs = this.cluster.time.nowMs
    const { cluster } = this
    const own = {
      acceptedEpoch: this.#disk.accepted,
      currentEpoch: this.#disk.current,
      lastZxid: this.lastLogged,
      needsDatabase: this.#needsDatabase,
    }
    const learner = new Learner(own, !this.isObserver, {
      sendEpochAck: (currentEpoch, lastZxid) => link.toLeader({ kind: 'ack-epoch', currentEpoch, lastZxid }),
      sendAck: zxid => link.toLeader({ kind: 'ack', zxid }),
      startServing: zxid => {
        // A quorum has the history that was adopted.
        this.#commitAll()
        this.#floor = zxid
        this.#isServing = true
        this.#election.epochEstablished(zxid >> 32n)
      },
      append: (zxid, entry) =>
        this.#append({ zxid, entry }, () => {
          if (!this.isObserver) link.toLeader({ kind: 'ack', zxid })
        }),
      commit: zxid => this.#commit(zxid),
      syncCompleted: () => {},
    })
    this.#learner = learner
    link.toLeader({ kind: 'info', acceptedEpoch: this.#disk.accepted })
    const watch = () => {
      if (cluster.time.nowMs - this.#heardMs > initMs) this.#over()
      else this.#later(tickMs, watch, true)
    }
    this.#later(tickMs, watch, true)
  }

  fromLeader(link: Link, packet: Parameters<Link['toLearner']>[0]): void {
    if (this.#link !== link) return
    this.#heardMs = this.cluster.time.nowMs
    this.#inbox.push(packet)
    if (this.#inbox.length === 1) this.#pump()
  }

  #pump(): void {
    while (this.#inbox.length > 0 && this.#learner !== null) {
      const packet = this.#inbox[0]!
      if (packet.kind === 'ping') {
        this.#link!.toLeader({ kind: 'pong', round: packet.round })
      } else if (packet.kind === 'database') {
        this.#incoming = packet
      } else {
        let work: Work | null
        try {
          work = this.#learner.received(packet)
        } catch (error) {
          if (!(error instanceof LearnerError)) throw error
          assert.equal(error.exitCode, null, error.message)
          return this.#over()
        }
        if (work !== null) return this.#carryOut(work)
      }
      this.#inbox.shift()
    }
  }

  /** The first packet stays in the inbox until its work is done. */
  #carryOut(work: Work): void {
    const { chance } = this.cluster
    const learner = this.#learner!
    const done = () => {
      learner.completed()
      this.#inbox.shift()
      this.#pump()
    }
    switch (work.kind) {
      case 'persist-accepted-epoch':
        return this.#later(
          1 + chance.below(10),
          () => {
            this.#disk.accepted = work.epoch
            done()
          },
          true,
        )
      case 'truncate':
        return this.#truncate(work.zxid, done)
      case 'restore':
        this.log = [...this.#incoming!.log]
        this.#appliedCount = this.log.length
        this.#floor = this.#incoming!.zxid
        this.#isRestoring = true
        this.#incoming = null
        return this.#later(1 + chance.below(30), done, true)
      case 'adopt-history': {
        const finish = () =>
          this.#later(
            1 + chance.below(10),
            () => {
              this.#disk.current = work.epoch
              done()
            },
            true,
          )
        if (work.afterRestore) {
          for (const { zxid, entry } of work.committed) this.log.push({ zxid, entry })
          this.#later(
            1 + chance.below(30),
            () => {
              this.#disk.log = [...this.log]
              this.#durableCount = this.log.length
              this.#isRestoring = false
              this.#needsDatabase = false
              finish()
            },
            true,
          )
          return
        }
        let left = work.committed.length
        if (left === 0) return finish()
        const term = this.#term
        for (const txn of work.committed)
          this.#append(txn, () => {
            if (--left === 0 && term === this.#term) finish()
          })
      }
    }
  }

  #truncate(zxid: bigint, done: () => void): void {
    // Now and then it cannot be done: a snapshot is newer than the place to cut.
    if (this.cluster.chance.happens(0.3)) {
      this.#needsDatabase = true
      return this.#over()
    }
    this.#later(
      1 + this.cluster.chance.below(20),
      () => {
        this.log = this.log.filter(txn => txn.zxid <= zxid)
        // The start of an epoch is no transaction.
        if ((zxid & 0xffff_ffffn) !== 0n)
          assert.equal(this.log.at(-1)?.zxid, zxid, 'a log is cut behind a transaction that it holds')
        this.#disk.log = [...this.log]
        this.#durableCount = this.log.length
        this.#appliedCount = this.log.length
        this.#floor = 0n
        done()
      },
      true,
    )
  }

  // ---- both --------------------------------------------------------------------------------------------------------------------

  linkBroke(link: Link): void {
    if (this.#link === link) return this.#over()
    const handler = this.#handlers.get(link.learner.sid)
    if (handler?.link !== link) return
    this.#handlers.delete(link.learner.sid)
    this.#leader?.learnerGone(link.learner.sid)
  }

  #commit(zxid: bigint): void {
    const txn = this.log[this.#appliedCount]
    assert.equal(txn?.zxid, zxid, `server ${this.sid} commits what its log does not hold next`)
    this.cluster.committed(this.sid, this.#appliedCount, txn!)
    this.#appliedCount++
  }

  #commitAll(): void {
    for (const [position, txn] of this.log.entries()) {
      if (position < this.#appliedCount || position >= this.cluster.history.length)
        this.cluster.committed(this.sid, position, txn)
    }
    this.#appliedCount = this.log.length
  }
}

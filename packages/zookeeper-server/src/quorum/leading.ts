import { MalformedBytesError } from '@vivarium/bytes'
import { background, type Connection, type Listener, type Timer } from '@vivarium/platform'
import { continuePlan, Leader, planSync, type Reconfiguration, type Sid, type SyncPlan } from '@vivarium/zab'
import {
  counterOf,
  decode,
  errorCode,
  formatZxid,
  learnerInfo,
  opCode,
  packetType,
  type QuorumPacket,
  type ReconfigRequest,
} from '@vivarium/zookeeper-protocol'
import { Refusal } from '../pipeline/refusal.ts'
import {
  type Configuration,
  configurationIn,
  configurationText,
  isDisplaced,
  isReconfiguration,
  isSuccessor,
  peerOf,
  ruleOf,
} from './configuration.ts'
import type { EpochFiles } from './epoch-files.ts'
import type { MemberContext } from './member.ts'
import { PeerStream } from './peer-stream.ts'
import { reconfigured } from './reconfiguration.ts'
import type { ForwardedRequest, Quorum } from './replica.ts'

const endOfSnapshot = Buffer.from('\0\0\0\x0aBenWasHere', 'latin1')
/** A learner that cannot keep up with this much is cut off; it comes back and is synchronised anew. */
const maxQueuedBytes = 256 * 1024 * 1024
/** A learner with so many pings unanswered is as good as silent. */
const maxPings = 10_000
/** A zxid's counter that no transaction gets, as in Apache's leader. */
const lastCounter = 0xffff_ffffn
/** More connections than any ensemble has learners. */
const maxConnections = 1000

/** Carries out what zab's Leader asks, for as long as this server leads. */
export class Leading implements Quorum {
  readonly #context: MemberContext
  readonly #epochs: EpochFiles
  readonly #leader: Leader
  readonly #handlers = new Map<Sid, LearnerHandler>()
  readonly #greeting = new Set<LearnerHandler>()
  readonly #timers: Timer[] = []
  #listener: Listener | null = null
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
    const { clock, network, own, tickMs, syncLimit } = this.#context
    const host = this.#context.listenOnAll ? '0.0.0.0' : own.host
    this.#listener = await network.listen({ host, port: own.quorumPort }, connection =>
      this.#accept(connection),
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
    await this.#listener?.close()
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
    if (this.#context.membership.rule.voters.has(sid) && acceptedEpoch > this.#epochs.seen)
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
    background(handler.synchronize(plan, peerLastZxid, this.underWay(), this.#leader.epoch!), error =>
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
    const seen = this.#context.membership.see(configuration)
    this.#ownAcks = seen.then(() => {
      this.#ownAcks = null
    })
    background(this.#ownAcks, error => this.#context.onFailure(error))
    this.#leader.propose(zxid, entry, this.#reconfigurationTo(configuration))
  }

  reconfigure(request: ReconfigRequest, zxid: bigint): string {
    const { membership, fewestVoters } = this.#context
    if (membership.lastSeen.version !== membership.committed.version)
      throw new Refusal(errorCode.RECONFIGINPROGRESS)
    const next = reconfigured(membership.committed, request, zxid, fewestVoters)
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

interface Kept {
  type: number
  zxid: bigint
  data: Buffer | null
}

/** One learner, as its leader sees it. */
class LearnerHandler {
  readonly stream: PeerStream
  readonly #leading: Leading
  readonly #context: MemberContext
  sid: Sid = -1n
  isObserver = false
  isUpToDate = false
  /** Proposals and commits that wait until the learner has what came before; null: nothing is forwarded yet. */
  #kept: Kept[] | null = null
  #isForwarding = false
  /** The rounds of the pings it has not answered; it answers in order. */
  readonly #pings: number[] = []

  constructor(stream: PeerStream, leading: Leading, context: MemberContext) {
    this.stream = stream
    this.#leading = leading
    this.#context = context
  }

  async run(): Promise<void> {
    this.#greet(await this.stream.packet())
    for (;;) {
      const packet = this.stream.next()
      if (packet === null) await this.stream.more()
      else this.#received(packet)
    }
  }

  #greet(packet: QuorumPacket): void {
    if (packet.type !== packetType.FOLLOWERINFO && packet.type !== packetType.OBSERVERINFO) {
      throw new MalformedBytesError(`First packet ${packet.type} is not FOLLOWERINFO or OBSERVERINFO`)
    }
    if (packet.data === null || packet.data.length < 20)
      throw new MalformedBytesError('a learner of ZooKeeper 3.3 or older is not served')
    const info = decode(learnerInfo, packet.data)
    if (info.protocolVersion < 0x10000)
      throw new MalformedBytesError('a learner of ZooKeeper 3.3 or older is not served')
    const { version } = this.#context.membership.committed
    if (info.configVersion > version) {
      throw new Error(
        `Follower is ahead of the leader: its configuration has version 0x${formatZxid(info.configVersion)}, this server's has version 0x${formatZxid(version)}`,
      )
    }
    this.sid = info.serverid
    this.isObserver = packet.type === packetType.OBSERVERINFO
    this.#context.log
      .named('LearnerHandler')
      .info(`Follower sid: ${this.sid} : info : ${this.stream.remoteText}`)
    this.#leading.introduced(this, packet.zxid >> 32n)
  }

  #received(packet: QuorumPacket): void {
    const { leader } = this.#leading
    const nowMs = this.#context.clock.monotonicMs()
    switch (packet.type) {
      case packetType.ACK:
        return leader.ack(this.sid, packet.zxid, nowMs)
      case packetType.REQUEST:
        leader.heardFrom(this.sid, nowMs)
        return this.#request(packet)
      case packetType.PING:
        leader.confirmed(this.sid, this.#pings.shift() ?? -1, nowMs)
        return this.#touch(packet.data)
      case packetType.REVALIDATE:
        leader.heardFrom(this.sid, nowMs)
        return this.#revalidate(packet.data)
      case packetType.ACKEPOCH: {
        if (packet.data === null || packet.data.length < 4)
          throw new MalformedBytesError('an ACKEPOCH without epoch')
        return leader.ackEpoch(this.sid, BigInt(packet.data.readInt32BE(0)), packet.zxid, nowMs)
      }
      default:
        this.#context.log
          .named('LearnerHandler')
          .warn(`unexpected quorum packet of type ${packet.type} from ${this.sid}`)
    }
  }

  #request({ data, authinfo }: QuorumPacket): void {
    if (data === null || data.length < 16) throw new MalformedBytesError('a REQUEST without header')
    const request: ForwardedRequest = {
      sessionId: data.readBigInt64BE(0),
      xid: data.readInt32BE(8),
      opCode: data.readInt32BE(12),
      body: data.subarray(16),
      authInfo: authinfo ?? [],
    }
    if (request.opCode === opCode.sync)
      this.#leading.afterOutstanding(() => this.#forward(packetType.SYNC, 0n, null))
    else this.#context.replica.submitForLearner(this.sid, request)
  }

  #touch(data: Buffer | null): void {
    for (let at = 0; data !== null && at + 12 <= data.length; at += 12) {
      this.#context.replica.touchSession(this.sid, data.readBigInt64BE(at), data.readInt32BE(at + 8))
    }
  }

  #revalidate(data: Buffer | null): void {
    if (data === null || data.length < 12) throw new MalformedBytesError('a REVALIDATE without session')
    const id = data.readBigInt64BE(0)
    const verdict = Buffer.alloc(9)
    verdict.writeBigInt64BE(id, 0)
    verdict[8] = this.#context.replica.revalidateSession(this.sid, id, data.readInt32BE(8)) ? 1 : 0
    this.stream.send(packetType.REVALIDATE, -1n, verdict)
  }

  sendLeaderInfo(epoch: bigint): void {
    const version = Buffer.alloc(4)
    version.writeInt32BE(0x10000)
    this.stream.send(packetType.LEADERINFO, epoch << 32n, version)
  }

  /**
   * Sends what the learner lacks, then the proposals that were under way (`behind`), NEWLEADER, and whatever came
   * meanwhile.
   */
  async synchronize(
    first: SyncPlan,
    peerLastZxid: bigint,
    behind: { zxid: bigint; entry: Buffer }[],
    epoch: bigint,
  ): Promise<void> {
    this.#kept = []
    const { replica, log, logSyncBytes } = this.#context
    const processed = replica.lastProcessedZxid
    let plan = first
    let underWay = behind
    if (plan.mode === 'read-log') {
      const txns = await replica.readLog(plan.fromZxid, logSyncBytes)
      plan = continuePlan(peerLastZxid, txns === null ? null : txns.filter(txn => txn.zxid <= processed))
      // The database is sent as it is now, not as it was before the log was read: what was kept since is in it.
      if (plan.mode === 'snap') {
        this.#kept = []
        underWay = this.#leading.underWay()
      }
    }
    switch (plan.mode) {
      case 'snap':
        log
          .named('LearnerHandler')
          .info(
            `Sending snapshot last zxid of peer is 0x${formatZxid(peerLastZxid)}, zxid of leader is 0x${formatZxid(replica.lastProcessedZxid)}`,
          )
        await this.#sendSnapshot()
        break
      case 'diff':
      case 'trunc': {
        log
          .named('LearnerHandler')
          .info(
            `Sending ${plan.mode.toUpperCase()} zxid=0x${formatZxid(plan.zxid)} for peer sid: ${this.sid}`,
          )
        this.stream.send(plan.mode === 'diff' ? packetType.DIFF : packetType.TRUNC, plan.zxid)
        for (const { zxid, entry } of plan.txns) {
          this.stream.send(packetType.PROPOSAL, zxid, entry)
          this.stream.send(packetType.COMMIT, zxid)
        }
      }
    }
    if (!this.isObserver)
      for (const { zxid, entry } of underWay) this.stream.send(packetType.PROPOSAL, zxid, entry)
    const members = Buffer.from(configurationText(this.#context.membership.lastSeen))
    this.stream.send(packetType.NEWLEADER, epoch << 32n, members)
    for (const { type, zxid, data } of this.#kept) this.stream.send(type, zxid, data)
    this.#kept = null
    this.#isForwarding = true
  }

  async #sendSnapshot(): Promise<void> {
    const { replica } = this.#context
    // The stream's first chunk fixes what the snapshot surely holds; later transactions are sent behind it, too.
    this.stream.send(packetType.SNAP, replica.lastProcessedZxid)
    for await (const chunk of replica.serialize()) await this.stream.sendRaw(chunk)
    await this.stream.sendRaw(endOfSnapshot)
  }

  sendUpToDate(): void {
    const { syncLimit, tickMs } = this.#context
    this.stream.limitMs = syncLimit * tickMs
    this.isUpToDate = true
    this.stream.send(packetType.UPTODATE, -1n)
  }

  propose(zxid: bigint, entry: Buffer): void {
    if (!this.isObserver) this.#forward(packetType.PROPOSAL, zxid, entry)
  }

  commit(zxid: bigint, entry: Buffer, nextLeader?: Sid): void {
    if (nextLeader !== undefined) this.#activate(zxid, entry, nextLeader)
    else if (this.isObserver) this.#forward(packetType.INFORM, zxid, entry)
    else this.#forward(packetType.COMMIT, zxid, null)
  }

  #activate(zxid: bigint, entry: Buffer, nextLeader: Sid): void {
    const leader = Buffer.alloc(8)
    leader.writeBigInt64BE(nextLeader)
    if (this.isObserver) this.#forward(packetType.INFORMANDACTIVATE, zxid, Buffer.concat([leader, entry]))
    else this.#forward(packetType.COMMITANDACTIVATE, zxid, leader)
  }

  #forward(type: number, zxid: bigint, data: Buffer | null): void {
    if (this.#kept !== null) this.#kept.push({ type, zxid, data })
    else if (this.#isForwarding) this.stream.send(type, zxid, data)
    if (this.stream.queuedBytes > maxQueuedBytes)
      this.stream.close(new Error(`learner ${this.sid} does not keep up`))
  }

  ping(lastProposed: bigint, round: number): void {
    if (!this.isUpToDate || this.#pings.length >= maxPings) return
    this.#pings.push(round)
    this.stream.send(packetType.PING, lastProposed)
  }
}

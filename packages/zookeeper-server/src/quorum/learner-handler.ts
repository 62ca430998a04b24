import { MalformedBytesError } from '@vivarium/bytes'
import { continuePlan, type Leader, type Sid, type SyncPlan } from '@vivarium/zab'
import {
  decode,
  formatZxid,
  learnerInfo,
  opCode,
  packetType,
  type QuorumPacket,
} from '@vivarium/zookeeper-protocol'
import { configurationText } from './configuration.ts'
import type { MemberContext } from './member.ts'
import type { PeerStream } from './peer-stream.ts'
import type { ForwardedRequest } from './replica.ts'

const endOfSnapshot = Buffer.from('\0\0\0\x0aBenWasHere', 'latin1')
/** A learner that cannot keep up with this much is cut off; it comes back and is synchronised anew. */
const maxQueuedBytes = 256 * 1024 * 1024
/** A learner with so many pings unanswered is as good as silent. */
const maxPings = 10_000

/** What a learner's connection asks of whoever leads. */
export interface LearnersLeader {
  readonly leader: Leader
  /** A learner said who it is. */
  introduced(handler: LearnerHandler, acceptedEpoch: bigint): void
  afterOutstanding(onSynced: () => void): void
  /** Proposed and not committed yet. */
  underWay(): { zxid: bigint; entry: Buffer }[]
}

interface Kept {
  type: number
  zxid: bigint
  data: Buffer | null
}

/** One learner, as its leader sees it. */
export class LearnerHandler {
  readonly stream: PeerStream
  readonly #leading: LearnersLeader
  readonly #context: MemberContext
  sid: Sid = -1n
  isObserver = false
  isUpToDate = false
  /** Proposals and commits that wait until the learner has what came before; null: nothing is forwarded yet. */
  #kept: Kept[] | null = null
  #isForwarding = false
  /** The rounds of the pings it has not answered; it answers in order. */
  readonly #pings: number[] = []

  constructor(stream: PeerStream, leading: LearnersLeader, context: MemberContext) {
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

  /** Sends what the learner lacks, NEWLEADER, the proposals that were under way, and whatever came meanwhile. */
  async synchronize(first: SyncPlan, peerLastZxid: bigint, epoch: bigint): Promise<void> {
    this.#kept = this.#underWay()
    const { replica, log, logSyncBytes } = this.#context
    const processed = replica.lastProcessedZxid
    let plan = first
    if (plan.mode === 'read-log') {
      const txns = await replica.readLog(plan.fromZxid, logSyncBytes)
      plan = continuePlan(peerLastZxid, txns === null ? null : txns.filter(txn => txn.zxid <= processed))
      // The database is sent as it is now, not as it was before the log was read: what was kept since is in it.
      if (plan.mode === 'snap') this.#kept = this.#underWay()
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
    const members = Buffer.from(configurationText(this.#context.membership.lastSeen))
    this.stream.send(packetType.NEWLEADER, epoch << 32n, members)
    for (const { type, zxid, data } of this.#kept) this.stream.send(type, zxid, data)
    this.#kept = null
    this.#isForwarding = true
  }

  /**
   * Proposals that are not committed yet, for a voter. They go behind NEWLEADER: what comes before is history, and
   * Apache's learners before 3.9.3 fail at a commit behind NEWLEADER of what was proposed before it (ZOOKEEPER-4394).
   */
  #underWay(): Kept[] {
    if (this.isObserver) return []
    return this.#leading
      .underWay()
      .map(({ zxid, entry }) => ({ type: packetType.PROPOSAL, zxid, data: entry }))
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

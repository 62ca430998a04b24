import { MalformedBytesError } from '@vivarium/bytes'
import { background } from '@vivarium/platform'
import { continuePlan, planSync, type Sid } from '@vivarium/zab'
import {
  counterOf,
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
/** A learner with so many pings unanswered is as good as silent. */
const maxPings = 10_000

/** What a learner's connection asks of the server it learns from: the leader or, for observers, a follower. */
export interface LearnerMaster {
  /** A learner that cannot keep up with this much is cut off; it comes back and is synchronised anew. */
  readonly maxQueuedBytes: number
  /** A learner said who it is. */
  introduced(learner: LearnerHandler, acceptedEpoch: bigint): void
  /** `currentEpoch` −1: it had accepted this epoch before. */
  epochAccepted(learner: LearnerHandler, currentEpoch: bigint, lastZxid: bigint): void
  /** It has everything up to `zxid` on disk. */
  acknowledged(learner: LearnerHandler, zxid: bigint): void
  /** It answered the ping of that round. */
  answered(learner: LearnerHandler, round: number): void
  touched(learner: LearnerHandler, sessionId: bigint, timeoutMs: number): void
  /** `revalidated` follows. */
  revalidateFor(learner: LearnerHandler, sessionId: bigint, timeoutMs: number): void
  /** `synced` follows. */
  syncFor(learner: LearnerHandler, request: ForwardedRequest): void
  submitFor(learner: LearnerHandler, request: ForwardedRequest): void
  /** Proposed and not committed yet. */
  underWay(): { zxid: bigint; entry: Buffer }[]
}

interface Kept {
  type: number
  zxid: bigint
  data: Buffer | null
}

/** One learner, as the server sees it that it learns from. */
export class LearnerHandler {
  readonly stream: PeerStream
  readonly #master: LearnerMaster
  readonly #context: MemberContext
  sid: Sid = -1n
  isObserver = false
  isUpToDate = false
  /** Proposals and commits that wait until the learner has what came before; null: nothing is forwarded yet. */
  #kept: Kept[] | null = null
  #isForwarding = false
  /** The rounds of the pings it has not answered; it answers in order. */
  readonly #pings: number[] = []

  constructor(stream: PeerStream, master: LearnerMaster, context: MemberContext) {
    this.stream = stream
    this.#master = master
    this.#context = context
  }

  async run(): Promise<void> {
    this.#greet(await this.stream.packet())
    let acked: bigint | null = null
    for (;;) {
      const packet = this.stream.next()
      // A learner acknowledges each transaction, and with it all before: of those that come together the last one counts.
      if (packet?.type === packetType.ACK && counterOf(packet.zxid) !== 0n) {
        acked = packet.zxid
        continue
      }
      if (acked !== null) this.#master.acknowledged(this, acked)
      acked = null
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
    this.#master.introduced(this, packet.zxid >> 32n)
  }

  #received(packet: QuorumPacket): void {
    const master = this.#master
    switch (packet.type) {
      case packetType.ACK:
        return master.acknowledged(this, packet.zxid)
      case packetType.REQUEST:
        return this.#request(packet)
      case packetType.PING:
        master.answered(this, this.#pings.shift() ?? -1)
        return this.#touch(packet.data)
      case packetType.REVALIDATE:
        return this.#revalidate(packet.data)
      case packetType.ACKEPOCH: {
        if (packet.data === null || packet.data.length < 4)
          throw new MalformedBytesError('an ACKEPOCH without epoch')
        return master.epochAccepted(this, BigInt(packet.data.readInt32BE(0)), packet.zxid)
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
    if (request.opCode === opCode.sync) this.#master.syncFor(this, request)
    else this.#master.submitFor(this, request)
  }

  /** Everything that was committed when it asked for the sync has been sent to it. */
  synced(): void {
    this.#forward(packetType.SYNC, 0n, null)
  }

  #touch(data: Buffer | null): void {
    for (let at = 0; data !== null && at + 12 <= data.length; at += 12) {
      this.#master.touched(this, data.readBigInt64BE(at), data.readInt32BE(at + 8))
    }
  }

  #revalidate(data: Buffer | null): void {
    if (data === null || data.length < 12) throw new MalformedBytesError('a REVALIDATE without session')
    this.#master.revalidateFor(this, data.readBigInt64BE(0), data.readInt32BE(8))
  }

  revalidated(sessionId: bigint, isAlive: boolean): void {
    const verdict = Buffer.alloc(9)
    verdict.writeBigInt64BE(sessionId, 0)
    verdict[8] = isAlive ? 1 : 0
    this.stream.send(packetType.REVALIDATE, -1n, verdict)
  }

  sendLeaderInfo(epoch: bigint): void {
    const version = Buffer.alloc(4)
    version.writeInt32BE(0x10000)
    this.stream.send(packetType.LEADERINFO, epoch << 32n, version)
  }

  /**
   * Sends what a learner lacks that has logged `peerLastZxid` last, NEWLEADER, the proposals that are under way, and
   * whatever comes meanwhile.
   */
  synchronize(peerLastZxid: bigint, epoch: bigint): void {
    background(this.#synchronize(peerLastZxid, epoch), error => this.stream.close(error))
  }

  async #synchronize(peerLastZxid: bigint, epoch: bigint): Promise<void> {
    // From this moment on every proposal and commit is kept for the learner, behind what it lacks now.
    this.#kept = this.#underWay()
    const { replica, log, logSyncBytes } = this.#context
    const { committedLog, lastProcessedZxid: processed } = replica
    log
      .named('LearnerHandler')
      .info(
        `Synchronizing with Learner sid: ${this.sid} maxCommittedLog=0x${formatZxid(committedLog.at(-1)?.zxid ?? processed)} ` +
          `minCommittedLog=0x${formatZxid(committedLog[0]?.zxid ?? processed)} lastProcessedZxid=0x${formatZxid(processed)} ` +
          `peerLastZxid=0x${formatZxid(peerLastZxid)}`,
      )
    let plan = planSync(peerLastZxid, committedLog, processed, logSyncBytes > 0)
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
    return this.#master
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
    if (this.stream.queuedBytes > this.#master.maxQueuedBytes)
      this.stream.close(new Error(`learner ${this.sid} does not keep up`))
  }

  ping(lastProposed: bigint, round: number): void {
    if (!this.isUpToDate || this.#pings.length >= maxPings) return
    this.#pings.push(round)
    this.stream.send(packetType.PING, lastProposed)
  }
}

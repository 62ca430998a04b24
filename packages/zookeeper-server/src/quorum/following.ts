import { MalformedBytesError, readInt64 } from '@vivarium/bytes'
import { type Address, assert, Fifo, formatAddress, type Timer } from '@vivarium/platform'
import { type FromLeader, Learner, LearnerError, type Sid, type Work } from '@vivarium/zab'
import { encode, formatZxid, learnerInfo, packetType, type QuorumPacket } from '@vivarium/zookeeper-protocol'
import { DataError } from '../persistence/data-error.ts'
import type { LogListener } from '../persistence/txn-log.ts'
import { decodeEntry, type Entry } from '../txn.ts'
import { connectToAny } from './addresses.ts'
import {
  type Configuration,
  configurationIn,
  isReconfiguration,
  parseConfiguration,
} from './configuration.ts'
import type { EpochFiles } from './epoch-files.ts'
import type { MemberContext } from './member.ts'
import { ObserverMaster, type Upstream } from './observer-master.ts'
import { PeerStream } from './peer-stream.ts'
import type { ForwardedRequest, Quorum } from './replica.ts'

/** A leader that was elected this moment may not listen yet: it is asked again soon, and then at the interval that is set. */
const firstRetryMs = 5
const connectTries = 5
const endOfSnapshot = 'BenWasHere'

/** A server that may be learnt from, at its quorum port or its port for observers. */
export interface Master extends Address {
  sid: Sid
}

/** Carries out what zab's Learner asks, for as long as this server follows (or observes) one leader. */
export class Following implements Quorum, Upstream, LogListener {
  readonly #context: MemberContext
  readonly #epochs: EpochFiles
  /** Transactions that were received and not committed yet. */
  readonly #decoded = new Fifo<Entry>()
  readonly #learner: Learner
  readonly #isObserver: boolean
  #stream: PeerStream | null = null
  #timer: Timer | null = null
  #isStopped = false
  /** The members as the leader knows them: agreed on once it serves. */
  #configuration: Configuration | null = null
  /** Observers that learn from this server; null where none may. */
  #observers: ObserverMaster | null = null
  /** Who asked for syncs that the leader has not answered, in order. */
  readonly #syncs: (() => void)[] = []
  /** Who asked whether a session lives, in order. */
  readonly #revalidations = new Map<bigint, ((isAlive: boolean) => void)[]>()
  /** Of the reconfiguration that is being committed. */
  #nextLeader: Sid | undefined
  /** Whom this server learns from. */
  #master: Sid | null = null
  /** The database in memory is not what is on disk: an interrupted SNAP or TRUNC. */
  #isDatabaseTorn = false

  constructor(context: MemberContext, epochs: EpochFiles) {
    this.#context = context
    this.#epochs = epochs
    this.#isObserver = context.own.isObserver
    const { replica } = context
    const own = {
      acceptedEpoch: epochs.accepted,
      currentEpoch: epochs.current,
      lastZxid: replica.lastLoggedZxid,
      needsDatabase: context.needsDatabase,
    }
    this.#learner = new Learner(own, !this.#isObserver, {
      sendEpochAck: (currentEpoch, lastZxid) => {
        const data = Buffer.alloc(4)
        data.writeInt32BE(Number(currentEpoch))
        this.#stream!.send(packetType.ACKEPOCH, lastZxid, data)
      },
      sendAck: zxid => this.#stream!.send(packetType.ACK, zxid),
      startServing: zxid => {
        replica.startServing(this.#isObserver ? 'observer' : 'follower', zxid, this)
        context.established(this.#learner.epoch!)
        if (!this.#isObserver && context.observerMaster.port > 0)
          this.#observers = new ObserverMaster(context, this.#learner.epoch!, this)
      },
      append: (zxid, entry) => replica.append(zxid, entry as Buffer, this),
      commit: (zxid, entry) => {
        replica.commit(zxid, entry as Buffer, this.#takeDecoded(zxid))
        this.#observers?.commit(zxid, entry as Buffer, this.#nextLeader)
      },
      syncCompleted: () => {
        const onSynced = this.#syncs.shift()
        if (onSynced === undefined) throw new LearnerError('the leader answers a sync that nobody asked for')
        onSynced()
      },
    })
  }

  get learner(): Learner {
    return this.#learner
  }

  #takeDecoded(zxid: bigint): Entry | undefined {
    let oldest = this.#decoded.peek()
    for (; oldest !== undefined && oldest.header.zxid < zxid; oldest = this.#decoded.peek())
      this.#decoded.shift()
    return oldest?.header.zxid === zxid ? this.#decoded.shift() : undefined
  }

  durable(zxid: bigint): void {
    if (!this.#isObserver) this.#stream?.send(packetType.ACK, zxid)
  }

  /** The server this one is connected to: its leader or, for an observer, a follower; null while it is none. */
  get master(): Sid | null {
    return this.#master
  }

  /** Observers that are connected to this server and in step; null where none may be. */
  get observers(): number | null {
    return this.#observers?.synced ?? null
  }

  /** Learns from whichever of `masters` answers first until that is over; rejects with the reason. */
  async run(masters: readonly Master[]): Promise<never> {
    const { tickMs, initLimit, syncLimit, myId, membership } = this.#context
    const stream = await this.#connect(masters)
    this.#stream = stream
    const configVersion = membership.committed.version
    const info = encode(learnerInfo, { serverid: myId, protocolVersion: 0x10000, configVersion })
    const hello = this.#isObserver ? packetType.OBSERVERINFO : packetType.FOLLOWERINFO
    stream.send(hello, this.#epochs.accepted << 32n, info)
    stream.limitMs = initLimit * tickMs
    for (;;) {
      const packet = stream.next()
      if (packet === null) {
        await stream.more()
        continue
      }
      if (packet.type === packetType.PING) {
        this.#pong(packet.zxid)
      } else if (packet.type === packetType.REVALIDATE) {
        if (packet.data === null || packet.data.length < 9)
          throw new MalformedBytesError('a REVALIDATE without verdict')
        this.#revalidated(packet.data.readBigInt64BE(0), packet.data[8] !== 0)
      } else {
        const isLeaving =
          membership.isDynamic && concernsMembers(packet) && (await this.#followMembers(packet))
        const received = fromLeader(packet)
        // What cannot be applied is never logged: no server could start from it again.
        if (received.kind === 'proposal' || received.kind === 'inform')
          this.#decoded.push(decodeEntry(received.entry as Buffer))
        this.#nextLeader =
          packet.type === packetType.COMMITANDACTIVATE ? nextLeaderIn(packet.data) : undefined
        const work = this.#learner.received(received)
        if (packet.type === packetType.UPTODATE) stream.limitMs = syncLimit * tickMs
        if (work !== null) {
          await this.#carryOut(work, stream)
          this.#learner.completed()
        }
        if (isLeaving) throw new Error('changes proposed in reconfig')
      }
    }
  }

  /**
   * Keeps up with who the members are. What was proposed is on disk before it is acknowledged; what is agreed on is in force
   * before its transaction is applied. True if this server must leave its leader, or its role, behind that.
   */
  async #followMembers({ type, zxid, data }: QuorumPacket): Promise<boolean> {
    const { membership } = this.#context
    switch (type) {
      case packetType.NEWLEADER:
        if (data === null || data.length <= 1) return false
        this.#configuration = parseConfiguration(data.toString('utf8'), 'NEWLEADER')
        await membership.see(this.#configuration)
        return false
      case packetType.UPTODATE: {
        const configuration = this.#configuration
        this.#configuration = null
        // Its transaction may be under way still, and may come to nothing with this leader.
        const isPending = this.#learner.isPending(configuration?.version ?? 0n)
        return configuration !== null && !isPending && this.#context.activate(configuration, null)
      }
      case packetType.PROPOSAL:
        await membership.see(configurationIn(entryOf(zxid, data)))
        return false
      case packetType.COMMITANDACTIVATE: {
        const { lastSeen } = membership
        if (lastSeen.version !== zxid)
          throw new LearnerError(`activating 0x${formatZxid(zxid)}, which was not proposed to this server`)
        return this.#context.activate(lastSeen, nextLeaderIn(data))
      }
      case packetType.INFORMANDACTIVATE: {
        const configuration = configurationIn(entryOf(zxid, data?.subarray(8) ?? null))
        return this.#context.activate(configuration, nextLeaderIn(data))
      }
      default:
        return false
    }
  }

  async #connect(masters: readonly Master[]): Promise<PeerStream> {
    const { network, clock, tickMs, initLimit, connectRetryMs, log } = this.#context
    const startedMs = clock.monotonicMs()
    const deadlineMs = startedMs + initLimit * tickMs
    for (let attempt = 1; ; attempt++) {
      try {
        const { connection, address } = await connectToAny({ network, clock }, masters, {
          timeoutMs: Math.max(1, deadlineMs - clock.monotonicMs()),
        })
        this.#master = address.sid
        log
          .named('Learner')
          .info(`Successfully connected to leader, using address: ${formatAddress(address)}`)
        return new PeerStream(connection, clock, initLimit * tickMs)
      } catch (error) {
        const nowMs = clock.monotonicMs()
        const pauseMs = Math.min(connectRetryMs, firstRetryMs * 2 ** (attempt - 1))
        const text = `Unexpected exception, tries=${attempt}, connecting to ${masters.map(formatAddress).join('|')} (${(error as Error).message})`
        if (pauseMs < connectRetryMs) log.named('Learner').debug(text)
        else log.named('Learner').warn(text)
        const hasHadItsTries = nowMs - startedMs >= connectTries * connectRetryMs
        if (hasHadItsTries || nowMs >= deadlineMs || this.#isStopped) throw error
        await new Promise<void>(resolve => {
          this.#timer = clock.after(pauseMs, resolve)
        })
      }
    }
  }

  async #carryOut(work: Work, stream: PeerStream): Promise<void> {
    const { replica, log } = this.#context
    const learnerLog = log.named('Learner')
    switch (work.kind) {
      case 'persist-accepted-epoch':
        return this.#epochs.setAccepted(work.epoch)
      case 'truncate':
        learnerLog.warn(`Truncating log to get in sync with the leader 0x${formatZxid(work.zxid)}`)
        this.#isDatabaseTorn = true
        try {
          await replica.truncate(work.zxid)
        } catch (error) {
          if (error instanceof DataError) this.#context.databaseNeeded(true)
          throw error
        }
        this.#isDatabaseTorn = false
        return
      case 'restore':
        learnerLog.info(`Getting a snapshot from leader 0x${formatZxid(work.zxid)}`)
        this.#isDatabaseTorn = true
        await replica.restore(work.zxid, stream)
        await this.#readEndOfSnapshot(stream)
        return
      case 'adopt-history': {
        for (const { zxid, entry } of work.committed) {
          if (!work.afterRestore) replica.append(zxid, entry as Buffer, null)
          replica.applyTentatively(entry as Buffer)
          this.#takeDecoded(zxid)
        }
        if (work.afterRestore) await replica.saveSnapshot()
        else await replica.flush()
        this.#isDatabaseTorn = false
        this.#context.databaseNeeded(false)
        await this.#epochs.setCurrent(work.epoch)
      }
    }
  }

  async #readEndOfSnapshot(stream: PeerStream): Promise<void> {
    const length = (await stream.read(4)).readInt32BE(0)
    const text =
      length === endOfSnapshot.length ? (await stream.read(length)).toString('latin1') : `${length} bytes`
    if (text !== endOfSnapshot)
      throw new LearnerError(`Missing signature at the end of the snapshot: ${text}`)
  }

  #pong(zxid: bigint): void {
    const touches = [...this.#context.replica.takeSessionTouches(), ...(this.#observers?.takeTouches() ?? [])]
    const data = Buffer.alloc(touches.length * 12)
    for (const [index, { id, timeoutMs }] of touches.entries()) {
      data.writeBigInt64BE(id, index * 12)
      data.writeInt32BE(timeoutMs, index * 12 + 8)
    }
    this.#stream!.send(packetType.PING, zxid, data)
  }

  /** Leaves the leader. What is logged and not committed stays, since a quorum may have it. */
  async stop(reason: string): Promise<void> {
    this.#isStopped = true
    this.#timer?.cancel()
    this.#stream?.close(new Error(reason))
    const { replica } = this.#context
    replica.stopServing(reason)
    await this.#observers?.stop(reason)
    if (this.#isDatabaseTorn) return replica.reload()
    await replica.snapshotsDone()
    for (const { entry } of this.#learner.uncommitted) replica.applyTentatively(entry as Buffer)
  }

  // ---- what the serving half asks ------------------------------------------------------------------------------------------

  propose(): never {
    throw new Error('a learner proposes nothing')
  }

  reconfigure(): never {
    throw new Error('a learner has its leader change the members')
  }

  afterOutstanding(): never {
    throw new Error('a learner asks its leader')
  }

  forward({ sessionId, xid, opCode, body, authInfo }: ForwardedRequest): void {
    assert(this.#stream !== null, 'a learner serves only while it has a leader')
    const data = Buffer.allocUnsafe(16 + body.length)
    data.writeBigInt64BE(sessionId, 0)
    data.writeInt32BE(xid, 8)
    data.writeInt32BE(opCode, 12)
    data.set(body, 16)
    this.#stream.send(packetType.REQUEST, -1n, data, authInfo)
  }

  sync(request: ForwardedRequest): void {
    this.syncWithLeader(request, () => this.#context.replica.syncCompleted())
  }

  syncWithLeader(request: ForwardedRequest, onSynced: () => void): void {
    this.#syncs.push(onSynced)
    this.forward(request)
  }

  revalidate(id: bigint, timeoutMs: number): void {
    this.askLeaderFor(id, timeoutMs, isAlive => this.#context.replica.sessionRevalidated(id, isAlive))
  }

  askLeaderFor(id: bigint, timeoutMs: number, onAnswer: (isAlive: boolean) => void): void {
    const asked = this.#revalidations.get(id)
    if (asked === undefined) this.#revalidations.set(id, [onAnswer])
    else asked.push(onAnswer)
    const data = Buffer.alloc(12)
    data.writeBigInt64BE(id, 0)
    data.writeInt32BE(timeoutMs, 8)
    this.#stream?.send(packetType.REVALIDATE, -1n, data)
  }

  #revalidated(id: bigint, isAlive: boolean): void {
    const asked = this.#revalidations.get(id) ?? []
    asked.shift()?.(isAlive)
    if (asked.length === 0) this.#revalidations.delete(id)
  }
}

function fromLeader(packet: QuorumPacket): FromLeader {
  const { type, zxid, data } = packet
  switch (type) {
    case packetType.LEADERINFO:
      if (data === null || data.length < 4)
        throw new LearnerError('a leader of ZooKeeper 3.3 or older is not followed')
      return { kind: 'leader-info', epoch: zxid >> 32n }
    case packetType.DIFF:
      return { kind: 'diff', zxid }
    case packetType.TRUNC:
      return { kind: 'trunc', zxid }
    case packetType.SNAP:
      return { kind: 'snap', zxid }
    case packetType.PROPOSAL:
      return { kind: 'proposal', zxid, entry: entryOf(zxid, data) }
    case packetType.COMMIT:
    case packetType.COMMITANDACTIVATE:
      return { kind: 'commit', zxid }
    case packetType.INFORM:
      return { kind: 'inform', zxid, entry: entryOf(zxid, data) }
    case packetType.INFORMANDACTIVATE:
      return { kind: 'inform', zxid, entry: entryOf(zxid, data?.subarray(8) ?? null) }
    case packetType.NEWLEADER:
      return { kind: 'new-leader', zxid }
    case packetType.UPTODATE:
      return { kind: 'up-to-date' }
    case packetType.SYNC:
      return { kind: 'sync' }
    default:
      throw new LearnerError(`a packet of type ${type}, which this server does not serve`)
  }
}

const memberPackets: ReadonlySet<number> = new Set([
  packetType.NEWLEADER,
  packetType.UPTODATE,
  packetType.COMMITANDACTIVATE,
  packetType.INFORMANDACTIVATE,
])

function concernsMembers({ type, data }: QuorumPacket): boolean {
  return memberPackets.has(type) || (type === packetType.PROPOSAL && data !== null && isReconfiguration(data))
}

/** Whom the leader of a reconfiguration names as the next one. */
function nextLeaderIn(data: Buffer | null): Sid {
  if (data === null || data.length < 8) throw new LearnerError('a reconfiguration without a next leader')
  return data.readBigInt64BE(0)
}

/** The stream's memory is used again: an entry that is kept must own its bytes. */
function entryOf(zxid: bigint, data: Buffer | null): Buffer {
  if (data === null || data.length < 32)
    throw new LearnerError(`a proposal 0x${formatZxid(zxid)} without transaction`)
  const held = readInt64(data, 12)
  if (held !== zxid)
    throw new LearnerError(`a proposal 0x${formatZxid(zxid)} that holds transaction 0x${formatZxid(held)}`)
  return data
}

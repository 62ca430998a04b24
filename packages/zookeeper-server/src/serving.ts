import { MalformedBytesError, Span } from '@vivarium/bytes'
import { type Clock, Fifo, type Log, type Timer } from '@vivarium/platform'
import {
  type ConnectRequest,
  createMode,
  createSessionTxn,
  deleteContainerRequest,
  encode,
  errorCode,
  formatZxid,
  opCode,
  readMultiRequest,
  sessionPassword,
  syncRequest,
  type TxnHeader,
} from '@vivarium/zookeeper-protocol'
import { asksForNewSession, grantedTimeoutMs, hasSeenMore } from './admission.ts'
import { ClientConnection } from './connection.ts'
import type { Database } from './database.ts'
import { ttlOf } from './ephemeral-owner.ts'
import type { PendingOperation } from './pending-operation.ts'
import { type Prepared, Preparer, type WriteRequest } from './pipeline/prepare.ts'
import type { ForwardedRequest, Quorum } from './quorum/replica.ts'
import { isPasswordOf, type Session, SessionIds, SessionTracker } from './sessions.ts'
import type { ServerSettings } from './settings.ts'
import type { ServerStats } from './stats.ts'
import { decodeEntry, type Entry } from './txn.ts'

const quotaWarningEveryMs = 1000

export type Role = 'standalone' | 'leader' | 'follower' | 'observer'

/** Where a request came from when no client connection of this server sent it: a learner, by its sid. */
type Owner = ClientConnection | bigint

/** So few that clients do not notice. */
const expiredAtOnce = 200
const noBody = new Span(Buffer.alloc(0))

/**
 * A server while it serves clients in one role, from the moment the role begins until it is lost. Holds what does not
 * outlive a role: who is connected, which sessions are watched over, what is in flight.
 *
 * Leader and server alone prepare writes and decide over the end of sessions; followers and observers hand both on.
 */
export class Serving {
  readonly role: Role
  readonly #database: Database
  readonly #quorum: Quorum
  readonly #settings: ServerSettings
  readonly #stats: ServerStats
  readonly #clock: Clock
  readonly #log: Log
  readonly #sessionIds: SessionIds
  /** By session id: who is connected here. */
  readonly connections = new Map<bigint, ClientConnection>()
  /** Clients whose session is being created or checked. */
  readonly #awaiting = new Map<bigint, { connection: ClientConnection; timeoutMs: number }>()
  /** Sessions that no other server knows of (`localSessionsEnabled`). */
  readonly #local: SessionTracker | null = null
  /** Leader and server alone. */
  readonly tracker: SessionTracker | null
  readonly #preparer: Preparer | null
  /** Proposed and not yet committed, in zxid order: spares decoding our own bytes again. */
  readonly #inFlight = new Fifo<Prepared>()
  /** Learner: by session, xids of writes that were forwarded for connections which are gone, oldest first. */
  readonly #abandoned = new Map<bigint, number[]>()
  /** Learner: sessions heard from since the leader's last ping. */
  #touched = new Map<bigint, number>()
  readonly #syncs = new Fifo<{ connection: ClientConnection; operation: PendingOperation }>()
  readonly #timers: Timer[] = []
  #expiringMore: Timer | null = null
  /** The time of this turn of the event loop, once somebody asked for it. */
  #turnWallMs: number | null = null
  #quotaWarnedMs = Number.NEGATIVE_INFINITY

  constructor(
    role: Role,
    database: Database,
    quorum: Quorum,
    world: { clock: Clock; log: Log; serverId: bigint },
    settings: ServerSettings,
    stats: ServerStats,
    startZxid: bigint,
  ) {
    this.role = role
    this.#database = database
    this.#quorum = quorum
    this.#settings = settings
    this.#stats = stats
    this.#clock = world.clock
    this.#log = world.log.named('ZooKeeperServer')
    // The new epoch has begun, though nothing was written in it yet: clients of any member may have seen that.
    if (startZxid > database.tree.lastProcessedZxid) database.tree.lastProcessedZxid = startZxid
    this.#sessionIds = new SessionIds(world.serverId, BigInt(Math.floor(world.clock.wallMs())))
    const { localSessionsEnabled, tickTime } = settings.values
    if (localSessionsEnabled && role !== 'standalone') {
      this.#local = new SessionTracker({ tickMs: tickTime, nowMs: this.#clock.monotonicMs() })
    }
    const mayBeLocal = (id: bigint) =>
      this.#local !== null &&
      (this.#local.get(id) !== undefined || serverOf(id) !== BigInt.asUintN(8, world.serverId))
    if (role === 'leader' || role === 'standalone') {
      const nowMs = this.#clock.monotonicMs()
      this.tracker = new SessionTracker({ tickMs: settings.values.tickTime, nowMs })
      for (const [id, timeoutMs] of database.sessions) this.tracker.add(id, timeoutMs, nowMs)
      database.tree.dropEphemeralsWithout(database.sessions, database.tree.lastProcessedZxid)
      this.#preparer = new Preparer(database.tree, this.tracker, startZxid, {
        extendedTypes: settings.values.extendedTypesEnabled,
        digests: settings.values['digest.enabled'],
        skipAcl: settings.values.skipACL === 'yes',
        maxTxnBytes: settings.values['jute.maxbuffer'],
        closeSessionLists: settings.values['closeSessionTxn.enabled'],
        mayBeLocal,
        reconfigure: settings.values.reconfigEnabled
          ? (request, zxid) => quorum.reconfigure(request, zxid)
          : null,
        onQuotaExceeded: settings.values.enforceQuota ? message => this.#warnOfQuota(message) : null,
      })
      this.#timers.push(
        this.#clock.every(settings.values['znode.container.checkIntervalMs'], () => this.#reapContainers()),
      )
    } else {
      this.tracker = null
      this.#preparer = null
    }
    if (this.#local !== null || this.tracker !== null)
      this.#timers.push(this.#clock.every(tickTime, () => this.#expireSessions()))
  }

  /** Once a second at most: clients that meet their limit try again and again. */
  #warnOfQuota(message: string): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - this.#quotaWarnedMs < quotaWarningEveryMs) return
    this.#quotaWarnedMs = nowMs
    this.#log.warn(message)
  }

  /** Closes every client, behind what it was answered; their sessions live on. */
  stop(): void {
    for (const timer of this.#timers) timer.cancel()
    this.#expiringMore?.cancel()
    for (const connection of [...this.connections.values()]) connection.closeAfterFlush()
    for (const { connection } of [...this.#awaiting.values()]) connection.closeAfterFlush()
    this.connections.clear()
    this.#awaiting.clear()
  }

  // ---- sessions -----------------------------------------------------------------------------------------------------------

  connect(connection: ClientConnection, request: ConnectRequest): void {
    const { lastProcessedZxid } = this.#database.tree
    if (hasSeenMore(request, lastProcessedZxid, connection.remoteText, this.#log)) return connection.close()
    const timeoutMs = grantedTimeoutMs(request.timeOut, this.#settings)
    if (asksForNewSession(request)) this.#createSession(connection, timeoutMs)
    else this.#reopenSession(connection, request.sessionId, request.passwd!, timeoutMs)
  }

  #createSession(connection: ClientConnection, timeoutMs: number): void {
    const id = this.#sessionIds.next()
    if (this.#local !== null)
      return this.#grant(connection, id, timeoutMs, this.#local.add(id, timeoutMs, this.#clock.monotonicMs()))
    this.#awaiting.set(id, { connection, timeoutMs })
    connection.sessionId = id
    const body = new Span(encode(createSessionTxn, { timeOut: timeoutMs }))
    if (this.tracker !== null) this.tracker.add(id, timeoutMs, this.#clock.monotonicMs()).owner = connection
    this.#order({
      sessionId: id,
      xid: 0,
      opCode: opCode.createSession,
      body,
      identities: connection.identities,
      owner: null,
    })
  }

  #reopenSession(connection: ClientConnection, id: bigint, password: Buffer, timeoutMs: number): void {
    this.connections.get(id)?.close()
    if (!isPasswordOf(id, password)) {
      this.#log.warn(`Incorrect password from ${connection.remoteText} for session 0x${formatZxid(id)}`)
      return connection.sessionRefused()
    }
    connection.sessionId = id
    const local = this.#local?.get(id)
    if (local !== undefined && this.#local!.touch(local, timeoutMs, this.#clock.monotonicMs()))
      return this.#grant(connection, id, timeoutMs, local)
    if (this.tracker === null) {
      this.#awaiting.set(id, { connection, timeoutMs })
      return this.#quorum.revalidate(id, timeoutMs)
    }
    const session = this.#revalidate(id, timeoutMs, connection)
    if (session === null) this.#refuse(connection, id)
    else this.#grant(connection, id, timeoutMs, session)
  }

  /** The live session `id`, owned by `owner` from now on; null if it is gone. */
  #revalidate(id: bigint, timeoutMs: number, owner: Owner): Session | null {
    const session = this.tracker!.get(id)
    if (session === undefined || !this.tracker!.touch(session, timeoutMs, this.#clock.monotonicMs()))
      return null
    session.owner = owner
    return session
  }

  #refuse(connection: ClientConnection, id: bigint): void {
    this.#log.info(
      `Invalid session 0x${formatZxid(id)} for client ${connection.remoteText}, probably expired`,
    )
    connection.sessionRefused()
  }

  #grant(connection: ClientConnection, id: bigint, timeoutMs: number, session: Session | null): void {
    this.connections.set(id, connection)
    connection.sessionGranted(id, timeoutMs, sessionPassword(id), session ?? id)
  }

  /** Learner: the leader's word on a session a client came back with. */
  sessionRevalidated(id: bigint, isValid: boolean): void {
    const waiting = this.#awaiting.get(id)
    if (waiting === undefined) return
    this.#awaiting.delete(id)
    if (isValid) this.#grant(waiting.connection, id, waiting.timeoutMs, null)
    else this.#refuse(waiting.connection, id)
  }

  touch(connection: ClientConnection): void {
    const local = this.#local?.get(connection.sessionId)
    if (local !== undefined) {
      this.#local!.touch(local, connection.sessionTimeoutMs, this.#clock.monotonicMs())
    } else if (this.tracker !== null) {
      const session = connection.session as Session
      this.tracker.touch(session, connection.sessionTimeoutMs, this.#clock.monotonicMs())
    } else {
      this.#touched.set(connection.sessionId, connection.sessionTimeoutMs)
    }
  }

  takeTouches(): { id: bigint; timeoutMs: number }[] {
    const touches = [...this.#touched].map(([id, timeoutMs]) => ({ id, timeoutMs }))
    this.#touched = new Map()
    return touches
  }

  touchForLearner(id: bigint, timeoutMs: number): void {
    const session = this.tracker?.get(id)
    if (session !== undefined) this.tracker!.touch(session, timeoutMs, this.#clock.monotonicMs())
  }

  revalidateForLearner(learnerSid: bigint, id: bigint, timeoutMs: number): boolean {
    return this.#revalidate(id, timeoutMs, learnerSid) !== null
  }

  /** Carries out what concerns a local session alone. True if there is nothing left to order. */
  #settleLocally(connection: ClientConnection, operation: PendingOperation): boolean {
    const session = this.#local?.get(connection.sessionId)
    if (session === undefined) return false
    if (operation.opCode === opCode.closeSession) {
      this.#local!.remove(session.id)
      connection.settled(operation, errorCode.OK)
      return true
    }
    if (!makesEphemeral(operation)) return false
    if (!this.#settings.values.localSessionsUpgradingEnabled) {
      connection.settled(operation, errorCode.EPHEMERALONLOCALSESSION)
      return true
    }
    this.#upgrade(connection, session)
    return false
  }

  /** Makes a local session one of the ensemble: it is ordered before what needs it. */
  #upgrade(connection: ClientConnection, { id, timeoutMs }: Session): void {
    this.#local!.remove(id)
    connection.session = this.tracker?.add(id, timeoutMs, this.#clock.monotonicMs()) ?? id
    if (this.tracker !== null) this.tracker.get(id)!.owner = connection
    const body = new Span(encode(createSessionTxn, { timeOut: timeoutMs }))
    const { identities } = connection
    this.#order({ sessionId: id, xid: 0, opCode: opCode.createSession, body, identities, owner: null })
  }

  #expireSessions(): void {
    const nowMs = this.#clock.monotonicMs()
    const local = this.#local?.expire(nowMs, expiredAtOnce) ?? []
    for (const { id } of local) {
      this.#local!.remove(id)
      this.connections.get(id)?.close()
    }
    const expired = this.tracker?.expire(nowMs, expiredAtOnce) ?? []
    for (const session of expired) {
      this.#stats.staleSessionsExpired++
      this.#log.info(
        `Expiring session 0x${formatZxid(session.id)}, timeout of ${session.timeoutMs}ms exceeded`,
      )
      this.#order({
        sessionId: session.id,
        xid: 0,
        opCode: opCode.closeSession,
        body: noBody,
        identities: [],
        owner: null,
      })
    }
    // Thousands may end together, with the network they came over: others are served in between.
    const isMore = local.length === expiredAtOnce || expired.length === expiredAtOnce
    this.#expiringMore?.cancel()
    this.#expiringMore = isMore ? this.#clock.after(1, () => this.#expireSessions()) : null
  }

  /** Removes containers that became empty and TTL znodes whose time is over. */
  #reapContainers(): void {
    const { tree } = this.#database
    const { values } = this.#settings
    const nowMs = this.#clock.wallMs()
    const isOld = (mtimeMs: number, ageMs: number) => nowMs - mtimeMs > ageMs
    const candidates: string[] = []
    for (const path of tree.containers) {
      const node = tree.nodes.get(path)!
      const neverUsedMs = values['znode.container.maxNeverUsedIntervalMs']
      if (
        node.childCount === 0 &&
        (node.cversion > 0 || (neverUsedMs > 0 && isOld(node.mtimeMs, neverUsedMs)))
      )
        candidates.push(path)
    }
    for (const path of tree.ttls) {
      const node = tree.nodes.get(path)!
      if (node.childCount === 0 && isOld(node.mtimeMs, ttlOf(node.ephemeralOwner))) candidates.push(path)
    }
    const most = Math.max(
      1,
      Math.floor(
        (values['znode.container.maxPerMinute'] * values['znode.container.checkIntervalMs']) / 60_000,
      ),
    )
    for (const path of candidates.slice(0, most)) {
      this.#log.info(`Attempting to delete candidate container: ${path}`)
      const body = new Span(encode(deleteContainerRequest, { path }))
      this.#order({
        sessionId: 0n,
        xid: 0,
        opCode: opCode.deleteContainer,
        body,
        identities: [],
        owner: null,
      })
    }
  }

  // ---- writes -----------------------------------------------------------------------------------------------------------------

  submit(connection: ClientConnection, operation: PendingOperation): void {
    if (!this.#settleLocally(connection, operation)) this.#order(operation)
  }

  submitForLearner(learnerSid: bigint, request: ForwardedRequest): void {
    const { sessionId, xid, opCode: code, body, authInfo } = request
    if (code === opCode.createSession && body.length >= 4) {
      this.tracker!.add(sessionId, body.readInt32BE(0), this.#clock.monotonicMs()).owner = learnerSid
    }
    const isSessionsOwn = code === opCode.createSession || code === opCode.closeSession
    this.#order({
      sessionId,
      xid,
      opCode: code,
      body: new Span(body),
      identities: authInfo,
      owner: isSessionsOwn ? null : learnerSid,
    })
  }

  #order(request: WriteRequest): void {
    if (this.#preparer === null) {
      const { sessionId, xid, opCode: code, body, identities } = request
      return this.#quorum.forward({ sessionId, xid, opCode: code, body: body.slice(), authInfo: identities })
    }
    const prepared = this.#preparer.prepare(request, this.#wallMs())
    this.#inFlight.push(prepared)
    this.#quorum.propose(prepared.header.zxid, prepared.entry)
  }

  /** Read once for all requests that come together. */
  #wallMs(): number {
    if (this.#turnWallMs === null) {
      this.#turnWallMs = this.#clock.wallMs()
      queueMicrotask(() => {
        this.#turnWallMs = null
      })
    }
    return this.#turnWallMs
  }

  sync(connection: ClientConnection, operation: PendingOperation): void {
    if (this.#preparer !== null) return this.#quorum.afterOutstanding(() => connection.synced(operation))
    this.#syncs.push({ connection, operation })
    const { sessionId, identities: authInfo } = connection
    // A read that waits for a sync is nothing to the leader.
    const body =
      operation.opCode === opCode.sync ? operation.body.slice() : encode(syncRequest, { path: '/' })
    this.#quorum.sync({ sessionId, xid: operation.xid, opCode: opCode.sync, body, authInfo })
  }

  /** Learner: the leader answered the oldest sync. */
  syncCompleted(): void {
    const oldest = this.#syncs.shift()
    oldest?.connection.synced(oldest.operation)
  }

  /** A transaction is committed: apply it, and answer whoever waits for it here. */
  commit(zxid: bigint, entry: Buffer, received?: Entry): void {
    const inFlight = this.#takeInFlight(zxid)
    const decoded = inFlight ?? received ?? decodeEntry(entry)
    const { header, txn } = decoded
    const applied = this.#database.apply(decoded, entry)
    this.#preparer?.applied(zxid)
    if (header.type === opCode.createSession)
      return this.#sessionCreated(header.clientId, txn.type === 'createSession' ? txn.timeOut : 0)
    const waiting = inFlight === null ? this.#whoForwarded(header) : inFlight.owner
    // A session's client may have come back on another connection meanwhile: only the one that asked is answered.
    if (waiting instanceof ClientConnection) waiting.committed(header.cxid, header.type, applied, zxid)
    if (header.type !== opCode.closeSession) return
    this.tracker?.remove(header.clientId)
    this.#abandoned.delete(header.clientId)
    // A session that expired ends here for its client too; one that was closed is answered already.
    this.connections.get(header.clientId)?.close()
  }

  /** Learner: the connection that sent what the leader has ordered, if it is still here. */
  #whoForwarded({ clientId, cxid }: TxnHeader): ClientConnection | undefined {
    const abandoned = this.#abandoned.size === 0 ? undefined : this.#abandoned.get(clientId)
    if (abandoned === undefined) return this.connections.get(clientId)
    // A session's requests are ordered as they were forwarded: those of its former connection come first.
    if (abandoned[0] !== cxid) return this.connections.get(clientId)
    abandoned.shift()
    if (abandoned.length === 0) this.#abandoned.delete(clientId)
    return undefined
  }

  #takeInFlight(zxid: bigint): Prepared | null {
    const oldest = this.#inFlight.peek()
    if (oldest === undefined || oldest.header.zxid !== zxid) return null
    this.#inFlight.shift()
    return oldest
  }

  #sessionCreated(id: bigint, timeoutMs: number): void {
    const waiting = this.#awaiting.get(id)
    if (this.tracker !== null && this.tracker.get(id) === undefined)
      this.tracker.add(id, timeoutMs, this.#clock.monotonicMs())
    if (waiting === undefined) return
    this.#awaiting.delete(id)
    this.#grant(waiting.connection, id, timeoutMs, this.tracker?.get(id) ?? null)
  }

  closed(connection: ClientConnection): void {
    const id = connection.sessionId
    if (this.#preparer === null) {
      const xids = connection.unansweredWrites()
      if (xids.length > 0) this.#abandoned.set(id, [...(this.#abandoned.get(id) ?? []), ...xids])
    }
    if (this.connections.get(id) === connection) this.connections.delete(id)
    if (this.#awaiting.get(id)?.connection === connection) this.#awaiting.delete(id)
  }

  /** Requests that wait for their transaction. */
  get inFlightCount(): number {
    return this.#inFlight.length
  }
}

/** The server that made a session. */
function serverOf(sessionId: bigint): bigint {
  return BigInt.asUintN(8, sessionId >> 56n)
}

/** Whether a request creates ephemeral znodes; what cannot be read is left for the leader to refuse. */
function makesEphemeral({ opCode: code, body }: PendingOperation): boolean {
  const isEphemeral = (create: Buffer) => {
    const flags = create.length < 4 ? 0 : create.readInt32BE(create.length - 4)
    return flags === createMode.EPHEMERAL || flags === createMode.EPHEMERAL_SEQUENTIAL
  }
  if (code === opCode.create || code === opCode.create2) return isEphemeral(body.slice())
  if (code !== opCode.multi) return false
  try {
    return readMultiRequest(body.reader()).some(
      operation =>
        (operation.type === opCode.create || operation.type === opCode.create2) &&
        isEphemeral(operation.body),
    )
  } catch (error) {
    if (error instanceof MalformedBytesError) return false
    throw error
  }
}

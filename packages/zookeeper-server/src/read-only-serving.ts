import type { Clock, Log, Timer } from '@vivarium/platform'
import { type ConnectRequest, errorCode, opCode, sessionPassword } from '@vivarium/zookeeper-protocol'
import { asksForNewSession, grantedTimeoutMs, hasSeenMore } from './admission.ts'
import type { ClientConnection } from './connection.ts'
import type { Database } from './database.ts'
import type { PendingOperation } from './pending-operation.ts'
import { isPasswordOf, type Session, SessionIds, SessionTracker } from './sessions.ts'
import type { ServerSettings } from './settings.ts'

/**
 * A member that has lost its quorum, for clients that would rather see old data than none (`readonlymode.enabled`). Its
 * sessions are its own: no other server knows them, and they end with this role. Nothing can be written.
 */
export class ReadOnlyServing {
  readonly role = 'read-only' as const
  readonly connections = new Map<bigint, ClientConnection>()
  readonly tracker: SessionTracker
  readonly inFlightCount = 0
  readonly #database: Database
  readonly #settings: ServerSettings
  readonly #clock: Clock
  readonly #log: Log
  readonly #sessionIds: SessionIds
  readonly #expiry: Timer

  constructor(
    database: Database,
    world: { clock: Clock; log: Log; serverId: bigint },
    settings: ServerSettings,
  ) {
    this.#database = database
    this.#settings = settings
    this.#clock = world.clock
    this.#log = world.log.named('ReadOnlyZooKeeperServer')
    this.#sessionIds = new SessionIds(world.serverId, BigInt(Math.floor(world.clock.wallMs())))
    const tickMs = settings.values.tickTime
    this.tracker = new SessionTracker({ tickMs, nowMs: this.#clock.monotonicMs() })
    this.#expiry = this.#clock.every(tickMs, () => this.#expireSessions())
  }

  connect(connection: ClientConnection, request: ConnectRequest): void {
    const { lastProcessedZxid } = this.#database.tree
    if (!request.readOnly) {
      this.#log.info(
        `Refusing session request for not-read-only client ${connection.remoteText}: this server has no quorum`,
      )
      return connection.close()
    }
    if (hasSeenMore(request, lastProcessedZxid, connection.remoteText, this.#log)) return connection.close()
    const timeoutMs = grantedTimeoutMs(request.timeOut, this.#settings)
    const { sessionId, passwd } = request
    if (asksForNewSession(request)) {
      return this.#grant(
        connection,
        this.tracker.add(this.#sessionIds.next(), timeoutMs, this.#clock.monotonicMs()),
      )
    }
    if (!isPasswordOf(sessionId, passwd)) return connection.sessionRefused()
    // Nobody here can tell whether the ensemble's session lives: another server may.
    if (this.#database.sessions.has(sessionId)) return connection.close()
    const session = this.tracker.get(sessionId)
    if (session === undefined || !this.tracker.touch(session, timeoutMs, this.#clock.monotonicMs()))
      return connection.sessionRefused()
    this.connections.get(sessionId)?.close()
    this.#grant(connection, session)
  }

  #grant(connection: ClientConnection, session: Session): void {
    this.connections.set(session.id, connection)
    connection.sessionGranted(session.id, session.timeoutMs, sessionPassword(session.id), session)
  }

  submit(connection: ClientConnection, operation: PendingOperation): void {
    if (operation.opCode !== opCode.closeSession) return connection.settled(operation, errorCode.NOTREADONLY)
    this.tracker.remove(connection.sessionId)
    connection.settled(operation, errorCode.OK)
  }

  sync(connection: ClientConnection, operation: PendingOperation): void {
    connection.settled(operation, errorCode.NOTREADONLY)
  }

  touch(connection: ClientConnection): void {
    const session = connection.session as Session
    this.tracker.touch(session, connection.sessionTimeoutMs, this.#clock.monotonicMs())
  }

  #expireSessions(): void {
    for (const { id } of this.tracker.expire(this.#clock.monotonicMs())) {
      this.tracker.remove(id)
      this.connections.get(id)?.close()
    }
  }

  closed(connection: ClientConnection): void {
    if (this.connections.get(connection.sessionId) === connection)
      this.connections.delete(connection.sessionId)
  }

  stop(): void {
    this.#expiry.cancel()
    for (const connection of [...this.connections.values()]) connection.close()
  }
}

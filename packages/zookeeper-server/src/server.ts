import {
  background,
  type Clock,
  ConfigError,
  type Connection,
  type Disk,
  type Listener,
  type Log,
  type Network,
  type Random,
  type Timer,
} from '@vivarium/platform'
import type { ConnectRequest } from '@vivarium/zookeeper-protocol'
import { answerWord } from './admin/four-letter-words.ts'
import { ServerView } from './admin/server-view.ts'
import { ClientConnection, type ConnectionHost } from './connection.ts'
import { type Admission, ConnectionThrottle } from './connection-throttle.ts'
import { configPath, type DataTree } from './data-tree.ts'
import { Database } from './database.ts'
import { LargeRequests } from './large-requests.ts'
import { isSync, type PendingOperation } from './pending-operation.ts'
import { DataError } from './persistence/data-error.ts'
import type { LogDamage } from './persistence/log-repair.ts'
import type { LogListener } from './persistence/txn-log.ts'
import { votersOf } from './quorum/configuration.ts'
import type { QuorumPeer } from './quorum/quorum-peer.ts'
import type {
  ByteSource,
  CommittedTxn,
  ForwardedRequest,
  Mending,
  Quorum,
  Replica,
} from './quorum/replica.ts'
import { ReadOnlyServing } from './read-only-serving.ts'
import { ReplyWriters } from './reply-stream.ts'
import { RequestThrottle } from './request-throttle.ts'
import { type Role, Serving } from './serving.ts'
import type { ServerSettings } from './settings.ts'
import { StandaloneQuorum } from './standalone.ts'
import { ServerStats } from './stats.ts'
import { decodeEntry, type Entry } from './txn.ts'
import type { Watches } from './watches.ts'

/** The world a server lives in. */
export interface ServerWorld {
  clock: Clock
  random: Random
  disk: Disk
  network: Network
  log: Log
}

/**
 * A coordination server: alone, or a member of an ensemble when its settings name others. Holds no state outside itself,
 * so that many can live in one process.
 */
export class ZooKeeperServer implements ConnectionHost, Replica {
  readonly settings: ServerSettings
  readonly stats: ServerStats = new ServerStats()
  readonly clock: Clock
  readonly log: Log
  readonly limits: ConnectionHost['limits']
  readonly largeRequests: LargeRequests
  readonly writers: ReplyWriters = new ReplyWriters()
  outstanding = 0
  readonly #world: ServerWorld
  readonly #connectionThrottle: ConnectionThrottle
  readonly #requestThrottle: RequestThrottle
  readonly #database: Database
  readonly #onFailure: (error: Error) => void
  #serving: Serving | null = null
  /** While there is no quorum, if the settings want that. */
  #readOnly: ReadOnlyServing | null = null
  #peer: QuorumPeer | null = null
  #listener: Listener | null = null
  readonly #open = new Set<ClientConnection>()
  readonly #perHost = new Map<string, number>()
  readonly #timers: Timer[] = []
  readonly #startedMs: number
  #isStopped = false
  #hasFailed = false

  /** `onFailure` is called once if the server cannot go on (its disk failed, an assertion broke); it must then end. */
  constructor(settings: ServerSettings, world: ServerWorld, onFailure: (error: Error) => void) {
    this.settings = settings
    this.#world = world
    this.clock = world.clock
    this.log = world.log.named('NIOServerCnxn')
    this.#startedMs = world.clock.monotonicMs()
    this.#onFailure = onFailure
    const { values } = settings
    this.largeRequests = new LargeRequests(settings)
    this.limits = {
      maxBuffer: values['jute.maxbuffer'],
      skipAcl: values.skipACL === 'yes',
      maxReplyBytes: values['reply.maxBytes'],
      extensions: values['extensions.enabled'],
      digestAuth: values['DigestAuthenticationProvider.enabled'],
      superDigest: values['DigestAuthenticationProvider.superDigest'],
      outstanding: shareOf(values.globalOutstandingLimit, voterCount(settings)),
    }
    this.#connectionThrottle = new ConnectionThrottle(settings, world.random, world.clock.monotonicMs())
    this.#requestThrottle = new RequestThrottle(
      settings,
      this.stats,
      world.clock.monotonicMs,
      (connection, operation) => this.#process(connection, operation),
    )
    this.#database = new Database(world, settings, this.stats, error => this.#fail(error))
  }

  /** Loads the data, then serves: at once when alone, after an election in an ensemble. */
  async start(): Promise<void> {
    const log = this.#world.log.named('QuorumPeerMain')
    for (const warning of this.settings.warnings) log.warn(warning)
    const { quorum } = this.settings
    const isDataWhole = await this.#openDatabase(quorum !== null)
    await this.#listen(this.settings.client)
    if (quorum === null) {
      const alone = new StandaloneQuorum(this.#database, (zxid, entry) => this.commit(zxid, entry))
      this.#serve('standalone', this.#database.tree.lastProcessedZxid, alone)
      // What was replayed now is not to be replayed at every start.
      if (!this.#database.isSnapshotCurrent) this.#database.beginSnapshot()
    } else {
      await this.#joinEnsemble(isDataWhole)
    }
    const purgeHours = this.settings.values['autopurge.purgeInterval']
    if (purgeHours > 0) {
      this.#purge()
      this.#timers.push(this.clock.every(purgeHours * 3_600_000, () => this.#purge()))
    }
    this.#timers.push(
      this.clock.every(this.settings.values['nio.sessionlessCnxnTimeout'], () => this.#closeSessionless()),
    )
  }

  async #joinEnsemble(isDataWhole: boolean): Promise<void> {
    // A server on its own starts without these modules.
    const { QuorumPeer } = await import('./quorum/quorum-peer.ts')
    const fail = (error: Error) => this.#fail(error)
    this.#peer = new QuorumPeer(this.#world, this.settings, this, this.stats, isDataWhole, fail)
    await this.#peer.start()
  }

  /** Whether what is on disk can be trusted. Rejects if not, unless there are others to get everything from. */
  async #openDatabase(isMember: boolean): Promise<boolean> {
    try {
      await this.#database.open()
      return true
    } catch (error) {
      if (!(error instanceof DataError) || !isMember) throw error
      this.#world.log
        .named('ZooKeeperServer')
        .error(
          'This server does not vote until the logs of the others have mended its own, or a leader whom they elect has sent it the whole database; nothing is to be done',
          error,
        )
      await this.#database.abandon()
      return false
    }
  }

  /** Where clients connect; null before `start` and without a client port. */
  get clientAddress(): { host: string; port: number } | null {
    return this.#listener?.address ?? null
  }

  /** `standalone`, `leader`, `follower`, `observer`; null while it serves nobody. */
  get role(): Role | 'read-only' | null {
    return this.#clients()?.role ?? null
  }

  get isReadOnly(): boolean {
    return this.#readOnly !== null
  }

  /** Who serves the clients. */
  #clients(): Serving | ReadOnlyServing | null {
    return this.#serving ?? this.#readOnly
  }

  /** Closes everything in order; what was acknowledged is on disk. */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    for (const timer of this.#timers) timer.cancel()
    await this.#listener?.close().catch(() => {})
    await this.#peer?.stop()
    this.stopServing('shutdown')
    for (const connection of [...this.#open]) connection.close()
    await this.#database.close()
  }

  #fail(error: Error): void {
    if (this.#isStopped || this.#hasFailed) return
    this.#hasFailed = true
    this.stats.unrecoverableErrors++
    this.#world.log.named('ZooKeeperCriticalThread').error('Severe unrecoverable error, exiting', error)
    this.#onFailure(error)
  }

  #purge(): void {
    this.#database.purge(this.settings.values['autopurge.snapRetainCount']).catch(error => {
      this.#world.log.named('PurgeTask').error('Error occurred while purging', error)
    })
  }

  // ---- connections ----------------------------------------------------------------------------------------------------------

  async #listen(client: ServerSettings['client']): Promise<void> {
    if (client === null) return
    const log = this.#world.log.named('NIOServerCnxnFactory')
    log.info(`binding to port ${client.host}:${client.port}`)
    try {
      this.#listener = await this.#world.network.listen(client, connection => this.#accept(connection))
    } catch (error) {
      throw cannotBind(error as NodeJS.ErrnoException, client, client.key, this.settings.file)
    }
  }

  #accept(socket: Connection): void {
    const { host } = socket.remote
    const { maxClientCnxns, maxCnxns } = this.settings.values
    const ofHost = this.#perHost.get(host) ?? 0
    if ((maxClientCnxns > 0 && ofHost >= maxClientCnxns) || (maxCnxns > 0 && this.#open.size >= maxCnxns)) {
      this.stats.connectionsRejected++
      this.log.warn(`Too many connections from /${host} - max is ${maxClientCnxns}`)
      return socket.destroy()
    }
    this.#perHost.set(host, ofHost + 1)
    this.#open.add(new ClientConnection(socket, this))
  }

  closed(connection: ClientConnection): void {
    if (!this.#open.delete(connection)) return
    const { host } = connection.socket.remote
    const left = (this.#perHost.get(host) ?? 1) - 1
    if (left === 0) this.#perHost.delete(host)
    else this.#perHost.set(host, left)
    this.#database.watches.removeWatcher(connection)
    this.#clients()?.closed(connection)
    if (connection.sessionId !== 0n) this.stats.connectionsDropped++
  }

  #closeSessionless(): void {
    const limitMs = this.settings.values['nio.sessionlessCnxnTimeout']
    for (const connection of [...this.#open]) {
      if (connection.sessionId === 0n && this.clock.wallMs() - connection.establishedWallMs > limitMs) {
        this.stats.sessionlessExpired++
        connection.close()
      }
    }
  }

  connect(connection: ClientConnection, request: ConnectRequest): void {
    this.stats.connectionRequests++
    const clients = this.#clients()
    const isOpen =
      clients !== null && !(clients.role === 'leader' && this.settings.values.leaderServes === 'no')
    if (!isOpen) return connection.close()
    if (!this.#connectionThrottle.admits(this.#admissionOf(request), this.clock.monotonicMs())) {
      this.stats.connectionsRejected++
      this.#world.log
        .named('ZooKeeperServer')
        .warn(`Connection throttled: ${connection.remoteText} is turned away`)
      return connection.close()
    }
    clients.connect(connection, request)
  }

  #admissionOf(request: ConnectRequest): Admission {
    if (request.sessionId !== 0n) return 'renewed'
    return this.settings.values.localSessionsEnabled ? 'local' : 'global'
  }

  submit(connection: ClientConnection, operation: PendingOperation): void {
    this.#requestThrottle.admit(connection, operation)
  }

  #process(connection: ClientConnection, operation: PendingOperation): void {
    const clients = this.#clients()
    if (clients === null) connection.close()
    else if (isSync(operation.opCode)) clients.sync(connection, operation)
    else clients.submit(connection, operation)
  }

  finished(operation: PendingOperation): void {
    this.outstanding--
    this.#requestThrottle.finished(operation)
  }

  touch(connection: ClientConnection): void {
    this.#clients()?.touch(connection)
  }

  answerWord(word: string): string | Promise<string> {
    return answerWord(word, this.view, this.settings.fourLetterWords)
  }

  get view(): ServerView {
    return new ServerView({
      database: this.#database,
      serving: this.#clients(),
      peer: this.#peer,
      settings: this.settings,
      stats: this.stats,
      connections: [...this.#open],
      outstanding: this.outstanding,
      uptimeMs: this.clock.monotonicMs() - this.#startedMs,
    })
  }

  // ---- what the quorum half asks ----------------------------------------------------------------------------------------------

  get tree(): DataTree {
    return this.#database.tree
  }

  get watches(): Watches {
    return this.#database.watches
  }

  get lastLoggedZxid(): bigint {
    return this.#database.lastLoggedZxid
  }

  get lastProcessedZxid(): bigint {
    return this.#database.tree.lastProcessedZxid
  }

  get committedLog(): readonly CommittedTxn[] {
    return this.#database.committedLog.txns
  }

  append(zxid: bigint, entry: Buffer, listener: LogListener | null): void {
    this.#database.append(zxid, entry, listener)
  }

  flush(): Promise<void> {
    return this.#database.flush()
  }

  reload(): Promise<void> {
    return this.#database.reload()
  }

  truncate(zxid: bigint): Promise<void> {
    return this.#database.truncate(zxid)
  }

  readLog(fromZxid: bigint, maxBytes: number): Promise<CommittedTxn[] | null> {
    return this.#database.readLog(fromZxid, maxBytes)
  }

  get damage(): LogDamage | null {
    return this.#database.damage
  }

  mend(records: Buffer): Promise<Mending> {
    return this.#database.mend(records)
  }

  recordsBehind(before: bigint, maxBytes: number): Promise<Buffer> {
    return this.#database.recordsBehind(before, maxBytes)
  }

  commit(zxid: bigint, entry: Buffer, decoded?: Entry): void {
    if (this.#serving !== null) this.#serving.commit(zxid, entry, decoded)
    else this.#database.apply(decoded ?? decodeEntry(entry), entry)
  }

  applyTentatively(entry: Buffer): void {
    this.#database.applyTentatively(entry)
  }

  snapshotsDone(): Promise<void> {
    return this.#database.snapshotsDone()
  }

  serialize(): AsyncIterable<Buffer> {
    return this.#database.serialize()
  }

  restore(zxid: bigint, stream: ByteSource): Promise<void> {
    return this.#database.restore(zxid, stream)
  }

  saveSnapshot(): Promise<void> {
    return this.#database.saveSnapshot()
  }

  startServing(role: 'leader' | 'follower' | 'observer', zxid: bigint, quorum: Quorum): void {
    this.#serve(role, zxid, quorum)
  }

  #serve(role: Role, zxid: bigint, quorum: Quorum): void {
    const serverId = this.settings.quorum?.sid ?? 1n
    this.#serving = new Serving(
      role,
      this.#database,
      quorum,
      { clock: this.clock, log: this.#world.log, serverId },
      this.settings,
      this.stats,
      zxid,
    )
  }

  startReadOnly(): void {
    const serverId = this.settings.quorum!.sid
    const world = { clock: this.clock, log: this.#world.log, serverId }
    this.#readOnly = new ReadOnlyServing(this.#database, world, this.settings)
  }

  stopServing(reason: string): void {
    const serving = this.#clients()
    if (serving === null) return
    this.#serving = null
    this.#readOnly = null
    this.#world.log.named('ZooKeeperServer').info(`shutting down: ${reason}`)
    serving.stop()
    for (const connection of [...this.#open]) connection.closeAfterFlush()
    this.outstanding = 0
  }

  submitForLearner(learnerSid: bigint, request: ForwardedRequest): void {
    this.#serving?.submitForLearner(learnerSid, request)
  }

  touchSession(_learnerSid: bigint, id: bigint, timeoutMs: number): void {
    this.#serving?.touchForLearner(id, timeoutMs)
  }

  revalidateSession(learnerSid: bigint, id: bigint, timeoutMs: number): boolean {
    return this.#serving?.revalidateForLearner(learnerSid, id, timeoutMs) ?? false
  }

  takeSessionTouches(): { id: bigint; timeoutMs: number }[] {
    return this.#serving?.takeTouches() ?? []
  }

  sessionRevalidated(id: bigint, isValid: boolean): void {
    this.#serving?.sessionRevalidated(id, isValid)
  }

  syncCompleted(): void {
    this.#serving?.syncCompleted()
  }

  setConfig(text: string, version: bigint): void {
    const { tree } = this.#database
    // The transaction that made it has set it already.
    if (version === 0n || tree.nodes.get(configPath)?.mzxid !== version)
      tree.setConfig(text, version, this.clock.wallMs())
  }

  shareLimits(voters: number): void {
    this.limits.outstanding = shareOf(this.settings.values.globalOutstandingLimit, voters)
  }

  moveClients(address: { host: string; port: number }): void {
    background(this.#moveClients(address), error => this.#fail(error))
  }

  async #moveClients(address: { host: string; port: number }): Promise<void> {
    await this.#listener?.close()
    this.#listener = null
    if (!this.#isStopped) await this.#listen({ ...address, key: `server.${this.settings.quorum!.sid}` })
  }
}

/** What to tell a person whose port is taken or not theirs to open. */
export function cannotBind(
  error: NodeJS.ErrnoException,
  address: { host: string; port: number },
  key: string,
  file: string,
): Error {
  const problems: Record<string, [string, string]> = {
    EADDRINUSE: ['is taken by another program', `stop that program, or change ${key} in ${file}`],
    EACCES: ['may not be opened by this user', `choose a port above 1023 for ${key} in ${file}`],
    EADDRNOTAVAIL: [
      'lies on an address this machine does not have',
      `change the address of ${key} in ${file}`,
    ],
  }
  const known = problems[error.code ?? '']
  if (known === undefined) return error
  return new ConfigError({
    key,
    value: `${address.host}:${address.port}`,
    where: file,
    problem: known[0],
    fix: known[1],
  })
}

/** What one of so many voters may have under way, all of them together at most `limit`; the leader is left out, as in Apache. */
function shareOf(limit: number, voters: number): number {
  return Math.max(1, Math.floor(limit / Math.max(1, voters - 1)))
}

function voterCount(settings: ServerSettings): number {
  return settings.quorum === null ? 1 : votersOf(settings.quorum.members).length
}

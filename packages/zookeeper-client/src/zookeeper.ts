import type { ByteReader } from '@vivarium/bytes'
import { type Address, type Clock, type Log, type Network, type Random, silentLog } from '@vivarium/platform'
import {
  type Acl,
  addWatchMode,
  addWatchRequest,
  type ClientInfo,
  checkWatchesRequest,
  create2Response,
  deleteRequest,
  encode,
  errorCode,
  existsRequest,
  existsResponse,
  getAclRequest,
  getAclResponse,
  getAllChildrenNumberRequest,
  getAllChildrenNumberResponse,
  getChildren2Request,
  getChildren2Response,
  getDataRequest,
  getDataResponse,
  getEphemeralsRequest,
  getEphemeralsResponse,
  opCode,
  readMultiResponse,
  reconfigRequest,
  removeWatchesRequest,
  type Stat,
  setAclRequest,
  setAclResponse,
  setDataRequest,
  setDataResponse,
  syncRequest,
  syncResponse,
  type WatcherEvent,
  watcherType,
  whoAmIResponse,
  ZooKeeperError,
} from '@vivarium/zookeeper-protocol'
import { type CreateOptions, checkPath, creation } from './create.ts'
import { parseConnectString, shuffled } from './host-list.ts'
import type { State } from './lifecycle.ts'
import { asBuffer, multiBody, multiResults, type Operation, type OperationResult } from './multi.ts'
import { Session, type SessionSecret } from './session.ts'
import { eventName, type WatchKind, type WatchListener, WatchRegistry } from './watch-registry.ts'

export interface ZooKeeperOptions {
  /** `h1:2181,h2:2181/chroot`: tried in random order; every path is below the chroot. */
  connect: string
  /** Asked for; the server may allow less or more. Ephemeral znodes live this long without their client. */
  sessionTimeoutMs: number
  network: Network
  clock: Clock
  random: Random
  log?: Log
  /** Whether a server that has lost its quorum is good enough. */
  readOnly?: boolean
  /** Identities to present on every connection, such as `{ scheme: 'digest', auth: 'user:password' }`. */
  auth?: readonly { scheme: string; auth: string | Buffer }[]
  /** A session to go on with instead of a new one. If it has ended, the state becomes `expired`. */
  session?: SessionSecret
}

/** Which watches `removeWatches` means. */
export type WatcherKind = 'children' | 'data' | 'any' | 'persistent' | 'persistent-recursive'

const watcherKinds: Record<WatcherKind, { code: number; kinds: readonly WatchKind[] }> = {
  children: { code: watcherType.Children, kinds: ['child'] },
  data: { code: watcherType.Data, kinds: ['data', 'exist'] },
  any: { code: watcherType.Any, kinds: ['data', 'exist', 'child', 'persistent', 'persistentRecursive'] },
  persistent: { code: watcherType.Persistent, kinds: ['persistent'] },
  'persistent-recursive': { code: watcherType.PersistentRecursive, kinds: ['persistentRecursive'] },
}

type Data = Buffer | string | null

/**
 * A session with a ZooKeeper ensemble.
 *
 * Requests are pipelined: they leave in the order of the calls and are answered in that order. A refused request rejects
 * with a ZooKeeperError. CONNECTIONLOSS means that the connection went before the answer: a write may or may not have
 * happened. The client then finds another server by itself and keeps session and watches. When state becomes `expired`,
 * the session and its ephemeral znodes are gone for good, and so is this client: make a new one.
 *
 * A watch listener is called before any answer that shows the change it tells of.
 *
 *     const zk = new ZooKeeper({ connect: '127.0.0.1:2181', sessionTimeoutMs: 10_000, network, clock, random })
 *     await zk.connected()
 *     await zk.create('/workers/a', 'idle', { mode: 'ephemeral' })
 */
export class ZooKeeper {
  readonly #session: Session
  readonly #chroot: string
  readonly #connectText: string
  readonly #clock: Clock
  readonly #watches = new WatchRegistry()
  readonly #stateListeners = new Set<(state: State) => void>()

  constructor(options: ZooKeeperOptions) {
    const { connect, sessionTimeoutMs, network, clock, random, log = silentLog, readOnly = false } = options
    const { hosts, chroot } = parseConnectString(connect)
    this.#chroot = chroot
    this.#connectText = connect
    this.#clock = clock
    this.#session = new Session(
      {
        hosts: shuffled(hosts, random),
        sessionTimeoutMs,
        readOnly,
        session: options.session ?? null,
        network,
        clock,
        random,
        log: log.named('ZooKeeper'),
      },
      {
        state: state => this.#tellState(state),
        watch: (event, zxid) => this.#tellWatchers(event, zxid),
        registrations: relativeZxid => this.#watches.registrations(relativeZxid, chroot),
      },
    )
    for (const { scheme, auth } of options.auth ?? [])
      this.#session.authenticate(scheme, asBuffer(auth)!, null)
  }

  // ---- the session ---------------------------------------------------------------------------------------------------

  get state(): State {
    return this.#session.state
  }

  /** 0n until the first connection. */
  get sessionId(): bigint {
    return this.#session.id
  }

  /** What another client needs to go on with this session; null until the first connection. Whoever has it can end it. */
  get session(): SessionSecret | null {
    const { id, password } = this.#session
    return id === 0n ? null : { id, password }
  }

  /** As negotiated; before the first connection, as asked for. */
  get sessionTimeoutMs(): number {
    return this.#session.timeoutMs
  }

  /** Whether the present server can only be read from. */
  get isReadOnly(): boolean {
    return this.#session.isReadOnly
  }

  /** The server it is connected to, or null. */
  get server(): Address | null {
    return this.#session.server
  }

  /** The newest transaction this client has seen the effects of. */
  get lastZxid(): bigint {
    return this.#session.lastZxid
  }

  /** Calls `listener` with every new state; gives the function that ends that. */
  onState(listener: (state: State) => void): () => void {
    this.#stateListeners.add(listener)
    return () => this.#stateListeners.delete(listener)
  }

  /** Resolves when there is a session. Rejects when there can be none any more, or not within `timeoutMs`. */
  connected(timeoutMs?: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (state: State): boolean => {
        if (state === 'connecting') return false
        stop()
        timer?.cancel()
        if (state === 'connected') resolve()
        else
          reject(this.#error(state === 'auth-failed' ? errorCode.AUTHFAILED : errorCode.SESSIONEXPIRED, null))
        return true
      }
      const stop = this.onState(settle)
      const timer =
        timeoutMs === undefined
          ? null
          : this.#clock.after(timeoutMs, () => {
              stop()
              const cause = this.#session.lastProblem
              const detail = `no server of ${this.#connectText} gave a session within ${timeoutMs} ms${cause === null ? '' : ` (last: ${cause.message})`}`
              reject(new ZooKeeperError(errorCode.CONNECTIONLOSS, null, { detail, cause }))
            })
      settle(this.state)
    })
  }

  /** Ends the session: its ephemeral znodes go. Resolves when the server has confirmed, or cannot be reached. */
  close(): Promise<void> {
    return new Promise(resolve => {
      const isOver = (state: State) => state !== 'connecting' && state !== 'connected'
      const stop = this.onState(state => {
        if (!isOver(state)) return
        stop()
        resolve()
      })
      this.#session.close()
      if (isOver(this.state)) {
        stop()
        resolve()
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Adds an identity to this client. A wrong one ends the client with state `auth-failed`. */
  addAuth(scheme: string, auth: string | Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#session.authenticate(scheme, asBuffer(auth)!, code => {
        if (code === errorCode.OK) resolve()
        else reject(this.#error(code, null))
      })
    })
  }

  // ---- znodes --------------------------------------------------------------------------------------------------------

  /** Makes a znode. The path in the answer has the sequence number, if one was asked for. */
  async create(
    path: string,
    data: Data = null,
    options: CreateOptions = {},
  ): Promise<{ path: string; stat: Stat }> {
    const { op, body } = creation(this.#full(path), data, options)
    const created = await this.#request(op, path, body, reader => create2Response.read(reader))
    return { path: this.#own(created.path), stat: created.stat }
  }

  /** Makes a persistent znode and those above it that are missing (they stay empty). One that is there stays as it is. */
  async createRecursive(path: string, data: Data = null, acl?: readonly Acl[]): Promise<void> {
    checkPath(path)
    const options = acl === undefined ? {} : { acl }
    const attempt = async (at: string, content: Data): Promise<void> => {
      try {
        await this.create(at, content, options)
      } catch (error) {
        if (!(error instanceof ZooKeeperError)) throw error
        if (error.code === errorCode.NODEEXISTS) return
        if (error.code !== errorCode.NONODE) throw error
        await attempt(at.slice(0, at.lastIndexOf('/')) || '/', null)
        // Somebody may remove the parent again in between: asked once more only, so that this ends.
        await this.create(at, content, options).catch(ignoreExisting)
      }
    }
    await attempt(path, data)
  }

  async delete(path: string, version = -1): Promise<void> {
    checkPath(path)
    await this.#request(
      opCode.delete,
      path,
      encode(deleteRequest, { path: this.#full(path), version }),
      nothing,
    )
  }

  /** The data (null if it was made with none) and stat. The buffer is the caller's. */
  async getData(
    path: string,
    options: { watch?: WatchListener | undefined } = {},
  ): Promise<{ data: Buffer | null; stat: Stat }> {
    checkPath(path)
    const { watch } = options
    const body = encode(getDataRequest, { path: this.#full(path), watch: watch !== undefined })
    return await this.#request(opCode.getData, path, body, reader => {
      const { data, stat } = getDataResponse.read(reader)
      if (watch !== undefined) this.#watches.add('data', path, watch)
      return { data: data === null ? null : Buffer.from(data), stat }
    })
  }

  /** The stat, or null if there is no such znode; the watch is set either way. */
  async exists(path: string, options: { watch?: WatchListener | undefined } = {}): Promise<Stat | null> {
    checkPath(path)
    const { watch } = options
    const body = encode(existsRequest, { path: this.#full(path), watch: watch !== undefined })
    const read = (reader: ByteReader) => {
      const { stat } = existsResponse.read(reader)
      if (watch !== undefined) this.#watches.add('data', path, watch)
      return stat
    }
    return await this.#request<Stat | null>(opCode.exists, path, body, read, code => {
      if (code !== errorCode.NONODE) return undefined
      if (watch !== undefined) this.#watches.add('exist', path, watch)
      return null
    })
  }

  /** Names of the children, in no particular order. */
  async getChildren(
    path: string,
    options: { watch?: WatchListener | undefined } = {},
  ): Promise<{ children: string[]; stat: Stat }> {
    checkPath(path)
    const { watch } = options
    const body = encode(getChildren2Request, { path: this.#full(path), watch: watch !== undefined })
    return await this.#request(opCode.getChildren2, path, body, reader => {
      const answer = getChildren2Response.read(reader)
      if (watch !== undefined) this.#watches.add('child', path, watch)
      return answer
    })
  }

  /** Replaces the data; `version` −1 matches any. */
  async setData(path: string, data: Data, version = -1): Promise<Stat> {
    checkPath(path)
    const body = encode(setDataRequest, { path: this.#full(path), data: asBuffer(data), version })
    return (await this.#request(opCode.setData, path, body, reader => setDataResponse.read(reader))).stat
  }

  async getAcl(path: string): Promise<{ acl: Acl[]; stat: Stat }> {
    checkPath(path)
    const body = encode(getAclRequest, { path: this.#full(path) })
    return await this.#request(opCode.getACL, path, body, reader => getAclResponse.read(reader))
  }

  /** `aversion` is the version of the ACL, not of the data. */
  async setAcl(path: string, acl: readonly Acl[], aversion = -1): Promise<Stat> {
    checkPath(path)
    const body = encode(setAclRequest, { path: this.#full(path), acl: [...acl], version: aversion })
    return (await this.#request(opCode.setACL, path, body, reader => setAclResponse.read(reader))).stat
  }

  /** All operations happen, or none: then it rejects with MultiError. */
  async multi(operations: readonly Operation[]): Promise<OperationResult[]> {
    for (const { op, path } of operations) if (op !== 'create') checkPath(path)
    const body = multiBody(operations, path => this.#full(path))
    const results = await this.#request(opCode.multi, null, body, readMultiResponse)
    return multiResults(operations, results, path => this.#own(path))
  }

  /** Lets the server catch up with the leader: reads that follow see all that was written before this call. */
  async sync(path = '/'): Promise<void> {
    checkPath(path)
    await this.#request(opCode.sync, path, encode(syncRequest, { path: this.#full(path) }), reader =>
      syncResponse.read(reader),
    )
  }

  /** The ephemeral znodes of this session whose paths begin with `prefix`. */
  async getEphemerals(prefix = '/'): Promise<string[]> {
    checkPath(prefix)
    const body = encode(getEphemeralsRequest, { prefixPath: this.#full(prefix) })
    const { ephemerals } = await this.#request(opCode.getEphemerals, prefix, body, reader =>
      getEphemeralsResponse.read(reader),
    )
    return ephemerals.map(path => this.#own(path))
  }

  /** How many znodes are below this one, at any depth. */
  async getAllChildrenNumber(path: string): Promise<number> {
    checkPath(path)
    const body = encode(getAllChildrenNumberRequest, { path: this.#full(path) })
    const read = (reader: ByteReader) => getAllChildrenNumberResponse.read(reader)
    return (await this.#request(opCode.getAllChildrenNumber, path, body, read)).totalNumber
  }

  /** The identities by which the server knows this client. */
  async whoAmI(): Promise<ClientInfo[]> {
    const read = (reader: ByteReader) => whoAmIResponse.read(reader)
    return (await this.#request(opCode.whoAmI, null, Buffer.alloc(0), read)).clientInfo
  }

  /** Changes the ensemble's members; null is «not given». Gives the new configuration's text. */
  async reconfig(change: {
    joining?: string | null
    leaving?: string | null
    members?: string | null
    fromConfig?: bigint
  }): Promise<{ data: Buffer | null; stat: Stat }> {
    const body = encode(reconfigRequest, {
      joiningServers: change.joining ?? null,
      leavingServers: change.leaving ?? null,
      newMembers: change.members ?? null,
      curConfigId: change.fromConfig ?? -1n,
    })
    return await this.#request(opCode.reconfig, null, body, reader => {
      const { data, stat } = getDataResponse.read(reader)
      return { data: data === null ? null : Buffer.from(data), stat }
    })
  }

  // ---- watches -------------------------------------------------------------------------------------------------------

  /**
   * A watch that stays. `persistent` hears of the znode and its children's names; `persistent-recursive` of the subtree.
   * What happens while the client is cut off is not told later, as it is for watches that fire once: look again after
   * every `connected`.
   */
  async addWatch(
    path: string,
    mode: 'persistent' | 'persistent-recursive',
    listener: WatchListener,
  ): Promise<void> {
    checkPath(path)
    const isRecursive = mode === 'persistent-recursive'
    const code = isRecursive ? addWatchMode.persistentRecursive : addWatchMode.persistent
    await this.#request(
      opCode.addWatch,
      path,
      encode(addWatchRequest, { path: this.#full(path), mode: code }),
      () => {
        this.#watches.add(isRecursive ? 'persistentRecursive' : 'persistent', path, listener)
      },
    )
  }

  /**
   * Ends watches of a path: those of one listener, or all. Each listener hears that its watch was removed.
   * Rejects with NOWATCHER if the server knows of none. With `isLocal`, watches are forgotten even if no server can be
   * asked.
   */
  async removeWatches(
    path: string,
    kind: WatcherKind,
    listener: WatchListener | null = null,
    { isLocal = false } = {},
  ): Promise<void> {
    checkPath(path)
    const { code, kinds } = watcherKinds[kind]
    const forget = (): true => {
      for (const removed of this.#watches.remove(kinds, path, listener)) {
        guarded(() => removed.listener({ type: removed.type, path, zxid: -1n }))
      }
      return true
    }
    const hasOthers = listener !== null && kinds.some(k => this.#watches.hasOthers(k, path, listener))
    const request = { path: this.#full(path), type: code }
    // While another listener needs the server's watch, only its being there is checked.
    const body = hasOthers ? encode(checkWatchesRequest, request) : encode(removeWatchesRequest, request)
    const op = hasOthers ? opCode.checkWatches : opCode.removeWatches
    await this.#request<true>(op, path, body, forget, failure =>
      isLocal && failure === errorCode.CONNECTIONLOSS ? forget() : undefined,
    )
  }

  #tellWatchers(event: WatcherEvent, zxid: bigint): void {
    const type = eventName(event.type)
    if (type === null) return
    const path = this.#own(event.path)
    for (const listener of this.#watches.fire(type, path)) guarded(() => listener({ type, path, zxid }))
  }

  #tellState(state: State): void {
    for (const listener of [...this.#stateListeners]) guarded(() => listener(state))
  }

  // ---- requests ------------------------------------------------------------------------------------------------------

  /**
   * Sends a request; `read` is called with the reply's body while the reply is handled, before any later one.
   * `outcome` may turn an error code into a result.
   */
  #request<T>(
    op: number,
    path: string | null,
    body: Buffer,
    read: (reader: ByteReader) => T,
    outcome?: (code: number) => T | undefined,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#session.request(op, body, (code, reader) => {
        if (code !== errorCode.OK) {
          const result = outcome?.(code)
          if (result === undefined) reject(this.#error(code, path))
          else resolve(result)
          return
        }
        try {
          resolve(read(reader))
        } catch (cause) {
          reject(new ZooKeeperError(errorCode.MARSHALLINGERROR, path, { cause }))
          // Whatever follows in the stream cannot be trusted: the session drops the connection.
          throw cause
        }
      })
    })
  }

  #error(code: number, path: string | null): ZooKeeperError {
    const cause = code === errorCode.CONNECTIONLOSS ? this.#session.lastProblem : null
    return new ZooKeeperError(code, path, cause === null ? {} : { detail: cause.message, cause })
  }

  /** The path the server knows. */
  #full(path: string): string {
    if (this.#chroot === '') return path
    return path === '/' ? this.#chroot : this.#chroot + path
  }

  /** The path the user knows. */
  #own(path: string): string {
    if (this.#chroot === '' || !path.startsWith(this.#chroot)) return path
    return path.slice(this.#chroot.length) || '/'
  }
}

function nothing(): void {}

function ignoreExisting(error: unknown): void {
  if (!(error instanceof ZooKeeperError) || error.code !== errorCode.NODEEXISTS) throw error
}

/** A listener that throws is a bug of its owner's: it surfaces by itself and does not upset the session. */
function guarded(call: () => void): void {
  try {
    call()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

import { background, type Clock, type Log, type Network, type Random } from '@vivarium/platform'
import {
  errorCode,
  MultiError,
  type Operation,
  type OperationResult,
  type SessionSecret,
  type WatchListener,
  ZooKeeper,
  ZooKeeperError,
} from '@vivarium/zookeeper-client'
import type { Acl } from './zookeeper-acl.ts'
import { aclOf } from './zookeeper-layout.ts'

type Stat = NonNullable<Awaited<ReturnType<ZooKeeper['exists']>>>
type Data = Buffer | string | null

export interface ZooKeeperSessionOptions {
  /** zookeeper.connect, with its chroot. */
  connect: string
  sessionTimeoutMs: number
  connectionTimeoutMs: number
  /** zookeeper.set.acl. */
  isSecure: boolean
  network: Network
  clock: Clock
  random: Random
  log: Log
}

/** Called around a session's replacement, in the order they were given. */
export interface SessionListener {
  name: string
  /** The session is gone, with all its ephemeral znodes and watches. */
  onExpired?(): void
  /** There is a new one. */
  onRenewed?(): Promise<void> | void
}

/**
 * A broker's bond with ZooKeeper, over any number of sessions.
 *
 * Requests that meet a lost connection are sent again, as long as the session they began in lives: so a write may be
 * met by what it did itself the first time (NODEEXISTS, BADVERSION), which the caller must reckon with. All that was
 * begun in an expired session rejects with SESSIONEXPIRED.
 */
export class ZooKeeperSession {
  readonly #options: ZooKeeperSessionOptions
  readonly #log: Log
  readonly #listeners: SessionListener[] = []
  #client: ZooKeeper
  #earlierSession = 0n
  #isClosed = false

  constructor(options: ZooKeeperSessionOptions) {
    this.#options = options
    this.#log = options.log.named('kafka.zookeeper.ZooKeeperClient')
    this.#client = this.#open(options.connect)
  }

  get sessionId(): bigint {
    return this.#client.sessionId
  }

  /** The session before this one; 0n if this is the first. Its ephemeral znodes are this process's own. */
  get earlierSessionId(): bigint {
    return this.#earlierSession
  }

  get isConnected(): boolean {
    return this.#client.state === 'connected'
  }

  /** Resolves when there is a session and the chroot exists. */
  async connected(): Promise<void> {
    await this.#client.connected(this.#options.connectionTimeoutMs)
    const slash = this.#options.connect.indexOf('/')
    if (slash === -1 || slash === this.#options.connect.length - 1) return
    const root = this.#open(this.#options.connect.slice(0, slash))
    try {
      await root.connected(this.#options.connectionTimeoutMs)
      const chroot = this.#options.connect.slice(slash)
      await root.createRecursive(chroot, null, this.#acl(chroot))
    } finally {
      await root.close()
    }
  }

  onSession(listener: SessionListener): void {
    this.#listeners.push(listener)
  }

  /** What ends the session at hand, or null while there is none. */
  get secret(): SessionSecret | null {
    return this.#client.session
  }

  /** Ends another session, with its ephemeral znodes. One that has ended by itself is no error. */
  async end(session: SessionSecret): Promise<void> {
    const { connect, connectionTimeoutMs } = this.#options
    const client = this.#open(connect, session)
    try {
      await client.connected(connectionTimeoutMs)
    } catch (error) {
      if (!isCode(error, errorCode.SESSIONEXPIRED)) throw error
    } finally {
      await client.close()
    }
  }

  /** Ends the session: its ephemeral znodes go at once. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#client.close()
  }

  // ---- znodes --------------------------------------------------------------------------------------------------------

  /** null if there is no such znode. */
  async read(path: string, watch?: WatchListener): Promise<{ data: Buffer | null; stat: Stat } | null> {
    try {
      return await this.getData(path, watch === undefined ? {} : { watch })
    } catch (error) {
      if (isCode(error, errorCode.NONODE)) return null
      throw error
    }
  }

  getData(
    path: string,
    options: { watch?: WatchListener } = {},
  ): Promise<{ data: Buffer | null; stat: Stat }> {
    return this.#insist(client => client.getData(path, options))
  }

  exists(path: string, options: { watch?: WatchListener } = {}): Promise<Stat | null> {
    return this.#insist(client => client.exists(path, options))
  }

  getChildren(
    path: string,
    options: { watch?: WatchListener } = {},
  ): Promise<{ children: string[]; stat: Stat }> {
    return this.#insist(client => client.getChildren(path, options))
  }

  setData(path: string, data: Data, version = -1): Promise<Stat> {
    return this.#insist(client => client.setData(path, data, version))
  }

  create(
    path: string,
    data: Data = null,
    options: { mode?: 'persistent' | 'ephemeral' | 'persistent-sequential' } = {},
  ): Promise<{ path: string; stat: Stat }> {
    return this.#insist(client => client.create(path, data, { ...options, acl: this.#acl(path) }))
  }

  /** Makes a persistent znode and what is missing above it, if it is not there. */
  async ensure(path: string, data: Data = null): Promise<void> {
    for (let attempt = 0; attempt < 3; attempt++) {
      try {
        await this.create(path, data)
        return
      } catch (error) {
        if (isCode(error, errorCode.NODEEXISTS)) return
        if (!isCode(error, errorCode.NONODE)) throw error
        const parent = path.slice(0, path.lastIndexOf('/'))
        await this.ensure(parent)
      }
    }
    throw new ZooKeeperError(errorCode.NONODE, path, { detail: 'its parent keeps being removed' })
  }

  delete(path: string, version = -1): Promise<void> {
    return this.#insist(client => client.delete(path, version))
  }

  multi(operations: readonly Operation[]): Promise<OperationResult[]> {
    const withAcls = operations.map(operation =>
      operation.op === 'create' ? { ...operation, acl: this.#acl(operation.path) } : operation,
    )
    return this.#insist(client => client.multi(withAcls))
  }

  sync(path: string): Promise<void> {
    return this.#insist(client => client.sync(path))
  }

  // ---- sessions ------------------------------------------------------------------------------------------------------

  #open(connect: string, session?: SessionSecret): ZooKeeper {
    const { sessionTimeoutMs, network, clock, random, log } = this.#options
    const world = { network, clock, random, log }
    const client = new ZooKeeper({ connect, sessionTimeoutMs, ...world, ...(session && { session }) })
    client.onState(state => {
      if (state === 'expired' && client === this.#client && !this.#isClosed) {
        background(this.#renew(), error => this.#log.error('Replacing the ZooKeeper session failed', error))
      }
    })
    return client
  }

  async #renew(): Promise<void> {
    this.#log.warn(`ZooKeeper session 0x${this.sessionId.toString(16)} has expired; beginning a new one`)
    this.#earlierSession = this.sessionId
    this.#client = this.#open(this.#options.connect)
    const client = this.#client
    for (const listener of this.#listeners) listener.onExpired?.()
    await client.connected()
    for (const listener of this.#listeners) {
      if (client !== this.#client || this.#isClosed) return
      try {
        await listener.onRenewed?.()
      } catch (error) {
        this.#log.error(`${listener.name} could not go on in the new ZooKeeper session`, error)
      }
    }
  }

  /** Repeats a request over lost connections while its session lives. */
  async #insist<T>(request: (client: ZooKeeper) => Promise<T>): Promise<T> {
    const client = this.#client
    for (;;) {
      try {
        return await request(client)
      } catch (error) {
        if (!isCode(error, errorCode.CONNECTIONLOSS) || this.#isClosed) throw error
        await client.connected()
      }
    }
  }

  #acl(path: string): readonly Acl[] {
    return aclOf(path, this.#options.isSecure)
  }
}

export function isCode(error: unknown, code: number): error is ZooKeeperError {
  return error instanceof ZooKeeperError && error.code === code
}

export { errorCode as zooKeeperErrorCode, MultiError }

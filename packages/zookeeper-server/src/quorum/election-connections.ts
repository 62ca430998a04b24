import { FrameDecoder, MalformedBytesError } from '@vivarium/bytes'
import {
  type Address,
  type Clock,
  type Connection,
  formatAddress,
  type Listener,
  type Log,
  type Network,
} from '@vivarium/platform'
import type { Sid } from '@vivarium/zab'
import { formatZxid } from '@vivarium/zookeeper-protocol'
import { connectToAny, listenOnAny } from './addresses.ts'
import { anonymousObserver, initialMessage, readInitialMessage } from './election-messages.ts'
import { type LoanRequest, lend, lendingMs, readLoanRequest } from './log-lending.ts'

const maxMessageBytes = 512 * 1024
const handshakeMs = 5_000
/** Two servers that keep closing each other's connections must not do so in a circle. */
const lookAfterEveryMs = 1_000
/** A server that reads nothing is sent nothing more; the newest message follows when it does. */
const maxPendingBytes = 64 * 1024
/** Servers that the configuration does not know may listen in, but not without bound. */
const maxStrangers = 100

/**
 * One connection between each pair of servers, on the election ports: opened by the one with the larger number; the other
 * only knocks and is called back. Of what waits to be sent to a server, only the newest matters.
 *
 * Source: QuorumCnxManager.
 */
export class ElectionConnections {
  readonly #network: Network
  readonly #clock: Clock
  readonly #log: Log
  readonly #myId: Sid
  #own: readonly Address[]
  #addresses: ReadonlyMap<Sid, readonly Address[]>
  /** Servers that are not in the configuration yet and said where they are; null: only those that are in it are called. */
  readonly #joiners: Map<Sid, readonly Address[]> | null
  readonly #onAllInterfaces: boolean
  readonly #connectTimeoutMs: number
  readonly #onMessage: (from: Sid, frame: Buffer) => void
  readonly #recordsFor: (request: LoanRequest) => Promise<Buffer>
  readonly #onReach: (sid: Sid, isReachable: boolean) => void
  readonly #connections = new Map<Sid, Connection>()
  readonly #connecting = new Set<Sid>()
  readonly #last = new Map<Sid, Buffer>()
  readonly #incoming = new Set<Connection>()
  readonly #lookedAfterMs = new Map<Sid, number>()
  /** Who has said something since connections were last asked for. */
  readonly #heard = new Set<Sid>()
  #listeners: Listener[] = []
  #nextAnonymous = -1n
  /** To one at a time: what it is sent is in memory until it has it. */
  #borrower: Connection | null = null
  #isStopped = false

  constructor(
    world: { network: Network; clock: Clock; log: Log },
    options: {
      myId: Sid
      own: readonly Address[]
      /** Listen on these ports wherever this machine is reached. */
      onAllInterfaces: boolean
      addresses: ReadonlyMap<Sid, readonly Address[]>
      /** Whether servers outside the configuration are called back, so that they learn how to join. */
      mayServersJoin: boolean
      connectTimeoutMs: number
    },
    onMessage: (from: Sid, frame: Buffer) => void,
    /** A member lacks records of its log. */
    recordsFor: (request: LoanRequest) => Promise<Buffer>,
    /** Told after every attempt to connect, and when a server connects by itself. */
    onReach: (sid: Sid, isReachable: boolean) => void,
  ) {
    this.#network = world.network
    this.#clock = world.clock
    this.#log = world.log.named('QuorumCnxManager')
    this.#myId = options.myId
    this.#own = options.own
    this.#onAllInterfaces = options.onAllInterfaces
    this.#addresses = options.addresses
    this.#joiners = options.mayServersJoin ? new Map() : null
    this.#connectTimeoutMs = options.connectTimeoutMs
    this.#onMessage = onMessage
    this.#recordsFor = recordsFor
    this.#onReach = onReach
  }

  /** Rejects with CannotListen if no election port can be had. */
  async start(): Promise<void> {
    this.#listeners = await listenOnAny(
      this.#network,
      this.#own,
      { onAllInterfaces: this.#onAllInterfaces, key: `server.${this.#myId}`, log: this.#log },
      connection => this.#accept(connection),
    )
    for (const { address } of this.#listeners)
      this.#log.info(`Received connection request will be served on election port ${formatAddress(address)}`)
  }

  /** Other members, or the same ones elsewhere. Rejects with CannotListen if this server's new ports cannot be had. */
  async reconfigure(own: readonly Address[], addresses: ReadonlyMap<Sid, readonly Address[]>): Promise<void> {
    const isMoved = own.map(formatAddress).join() !== this.#own.map(formatAddress).join()
    this.#own = own
    this.#addresses = addresses
    if (!isMoved || this.#isStopped) return
    await this.#closeListeners()
    if (!this.#isStopped) await this.start()
  }

  async #closeListeners(): Promise<void> {
    await Promise.all(this.#listeners.map(listener => listener.close()))
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const connection of [...this.#connections.values(), ...this.#incoming]) connection.destroy()
    this.#borrower?.destroy()
    await this.#closeListeners()
  }

  /** Sends a framed message, now or when there is a connection. */
  send(to: Sid, message: Buffer): void {
    this.#last.set(to, message)
    const connection = this.#connections.get(to)
    if (connection === undefined) this.#connect(to)
    else if (connection.pendingBytes < maxPendingBytes) connection.write(message)
  }

  /** Asked for when no answers come. */
  connectAll(): void {
    for (const [sid, { length }] of this.#addresses) {
      // It may have died unnoticed with one of the networks that both servers are on.
      const isDoubtful = length > 1 && !this.#heard.has(sid)
      if (sid !== this.#myId && (!this.#connections.has(sid) || isDoubtful)) this.#connect(sid)
    }
    this.#heard.clear()
  }

  #connect(to: Sid): void {
    const addresses = this.#addresses.get(to) ?? this.#joiners?.get(to)
    if (addresses === undefined || this.#connecting.has(to) || this.#isStopped) return
    this.#connecting.add(to)
    const world = { network: this.#network, clock: this.#clock }
    connectToAny(world, addresses, { timeoutMs: this.#connectTimeoutMs }).then(
      ({ connection }) => {
        this.#connecting.delete(to)
        if (this.#isStopped) return connection.destroy()
        this.#onReach(to, true)
        connection.write(initialMessage(this.#myId, this.#own))
        // The other has the larger number: it calls back.
        if (to > this.#myId) connection.end()
        else this.#register(to, connection, Buffer.alloc(0))
      },
      error => {
        this.#connecting.delete(to)
        if (this.#isStopped) return
        this.#onReach(to, false)
        this.#log.warn(
          `Cannot open channel to ${to} at election address ${addresses.map(formatAddress).join('|')} (${(error as Error).message})`,
        )
      },
    )
  }

  /** Whose connection was lost may be dead: an election that comes of it must not wait for a vote then. */
  #lookAfter(sid: Sid): void {
    const nowMs = this.#clock.monotonicMs()
    if (nowMs - (this.#lookedAfterMs.get(sid) ?? Number.NEGATIVE_INFINITY) < lookAfterEveryMs) return
    this.#lookedAfterMs.set(sid, nowMs)
    this.#connect(sid)
  }

  #accept(connection: Connection): void {
    if (this.#incoming.size >= maxStrangers + this.#addresses.size) return connection.destroy()
    let received = Buffer.alloc(0)
    this.#incoming.add(connection)
    const timeout = this.#clock.after(handshakeMs, () => connection.destroy())
    const settle = () => {
      timeout.cancel()
      this.#incoming.delete(connection)
    }
    connection.onClose = settle
    connection.onData = chunk => {
      received = Buffer.concat([received, chunk])
      try {
        const request = readLoanRequest(received)
        if (request === null) return
        if (request !== undefined) {
          settle()
          return this.#lend(connection, request)
        }
        const initial = readInitialMessage(received)
        if (initial === null) return
        settle()
        this.#introduced(connection, initial.sid, initial.addresses, received.subarray(initial.end))
      } catch (error) {
        if (!(error instanceof MalformedBytesError)) throw error
        this.#log.warn(
          `Exception reading initial message from /${connection.remote.host}:${connection.remote.port}: ${error.message}`,
        )
        settle()
        connection.destroy()
      }
    }
  }

  #lend(connection: Connection, request: LoanRequest): void {
    connection.onData = () => {}
    if (this.#borrower !== null || !this.#addresses.has(request.sid)) return connection.destroy()
    this.#borrower = connection
    const timeout = this.#clock.after(lendingMs, () => connection.destroy())
    connection.onClose = () => {
      timeout.cancel()
      this.#borrower = null
    }
    this.#recordsFor(request).then(
      records => {
        const place = `behind 0x${formatZxid(request.before)}`
        this.#log.info(`Server ${request.sid} is sent ${records.length} bytes of the log from ${place}`)
        lend(connection, records)
      },
      error => {
        this.#log.warn(`Server ${request.sid} asked for records that could not be read`, error)
        connection.destroy()
      },
    )
  }

  #introduced(connection: Connection, given: Sid, addresses: readonly Address[], rest: Buffer): void {
    const sid = given === anonymousObserver ? this.#nextAnonymous-- : given
    if (sid === this.#myId) {
      this.#log.warn(
        `We got a connection request from a server with our own ID. This should be either a configuration error, or a bug.`,
      )
      return connection.destroy()
    }
    if (sid >= 0n && sid < this.#myId) {
      connection.destroy()
      if (!this.#addresses.has(sid) && !this.#admit(sid, addresses))
        return this.#log.warn(`Server ${sid} is not in the configuration: it is not called back`)
      this.#connections.get(sid)?.destroy()
      this.#connections.delete(sid)
      return this.#connect(sid)
    }
    this.#register(sid, connection, rest)
  }

  /** Whether a server that is in no configuration may be called at the addresses it named. */
  #admit(sid: Sid, addresses: readonly Address[]): boolean {
    const joiners = this.#joiners
    if (joiners === null || addresses.length === 0 || (!joiners.has(sid) && joiners.size >= maxStrangers))
      return false
    joiners.set(sid, addresses)
    return true
  }

  #register(sid: Sid, connection: Connection, received: Buffer): void {
    const older = this.#connections.get(sid)
    if (older === undefined && this.#connections.size >= maxStrangers + this.#addresses.size) {
      this.#log.warn(`Too many election connections: server ${sid} is turned away`)
      return connection.destroy()
    }
    this.#connections.set(sid, connection)
    older?.destroy()
    this.#onReach(sid, true)
    const decoder = new FrameDecoder(maxMessageBytes)
    connection.onClose = () => {
      if (this.#connections.get(sid) !== connection) return
      this.#connections.delete(sid)
      this.#heard.delete(sid)
      // Of strangers, who may come and go without end, nothing is kept.
      if (this.#addresses.has(sid)) this.#lookAfter(sid)
      else this.#last.delete(sid)
    }
    connection.onDrain = () => {
      const last = this.#last.get(sid)
      if (last !== undefined) connection.write(last)
    }
    connection.onData = chunk => {
      this.#heard.add(sid)
      try {
        decoder.push(chunk, frame => this.#onMessage(sid, frame))
      } catch (error) {
        if (!(error instanceof MalformedBytesError)) throw error
        this.#log.warn(`Connection broken for id ${sid}, my id = ${this.#myId}: ${error.message}`)
        connection.destroy()
      }
    }
    const last = this.#last.get(sid)
    if (last !== undefined) connection.write(last)
    if (received.length > 0) connection.onData(received)
  }
}

import { ByteReader, ByteWriter, FrameDecoder, MalformedBytesError } from '@vivarium/bytes'
import {
  type Address,
  assert,
  background,
  type Clock,
  type Connection,
  Fifo,
  type Log,
  type Network,
  type Random,
  type Timer,
} from '@vivarium/platform'
import {
  authPacket,
  connectRequest,
  encode,
  errorCode,
  errorName,
  formatZxid,
  opCode,
  readConnectResponse,
  replyHeader,
  specialXid,
  type WatcherEvent,
  watcherEvent,
} from '@vivarium/zookeeper-protocol'
import { type Event, Lifecycle, type Output, type State } from './lifecycle.ts'

/** Answers may be longer than what a server accepts; beyond this something is wrong. */
const maxFrameBytes = 64 * 1024 * 1024
/** Requests whose answer is outstanding or that wait for a connection: beyond either, new ones are refused. */
const maxRequests = 100_000
const maxRequestBytes = 256 * 1024 * 1024
/** The connection takes no more requests while this much is unsent. */
const maxUnsentBytes = 1024 * 1024

/** Called once: with 0 and the reader at the reply's body, or with an error code. May throw MalformedBytesError. */
export type Settle = (code: number, body: ByteReader) => void

interface Request {
  op: number
  body: Buffer
  settle: Settle
  /** When a request that still waits for a connection is given up. */
  waitUntilMs: number
}

interface Identity {
  scheme: string
  auth: Buffer
  /** Told of the first answer only; on later connections nobody waits. */
  settle: Settle | null
}

/** What a session tells its owner. */
export interface SessionEvents {
  state(state: State): void
  watch(event: WatcherEvent, zxid: bigint): void
  /** What the server must hear before anything else: watches. Asked each time a connection stands. */
  registrations(relativeZxid: bigint): { op: number; body: Buffer }[]
}

/** What a session is taken up with, by whoever knows it. */
export interface SessionSecret {
  id: bigint
  /** 16 bytes. */
  password: Buffer
}

export interface SessionOptions {
  hosts: readonly Address[]
  sessionTimeoutMs: number
  readOnly: boolean
  /** The session to go on with; null to begin one. */
  session: SessionSecret | null
  network: Network
  clock: Clock
  random: Random
  log: Log
}

const noBody = new ByteReader(Buffer.alloc(0))

/** Carries out a client's lifecycle over the network, and matches replies with requests. */
export class Session {
  readonly #options: SessionOptions
  readonly #events: SessionEvents
  readonly #lifecycle: Lifecycle
  readonly #identities: Identity[] = []
  /** Identities sent on this connection and not answered yet. Their answers may overtake others, not each other. */
  readonly #identitiesSent = new Fifo<Identity>()
  #connection: Connection | null = null
  #decoder = new FrameDecoder(maxFrameBytes)
  /** Tells the callbacks of one connection from those of the ones before. */
  #dialCount = 0
  #pause: Timer | null = null
  #timer: Timer | null = null
  #timerDueMs = Infinity
  #waiting = new Fifo<Request>()
  #sent = new Fifo<Request & { xid: number }>()
  #requestBytes = 0
  #nextXid = 1
  #id = 0n
  #password: Buffer = Buffer.alloc(16)
  #isReadOnly = false
  /** A session that a read-only server made is its own: no other server knows it. */
  #isSessionShared = false
  #lastZxid = 0n
  /** The last reason for which a server could not be used, for people. */
  lastProblem: Error | null = null

  constructor(options: SessionOptions, events: SessionEvents) {
    this.#options = options
    this.#events = events
    this.#lifecycle = new Lifecycle(options.hosts, options.sessionTimeoutMs)
    if (options.session !== null) {
      this.#id = options.session.id
      this.#password = options.session.password
      this.#isSessionShared = true
    }
    this.#carryOut(this.#lifecycle.start())
  }

  get id(): bigint {
    return this.#id
  }

  get password(): Buffer {
    return this.#password
  }

  get state(): State {
    return this.#lifecycle.state
  }

  get timeoutMs(): number {
    return this.#lifecycle.sessionTimeoutMs
  }

  get isReadOnly(): boolean {
    return this.#isReadOnly
  }

  /** The newest transaction this client has seen the effects of; it never connects to a server that is behind it. */
  get lastZxid(): bigint {
    return this.#lastZxid
  }

  /** The server it is connected to. */
  get server(): Address | null {
    return this.#lifecycle.phase === 'connected' ? this.#lifecycle.host : null
  }

  /**
   * Sends a request, at once or when the connection stands; requests leave, and are answered, in the order of the calls.
   * One that waits longer than the session's timeout for a connection ends with CONNECTIONLOSS.
   */
  request(op: number, body: Buffer, settle: Settle): void {
    const refusal = this.#refusal()
    if (refusal !== errorCode.OK) {
      settle(refusal, noBody)
      return
    }
    const waitUntilMs = this.#options.clock.monotonicMs() + this.#lifecycle.sessionTimeoutMs
    this.#requestBytes += body.length
    this.#waiting.push({ op, body, settle, waitUntilMs })
    if (this.#lifecycle.phase === 'connected') this.#sendWaiting()
    else this.#armTimer()
  }

  /** The error with which a new request ends at once, or OK. */
  #refusal(): number {
    switch (this.#lifecycle.phase) {
      case 'expired':
      case 'closing':
      case 'closed':
        return errorCode.SESSIONEXPIRED
      case 'auth-failed':
        return errorCode.AUTHFAILED
      default: {
        const count = this.#waiting.length + this.#sent.length
        return count >= maxRequests || this.#requestBytes >= maxRequestBytes
          ? errorCode.THROTTLEDOP
          : errorCode.OK
      }
    }
  }

  /** Adds an identity, now and on every later connection. */
  authenticate(scheme: string, auth: Buffer, settle: Settle | null): void {
    const identity = { scheme, auth, settle }
    this.#identities.push(identity)
    if (this.#lifecycle.phase === 'connected') this.#sendIdentity(identity)
  }

  /** Ends the session in order: what was asked before is answered first. */
  close(): void {
    this.#apply({ kind: 'close', nowMs: this.#options.clock.monotonicMs() })
  }

  #apply(event: Event): void {
    this.#carryOut(this.#lifecycle.step(event))
  }

  #carryOut(outputs: Output[]): void {
    for (const output of outputs) this.#carryOutOne(output)
    this.#armTimer()
  }

  #carryOutOne(output: Output): void {
    switch (output.kind) {
      case 'wait':
        this.#wait(output.minMs, output.maxMs)
        break
      case 'dial':
        background(this.#dial(output.host, output.timeoutMs), error => {
          throw error
        })
        break
      case 'present-session':
        this.#presentSession()
        break
      case 'resume':
        this.#resume()
        break
      case 'ping':
        this.#send(specialXid.ping, opCode.ping, null)
        break
      case 'close-session':
        this.#sendWaiting(Infinity)
        this.#send(this.#takeXid(), opCode.closeSession, null)
        break
      case 'drop-connection':
        this.#dropConnection()
        break
      case 'fail-requests':
        this.#failAll(output.code)
        break
      case 'state':
        this.#events.state(output.state)
    }
  }

  // ---- connections -------------------------------------------------------------------------------------------------

  #wait(minMs: number, maxMs: number): void {
    const { clock, random } = this.#options
    const delayMs = minMs + (maxMs > minMs ? random.below(maxMs - minMs) : 0)
    this.#pause = clock.after(delayMs, () => {
      this.#apply({ kind: 'wake', nowMs: clock.monotonicMs() })
    })
  }

  async #dial(host: Address, timeoutMs: number): Promise<void> {
    const { network, clock } = this.#options
    const dialCount = ++this.#dialCount
    let connection: Connection
    try {
      connection = await network.connect(host, { timeoutMs })
    } catch (error) {
      if (dialCount === this.#dialCount) this.#lose(error as Error)
      return
    }
    if (dialCount !== this.#dialCount) return connection.destroy()
    this.#connection = connection
    this.#decoder = new FrameDecoder(maxFrameBytes)
    connection.onData = chunk => {
      if (connection === this.#connection) this.#receive(connection, chunk)
    }
    connection.onDrain = () => {
      if (connection === this.#connection && this.#lifecycle.phase === 'connected') this.#sendWaiting()
    }
    connection.onClose = error => {
      if (connection === this.#connection) this.#lose(error ?? new Error('the server closed the connection'))
    }
    this.#apply({ kind: 'opened', nowMs: clock.monotonicMs() })
  }

  #dropConnection(): void {
    this.#dialCount++
    this.#pause?.cancel()
    this.#identitiesSent.takeAll()
    const connection = this.#connection
    this.#connection = null
    connection?.destroy()
  }

  /** The connection, or the attempt to get one, is of no more use. */
  #lose(reason: Error): void {
    const { host, port } = this.#lifecycle.host
    this.lastProblem = new Error(`${host}:${port}: ${reason.message}`, { cause: reason })
    if (this.#lifecycle.phase === 'connected') {
      this.#options.log.warn(
        `Session 0x${formatZxid(this.#id)} lost its server ${host}:${port}: ${reason.message}; reconnecting`,
      )
    } else {
      this.#options.log.debug(`No session with ${host}:${port}: ${reason.message}`)
    }
    this.#apply({ kind: 'lost', nowMs: this.#options.clock.monotonicMs() })
  }

  #presentSession(): void {
    const { sessionTimeoutMs, readOnly } = this.#options
    const body = encode(connectRequest, {
      protocolVersion: 0,
      lastZxidSeen: this.#lastZxid,
      timeOut: sessionTimeoutMs,
      sessionId: this.#isSessionShared ? this.#id : 0n,
      passwd: this.#isSessionShared ? this.#password : Buffer.alloc(16),
      readOnly,
    })
    this.#write(framed(body.length, writer => writer.bytes(body)))
  }

  #resume(): void {
    for (const identity of this.#identities) this.#sendIdentity(identity)
    for (const { op, body } of this.#events.registrations(this.#lastZxid))
      this.#send(specialXid.setWatches, op, body)
  }

  // ---- time ----------------------------------------------------------------------------------------------------------

  /** One timer for whatever runs out next. Deadlines mostly move away, so an armed timer is left until it fires. */
  #armTimer(): void {
    const dueMs = Math.min(
      this.#lifecycle.nextTickMs ?? Infinity,
      this.#waiting.peek()?.waitUntilMs ?? Infinity,
    )
    if (dueMs >= this.#timerDueMs && dueMs !== Infinity) return
    this.#timer?.cancel()
    this.#timer = null
    this.#timerDueMs = dueMs
    if (dueMs === Infinity) return
    const { clock } = this.#options
    this.#timer = clock.after(Math.max(0, dueMs - clock.monotonicMs()), () => this.#tick())
  }

  #tick(): void {
    const dueMs = this.#timerDueMs
    this.#timerDueMs = Infinity
    this.#timer = null
    const nowMs = this.#options.clock.monotonicMs()
    const phase = this.#lifecycle.phase
    const outputs = this.#lifecycle.tick(nowMs, dueMs)
    if (phase !== 'waiting' && this.#lifecycle.phase === 'waiting') {
      const { host, port } = this.#lifecycle.host
      this.lastProblem = new Error(`${host}:${port}: no answer in time (${phase})`)
      this.#options.log.warn(
        `Session 0x${formatZxid(this.#id)} heard nothing from ${host}:${port} in time (${phase}); trying the next server`,
      )
    }
    this.#carryOut(outputs)
    if (this.#lifecycle.phase !== 'connected') this.#giveUpWaiting(nowMs)
    this.#armTimer()
  }

  #giveUpWaiting(nowMs: number): void {
    for (
      let first = this.#waiting.peek();
      first !== undefined && first.waitUntilMs <= nowMs;
      first = this.#waiting.peek()
    ) {
      this.#finish(this.#waiting.shift()!, errorCode.CONNECTIONLOSS, noBody)
    }
  }

  // ---- sending --------------------------------------------------------------------------------------------------------

  #sendWaiting(unsentBytes = maxUnsentBytes): void {
    while (this.#waiting.length > 0) {
      if (this.#connection === null || this.#connection.pendingBytes > unsentBytes) return
      const { op, body, settle, waitUntilMs } = this.#waiting.shift()!
      const xid = this.#takeXid()
      this.#sent.push({ xid, op, body, settle, waitUntilMs })
      this.#send(xid, op, body)
    }
  }

  #sendIdentity(identity: Identity): void {
    const { scheme, auth } = identity
    this.#identitiesSent.push(identity)
    this.#send(specialXid.auth, opCode.auth, encode(authPacket, { type: 0, scheme, auth }))
  }

  #send(xid: number, op: number, body: Buffer | null): void {
    this.#write(
      framed(8 + (body?.length ?? 0), writer => {
        writer.int32(xid)
        writer.int32(op)
        if (body !== null) writer.bytes(body)
      }),
    )
  }

  #write(bytes: Buffer): void {
    this.#lifecycle.sent(this.#options.clock.monotonicMs())
    this.#connection?.write(bytes)
  }

  /** Positive ones only: the others have meanings of their own. */
  #takeXid(): number {
    const xid = this.#nextXid
    this.#nextXid = xid === 0x7fff_ffff ? 1 : xid + 1
    return xid
  }

  // ---- receiving ------------------------------------------------------------------------------------------------------

  #receive(connection: Connection, chunk: Buffer): void {
    this.#lifecycle.heard(this.#options.clock.monotonicMs())
    try {
      this.#decoder.push(chunk, frame => {
        // A frame may end the connection; what came behind it is then nobody's.
        if (connection === this.#connection) this.#frame(frame)
      })
    } catch (error) {
      if (!(error instanceof MalformedBytesError)) throw error
      if (connection === this.#connection) this.#lose(error)
    }
  }

  #frame(frame: Buffer): void {
    if (this.#lifecycle.phase === 'handshaking') {
      this.#sessionAnswer(frame)
      return
    }
    const reader = new ByteReader(frame)
    const { xid, zxid, err } = replyHeader.read(reader)
    switch (xid) {
      case specialXid.notification:
        // Its zxid is not taken for seen: other events of that transaction may follow, and be lost with the connection.
        this.#events.watch(watcherEvent.read(reader), zxid)
        break
      case specialXid.ping:
        break
      case specialXid.auth:
        this.#identityAnswer(err)
        break
      case specialXid.setWatches:
        if (err !== errorCode.OK) this.#lose(new Error(`the server refused the watches: ${errorName(err)}`))
        break
      default:
        this.#answer(xid, zxid, err, reader)
    }
  }

  #sessionAnswer(frame: Buffer): void {
    const nowMs = this.#options.clock.monotonicMs()
    const { host, port } = this.#lifecycle.host
    const { timeOut, sessionId, passwd, readOnly } = readConnectResponse(frame)
    if (timeOut <= 0) {
      this.#options.log.warn(`Session 0x${formatZxid(this.#id)} has expired, says ${host}:${port}`)
      this.#apply({ kind: 'refused', nowMs })
      return
    }
    this.#id = sessionId
    this.#password = Buffer.from(passwd ?? Buffer.alloc(16))
    this.#isReadOnly = readOnly
    this.#isSessionShared ||= !readOnly
    this.lastProblem = null
    this.#options.log.info(
      `Session 0x${formatZxid(sessionId)} established with ${host}:${port}, timeout ${timeOut} ms${readOnly ? ', read-only' : ''}`,
    )
    this.#apply({ kind: 'accepted', nowMs, timeoutMs: timeOut })
    if (this.#lifecycle.phase === 'connected') this.#sendWaiting()
  }

  #identityAnswer(err: number): void {
    if (err === errorCode.OK) {
      const identity = this.#identitiesSent.shift()
      if (identity !== undefined) settleIdentity(identity, err)
    } else {
      this.#options.log.error(`The server does not accept an identity of this client: ${errorName(err)}`)
      this.#apply({ kind: 'auth-refused', nowMs: this.#options.clock.monotonicMs() })
    }
  }

  #answer(xid: number, zxid: bigint, err: number, reader: ByteReader): void {
    const request = this.#sent.peek()
    if (request?.xid === xid) {
      this.#sent.shift()
      if (zxid > this.#lastZxid) this.#lastZxid = zxid
      this.#finish(request, err, reader)
    } else if (request === undefined && this.#lifecycle.phase === 'closing') {
      this.#apply({ kind: 'close-confirmed', nowMs: this.#options.clock.monotonicMs() })
    } else {
      this.#lose(new Error(`a reply to request ${xid} came when ${request?.xid ?? 'none'} was due`))
    }
  }

  #finish(request: Request, code: number, body: ByteReader): void {
    this.#requestBytes -= request.body.length
    assert(this.#requestBytes >= 0, 'every request is finished once')
    request.settle(code, body)
  }

  #failAll(code: number): void {
    const requests = [...this.#sent.takeAll(), ...this.#waiting.takeAll()]
    for (const request of requests) this.#finish(request, code, noBody)
    if (this.#lifecycle.phase === 'waiting') return
    for (const identity of this.#identities) settleIdentity(identity, code)
  }
}

function settleIdentity(identity: Identity, code: number): void {
  identity.settle?.(code, noBody)
  identity.settle = null
}

function framed(length: number, fill: (writer: ByteWriter) => void): Buffer {
  const writer = new ByteWriter(4 + length)
  writer.int32(length)
  fill(writer)
  return writer.written()
}

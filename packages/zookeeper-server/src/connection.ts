import { ByteReader, FrameDecoder, MalformedBytesError, Span } from '@vivarium/bytes'
import { type Clock, type Connection, Fifo, type Log } from '@vivarium/platform'
import {
  type Acl,
  authPacket,
  type ConnectRequest,
  errorCode,
  extensionOpCode,
  type Id,
  opCode,
  operationNames,
  permission,
  readConnectRequest,
  replyHeader,
  syncRequest,
  writeConnectResponse,
} from '@vivarium/zookeeper-protocol'
import { isFourLetterWord } from './admin/four-letter-words.ts'
import { Answers } from './answers.ts'
import type { Applied, DataTree } from './data-tree.ts'
import type { LargeRequests } from './large-requests.ts'
import { isSync, type PendingOperation, writeOpCodes } from './pending-operation.ts'
import { digestIdentity, isAllowed, superScheme } from './pipeline/access.ts'
import { lookAhead } from './pipeline/look-ahead.ts'
import { answerRead, type ReadContext, readOpCodes, tooLong } from './pipeline/reads.ts'
import { writeResult } from './pipeline/write-result.ts'
import { ReplyStream, type ReplyWriters } from './reply-stream.ts'
import type { ServerStats } from './stats.ts'
import type { Watcher, Watches } from './watches.ts'

/** What a connection asks of its server. */
export interface ConnectionHost {
  readonly tree: DataTree
  readonly watches: Watches
  readonly stats: ServerStats
  readonly clock: Clock
  readonly log: Log
  readonly largeRequests: LargeRequests
  readonly writers: ReplyWriters
  readonly limits: {
    maxBuffer: number
    skipAcl: boolean
    maxReplyBytes: number
    extensions: boolean
    digestAuth: boolean
    superDigest: string | null
    outstanding: number
  }
  /** Requests of all connections that wait for their transaction. */
  outstanding: number
  /** Whether it serves without a quorum; clients are told. */
  readonly isReadOnly: boolean
  /** Answers with `sessionGranted` or `sessionRefused`, now or later; or closes. */
  connect(connection: ClientConnection, request: ConnectRequest): void
  /** Puts a write in order, and `committed` follows; or, for a sync, `synced` once everything committed so far is here. */
  submit(connection: ClientConnection, operation: PendingOperation): void
  touch(connection: ClientConnection): void
  answerWord(word: string, connection: ClientConnection): string | Promise<string>
  /** A write or sync is answered, or nobody waits for it any more. */
  finished(operation: PendingOperation): void
  closed(connection: ClientConnection): void
}

/** Above this many bytes of unread replies, a client is not read from. */
const maxUnsentBytes = 4 * 1024 * 1024
const maxEarlyFrames = 10_000
const requestHeaderBytes = 8
/** A request that is too long is answered with an error; what says to be longer than this is none. */
const maxRefusedBytes = 64 * 1024 * 1024
const noPassword = Buffer.alloc(16)
const noBody = new Span(Buffer.alloc(0))

/** One client's connection: frames in, replies and events out, in order. */
export class ClientConnection implements Watcher {
  readonly socket: Connection
  readonly #host: ConnectionHost
  readonly #decoder: FrameDecoder
  #state: 'new' | 'connecting' | 'serving' | 'closed' = 'new'
  #firstBytes: Buffer = Buffer.alloc(0)
  #early: Span[] = []
  readonly #queue = new Fifo<PendingOperation>()
  /** The connect request has come; its answer may be out still. */
  #knowsConnect = false
  #knowsReadOnly = false
  readonly #replies: ReplyStream
  /** What reads are judged by; made anew when the identities change. */
  #context: ReadContext | null = null
  #isPaused = false
  #receivedMs = 0
  /** What the frame that is being received takes among the large requests. */
  #expected = 0

  sessionId = 0n
  sessionTimeoutMs = 0
  /** Whatever the server keeps for the session of this connection. */
  session: unknown = null
  identities: Id[]

  // For `cons`.
  readonly establishedWallMs: number
  received = 0
  readonly answers: Answers = new Answers()

  constructor(socket: Connection, host: ConnectionHost) {
    this.socket = socket
    this.#host = host
    this.#replies = new ReplyStream(socket, host.stats, host.writers, () =>
      this.answers.leave(host.clock, host.tree.lastProcessedZxid, host.stats),
    )
    this.#decoder = new FrameDecoder(host.limits.maxBuffer, {
      maxBytes: maxRefusedBytes,
      headBytes: requestHeaderBytes,
      onFrame: (head, length) => this.#refuseOversized(head, length),
    })
    this.identities = [{ scheme: 'ip', id: socket.remote.host }]
    this.establishedWallMs = host.clock.wallMs()
    socket.onData = chunk => this.#receive(chunk)
    socket.onClose = () => this.#closed()
    socket.onDrain = () => this.#resumeIfPossible()
  }

  get sent(): number {
    return this.#replies.sent
  }

  get outstanding(): number {
    return this.#queue.length
  }

  /** xids of writes whose transaction is still to come, oldest first. */
  unansweredWrites(): number[] {
    return [...this.#queue].filter(o => o.isWaiting && !isSync(o.opCode)).map(o => o.xid)
  }

  get hasSession(): boolean {
    return this.#state === 'serving'
  }

  get remoteText(): string {
    return `/${this.socket.remote.host}:${this.socket.remote.port}`
  }

  get isReadable(): boolean {
    return !this.#isPaused
  }

  // ---- receiving -----------------------------------------------------------------------------------------------------

  #receive(chunk: Buffer): void {
    if (this.#state === 'closed') return
    const { stats, clock } = this.#host
    stats.bytesReceived += chunk.length
    this.#receivedMs = clock.monotonicMs()
    let bytes = chunk
    if (this.#state === 'new') {
      bytes = this.#firstBytes.length === 0 ? chunk : Buffer.concat([this.#firstBytes, chunk])
      if (bytes.length < 4) {
        this.#firstBytes = bytes
        return
      }
      this.#firstBytes = Buffer.alloc(0)
      const word = bytes.toString('latin1', 0, 4)
      if (isFourLetterWord(word)) return this.#answerWord(word)
      this.#state = 'connecting'
    }
    if (this.#state === 'serving' && this.#decoder.bufferedBytes === 0)
      lookAhead(this.#host.tree.nodes, bytes)
    try {
      this.#decoder.locate(bytes, this.#onFrame)
    } catch (error) {
      if (!(error instanceof MalformedBytesError)) throw error
      this.#warnOfLength(Number(/-?\d+/.exec(error.message)?.[0]))
      this.close()
      return
    }
    this.#expect(this.#decoder.expectedBytes)
    if (this.session !== null && this.#state === 'serving') this.#host.touch(this)
    this.#pauseIfNeeded()
  }

  #warnOfLength(length: number): void {
    this.#host.stats.oversizedRequests++
    this.#host.log.warn(
      `Len error. A message from ${this.remoteText} with advertised length of ${length} is either a malformed message or too large to process ` +
        `(length is greater than jute.maxbuffer=${this.#host.limits.maxBuffer})`,
    )
  }

  /** Apache closes the connection: its client reports the same loss here, and the rest of its requests go on. */
  #refuseOversized(head: Buffer, length: number): void {
    if (this.#state === 'closed') return
    this.#warnOfLength(length)
    if (this.#state !== 'serving') return this.close()
    this.#refuse(head.readInt32BE(0), head.readInt32BE(4), errorCode.CONNECTIONLOSS)
  }

  /** A frame of that length is on its way. */
  #expect(length: number): void {
    const { largeRequests, limits } = this.#host
    if (this.#expected !== 0 || !largeRequests.isLarge(length) || length > limits.maxBuffer) return
    if (largeRequests.take(length)) this.#expected = length
    else this.#rejectLarge()
  }

  #rejectLarge(): void {
    this.#host.stats.oversizedRequests++
    this.#host.log.warn(`Closing ${this.remoteText}: there is no room for one more large request now`)
    this.close()
  }

  /** The bytes that a frame takes among the large requests, 0 if it is none; null if there is no room for it. */
  #largeBytesOf(length: number): number | null {
    if (!this.#host.largeRequests.isLarge(length)) return 0
    const expected = this.#expected
    this.#expected = 0
    if (expected !== 0) return expected
    return this.#host.largeRequests.take(length) ? length : null
  }

  #answerWord(word: string): void {
    // Apache logs this at info; a monitor that asks every second would drown what operators look for.
    this.#host.log.debug(`Processing ${word} command from ${this.remoteText}`)
    this.#state = 'closed'
    const answer = this.#host.answerWord(word, this)
    if (typeof answer === 'string') return this.#endWith(answer)
    // Whoever asked has closed its half perhaps, and the whole must not end before the answer.
    this.socket.pause()
    answer.then(
      text => this.#endWith(text),
      error => {
        this.#host.log.warn(`${word} from ${this.remoteText} could not be answered`, error)
        this.#endWith('')
      },
    )
  }

  #endWith(text: string): void {
    this.socket.write(Buffer.from(text))
    this.socket.end()
    this.socket.resume()
    this.#host.closed(this)
  }

  readonly #onFrame = (bytes: Buffer, start: number, end: number): void => {
    if (this.#state === 'closed') return
    this.received++
    this.#host.stats.packetsReceived++
    if (this.#state === 'serving') return this.#request(bytes, start, end)
    if (this.#knowsConnect) {
      this.#early.push(new Span(bytes, start, end))
      if (this.#early.length > maxEarlyFrames) this.close()
      return
    }
    this.#knowsConnect = true
    let request: ConnectRequest
    try {
      const read = readConnectRequest(bytes.subarray(start, end))
      request = read.request
      this.#knowsReadOnly = read.knowsReadOnly
    } catch (error) {
      if (!(error instanceof MalformedBytesError)) throw error
      this.#host.log.warn(
        `Exception causing close of session 0x0 from ${this.remoteText}: the connect request cannot be read (${error.message})`,
      )
      this.close()
      return
    }
    this.#host.connect(this, request)
  }

  #request(bytes: Buffer, start: number, end: number): void {
    const largeBytes = this.#largeBytesOf(end - start)
    if (largeBytes === null) return this.#rejectLarge()
    // What does not wait has been carried out.
    if (!this.#begin(bytes, start, end, largeBytes) && largeBytes > 0)
      this.#host.largeRequests.release(largeBytes)
  }

  /** Whether the request waits for its turn, with what it takes among the large ones. */
  #begin(bytes: Buffer, start: number, end: number, largeBytes: number): boolean {
    if (end - start < requestHeaderBytes) {
      this.#host.log.warn(`Closing ${this.remoteText}: a request of ${end - start} bytes has no header`)
      this.close()
      return false
    }
    const xid = bytes.readInt32BE(start)
    const code = bytes.readInt32BE(start + 4)
    const isRead = readOpCodes.has(code)
    // The common case makes nothing: no operation, no place to remember.
    if (isRead && this.#queue.length === 0) {
      this.#answerRead(xid, code, bytes, start + requestHeaderBytes, end, this.#receivedMs)
      return false
    }
    const body = new Span(bytes, start + requestHeaderBytes, end)
    if (code === opCode.auth) {
      this.#authenticate(xid, body)
      return false
    }
    if (code === opCode.sasl) {
      this.#refuseSasl(xid)
      return false
    }
    if (!isRead && !this.#isKnown(code)) {
      this.#host.log.warn(`Received an unknown operation ${code} from ${this.remoteText}`)
      this.#refuse(xid, code, errorCode.UNIMPLEMENTED)
      return false
    }
    const operation = this.#operation(xid, code, body, !isRead, null, largeBytes)
    this.#queue.push(operation)
    if (isRead) return true
    this.#host.outstanding++
    this.#host.submit(this, operation)
    return true
  }

  /** Whether it is a write or a sync. */
  #isKnown(code: number): boolean {
    if (code === extensionOpCode.deleteRecursive || code === extensionOpCode.linearizableRead)
      return this.#host.limits.extensions
    return writeOpCodes.has(code) || code === opCode.sync
  }

  #operation(
    xid: number,
    code: number,
    body: Span,
    isWaiting: boolean,
    verdict: number | null,
    largeBytes: number,
  ): PendingOperation {
    return {
      sessionId: this.sessionId,
      xid,
      opCode: code,
      body,
      identities: this.identities,
      owner: this,
      receivedMs: this.#receivedMs,
      isWaiting,
      verdict,
      largeBytes,
    }
  }

  /** It is answered with an error when its turn comes, and nothing else happens. */
  #refuse(xid: number, code: number, verdict: number): void {
    this.#queue.push(this.#operation(xid, code, noBody, false, verdict, 0))
    if (this.#queue.length === 1) this.#answerReadsInTurn()
  }

  // ---- the session ------------------------------------------------------------------------------------------------

  sessionGranted(id: bigint, timeoutMs: number, password: Buffer, session: unknown): void {
    if (this.#state === 'closed') return
    this.sessionId = id
    this.#context = null
    this.sessionTimeoutMs = timeoutMs
    this.session = session
    this.#state = 'serving'
    this.answers.written(0, opCode.createSession, this.#receivedMs)
    this.#writeConnect(timeoutMs, id, password)
    const early = this.#early
    this.#early = []
    for (const { bytes, start, end } of early) if (this.#isServing()) this.#request(bytes, start, end)
    this.#resumeIfPossible()
  }

  #isServing(): boolean {
    return this.#state === 'serving'
  }

  /** The session the client came with is gone, or was never its own. */
  sessionRefused(): void {
    if (this.#state === 'closed') return
    this.#writeConnect(0, 0n, noPassword)
    this.closeAfterFlush()
  }

  #writeConnect(timeOut: number, sessionId: bigint, passwd: Buffer): void {
    const start = this.#replies.begin()
    writeConnectResponse(
      this.#replies.out,
      { protocolVersion: 0, timeOut, sessionId, passwd, readOnly: this.#host.isReadOnly },
      this.#knowsReadOnly,
    )
    this.#replies.end(start)
  }

  #authenticate(xid: number, body: Span): void {
    const { limits, stats, log } = this.#host
    let scheme: string | null = null
    let auth: Buffer | null = null
    try {
      ;({ scheme, auth } = authPacket.read(body.reader()))
    } catch (error) {
      if (!(error instanceof MalformedBytesError)) throw error
    }
    if (scheme === 'digest' && limits.digestAuth && auth !== null) {
      const identity = digestIdentity(auth.toString('utf8'))
      this.#addIdentity({ scheme: 'digest', id: identity })
      if (identity === limits.superDigest) this.#addIdentity({ scheme: superScheme, id: '' })
    } else if (scheme !== 'ip') {
      stats.authFailures++
      log.warn(`Authentication failed for scheme: ${scheme}, client ${this.remoteText}`)
      this.#replies.header(xid, 0n, errorCode.AUTHFAILED)
      this.closeAfterFlush()
      return
    }
    log.debug(`Authentication succeeded for scheme: ${scheme}`)
    this.#replies.header(xid, 0n, errorCode.OK)
  }

  #addIdentity(identity: Id): void {
    const known = this.identities.some(other => other.scheme === identity.scheme && other.id === identity.id)
    if (known) return
    this.identities = [...this.identities, identity]
    this.#context = null
  }

  /** SASL is not set up: an answer without a token tells the client to go on without. */
  #refuseSasl(xid: number): void {
    const start = this.#replies.begin()
    replyHeader.write(this.#replies.out, { xid, zxid: 0n, err: errorCode.OK })
    this.#replies.out.int32(-1)
    this.#replies.end(start)
  }

  // ---- answers ----------------------------------------------------------------------------------------------------

  #readContext(): ReadContext {
    if (this.#context === null) {
      const { tree, watches, limits } = this.#host
      const { sessionId, identities } = this
      const { skipAcl, extensions } = limits
      this.#context = { tree, watches, watcher: this, sessionId, identities, skipAcl, extensions, end: 0 }
    }
    return this.#context
  }

  /** The request record lies in `bytes` from `at` to `end`. */
  #answerRead(xid: number, code: number, bytes: Buffer, at: number, end: number, receivedMs: number): void {
    const { out } = this.#replies
    const start = this.#replies.begin()
    const zxid = this.#host.tree.lastProcessedZxid
    out.int32(xid)
    out.int64(zxid)
    out.int32(0)
    const context = this.#readContext()
    context.end = out.length + this.#host.limits.maxReplyBytes
    let err: number
    try {
      err = answerRead(code, new ByteReader(bytes, at, end), context, out)
    } catch (error) {
      if (!(error instanceof MalformedBytesError)) throw error
      err = errorCode.MARSHALLINGERROR
    }
    if (err === errorCode.OK && out.length > context.end) err = tooLong
    if (err === tooLong) this.#warnOfReply(code)
    if (err !== errorCode.OK) {
      out.truncate(start + 20)
      out.patchInt32(start + 16, err)
    }
    this.#replies.end(start)
    this.answers.written(xid, code, receivedMs)
  }

  #warnOfReply(code: number): void {
    this.#host.log.warn(
      `The reply to ${operationNames[code] ?? code} of ${this.remoteText} is longer than reply.maxBytes=${this.#host.limits.maxReplyBytes}: it is answered with an error`,
    )
  }

  /** The transaction of the oldest waiting write has been applied. False if it is none of this connection's. */
  committed(xid: number, code: number, applied: Applied, zxid: bigint): boolean {
    const operation = this.#queue.peek()
    if (operation === undefined || !operation.isWaiting || operation.xid !== xid || isSync(operation.opCode))
      return false
    this.#queue.shift()
    this.#host.largeRequests.release(operation.largeBytes)
    if (applied.err === errorCode.SESSIONMOVED) {
      this.#host.finished(operation)
      this.close()
      return true
    }
    const { out } = this.#replies
    const start = this.#replies.begin()
    out.int32(xid)
    out.int64(zxid)
    out.int32(applied.err)
    // It is logged as a multi, which nobody asked for.
    if (applied.err === errorCode.OK && operation.opCode !== extensionOpCode.deleteRecursive)
      writeResult(out, code === opCode.error ? operation.opCode : code, applied)
    this.#replies.end(start)
    this.answers.written(operation.xid, operation.opCode, operation.receivedMs)
    // What takes its place may be answered at once, and that comes behind this answer.
    this.#host.finished(operation)
    if (operation.opCode === opCode.closeSession) this.closeAfterFlush()
    else this.#answerReadsInTurn()
    return true
  }

  /** It is answered without a transaction, with OK or an error, when its turn comes. */
  settled(operation: PendingOperation, verdict: number): void {
    operation.isWaiting = false
    operation.verdict = verdict
    this.#host.finished(operation)
    if (this.#queue.peek() === operation) this.#answerReadsInTurn()
  }

  /** Everything committed when the sync was asked for is here. */
  synced(operation: PendingOperation): void {
    operation.isWaiting = false
    this.#host.finished(operation)
    if (this.#queue.peek() === operation) this.#answerReadsInTurn()
  }

  #answerReadsInTurn(): void {
    for (let operation = this.#queue.peek(); operation !== undefined; operation = this.#queue.peek()) {
      if (operation.isWaiting || this.#state !== 'serving') break
      this.#queue.shift()
      this.#host.largeRequests.release(operation.largeBytes)
      if (operation.verdict !== null) this.#answerVerdict(operation, operation.verdict)
      else if (operation.opCode === opCode.sync) this.#answerSync(operation)
      else if (operation.opCode === extensionOpCode.linearizableRead) this.#answerSyncedRead(operation)
      else this.#answerReadInTurn(operation)
    }
    this.#resumeIfPossible()
  }

  #answerReadInTurn({ xid, opCode: code, body, receivedMs }: PendingOperation): void {
    this.#answerRead(xid, code, body.bytes, body.start, body.end, receivedMs)
  }

  #answerVerdict(operation: PendingOperation, verdict: number): void {
    // What is no operation is answered without a place in the order, as in Apache.
    const zxid = verdict === errorCode.UNIMPLEMENTED ? -1n : this.#host.tree.lastProcessedZxid
    this.#replies.header(operation.xid, zxid, verdict)
    this.answers.written(operation.xid, operation.opCode, operation.receivedMs)
    if (operation.opCode === opCode.closeSession && verdict === errorCode.OK) this.closeAfterFlush()
  }

  /** The opcode of the read stands before its request. */
  #answerSyncedRead({ xid, body, receivedMs }: PendingOperation): void {
    const code = body.length < 4 ? 0 : body.reader().int32()
    this.#answerRead(xid, code, body.bytes, body.start + Math.min(4, body.length), body.end, receivedMs)
  }

  #answerSync(operation: PendingOperation): void {
    const start = this.#replies.begin()
    const { lastProcessedZxid } = this.#host.tree
    try {
      const { path } = syncRequest.read(operation.body.reader())
      replyHeader.write(this.#replies.out, { xid: operation.xid, zxid: lastProcessedZxid, err: errorCode.OK })
      syncRequest.write(this.#replies.out, { path })
    } catch (error) {
      if (!(error instanceof MalformedBytesError)) throw error
      replyHeader.write(this.#replies.out, {
        xid: operation.xid,
        zxid: lastProcessedZxid,
        err: errorCode.MARSHALLINGERROR,
      })
    }
    this.#replies.end(start)
    this.answers.written(operation.xid, operation.opCode, operation.receivedMs)
  }

  notify(type: number, path: string, zxid: bigint, acl: readonly Acl[] | null): void {
    if (this.#state !== 'serving') return
    const mayKnow =
      acl === null || this.#host.limits.skipAcl || isAllowed(acl, permission.READ, this.identities)
    if (!mayKnow) return
    this.#replies.event(type, path, zxid)
  }

  resetStats(): void {
    this.received = 0
    this.#replies.sent = 0
    this.answers.latencyMs.reset()
  }

  // ---- holding back -------------------------------------------------------------------------------------------------

  #pauseIfNeeded(): void {
    if (this.#isPaused || this.#state === 'closed') return
    const isCrowded = this.#host.outstanding > this.#host.limits.outstanding && this.#queue.length > 0
    const isWaitingForSession = this.#state === 'connecting' && this.#knowsConnect
    if (!isCrowded && !isWaitingForSession && this.socket.pendingBytes < maxUnsentBytes) return
    this.#isPaused = true
    this.socket.pause()
  }

  #resumeIfPossible(): void {
    if (!this.#isPaused || this.#state === 'closed') return
    const isCrowded = this.#host.outstanding > this.#host.limits.outstanding && this.#queue.length > 0
    if (isCrowded || this.socket.pendingBytes >= maxUnsentBytes || this.#state === 'connecting') return
    this.#isPaused = false
    this.socket.resume()
  }

  // ---- the end --------------------------------------------------------------------------------------------------------

  /** Sends what is answered, then closes. */
  closeAfterFlush(): void {
    if (this.#state === 'closed') return
    this.#replies.flush()
    this.socket.end()
    this.#closed()
  }

  close(): void {
    if (this.#state === 'closed') return
    this.socket.destroy()
    this.#closed()
  }

  #closed(): void {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    const left = this.#queue.takeAll()
    this.#early = []
    this.#host.closed(this)
    this.#host.largeRequests.release(this.#expected)
    this.#expected = 0
    for (const operation of left) {
      this.#host.largeRequests.release(operation.largeBytes)
      if (operation.isWaiting) this.#host.finished(operation)
    }
  }
}

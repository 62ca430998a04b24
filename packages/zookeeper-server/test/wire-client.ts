import { connect as connectSocket, type Socket } from 'node:net'
import { ByteReader, ByteWriter, FrameDecoder } from '@vivarium/bytes'
import {
  addWatchRequest,
  authPacket,
  connectRequest,
  createRequest,
  createResponse,
  decode,
  deleteRequest,
  encode,
  existsResponse,
  getChildrenResponse,
  getDataRequest,
  getDataResponse,
  type JuteRecord,
  type MultiOp,
  type MultiResult,
  opCode,
  openAcl,
  readConnectResponse,
  readMultiResponse,
  type Stat,
  setDataRequest,
  setDataResponse,
  type WatcherEvent,
  watcherEvent,
  writeMultiRequest,
} from '@vivarium/zookeeper-protocol'

export interface Reply {
  xid: number
  zxid: bigint
  err: number
  body: Buffer
}

export interface ConnectOptions {
  timeoutMs?: number
  sessionId?: bigint
  password?: Buffer
  lastZxidSeen?: bigint
  /** Clients before 3.4 leave the readOnly byte out. */
  isLegacy?: boolean
}

/** A client of bytes: says exactly what it is told and hands back exactly what comes. */
export class WireClient implements AsyncDisposable {
  readonly socket: Socket
  readonly #decoder = new FrameDecoder(64 * 1024 * 1024)
  readonly #frames: Buffer[] = []
  readonly #waiting: ((frame: Buffer | null) => void)[] = []
  #isClosed = false
  #xid = 0
  sessionId = 0n
  password: Buffer = Buffer.alloc(16)
  timeoutMs = 0
  /** Body of the connect reply; empty if the server closed without one. */
  connectReply: Buffer = Buffer.alloc(0)
  /** Events met while replies were awaited, each with the zxid in its header. */
  readonly events: (WatcherEvent & { zxid: bigint })[] = []

  private constructor(socket: Socket) {
    this.socket = socket
    socket.on('data', chunk => {
      this.#decoder.push(chunk as Buffer, frame => {
        const waiting = this.#waiting.shift()
        if (waiting === undefined) this.#frames.push(frame)
        else waiting(frame)
      })
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#isClosed = true
      for (const waiting of this.#waiting.splice(0)) waiting(null)
    })
  }

  static async open(port: number): Promise<WireClient> {
    const socket = connectSocket(port, '127.0.0.1')
    socket.setNoDelay(true)
    const client = new WireClient(socket)
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    return client
  }

  /** Opens a connection with a session, a new one unless `options` name one. */
  static async connect(port: number, options: ConnectOptions = {}): Promise<WireClient> {
    const client = await WireClient.open(port)
    const request = encode(connectRequest, {
      protocolVersion: 0,
      lastZxidSeen: options.lastZxidSeen ?? 0n,
      timeOut: options.timeoutMs ?? 10_000,
      sessionId: options.sessionId ?? 0n,
      passwd: options.password ?? Buffer.alloc(16),
      readOnly: false,
    })
    client.sendFrame(options.isLegacy ? request.subarray(0, -1) : request)
    const reply = await client.nextFrame()
    if (reply === null) return client
    client.connectReply = reply
    const { sessionId, passwd, timeOut } = readConnectResponse(reply)
    client.sessionId = sessionId
    client.password = passwd!
    client.timeoutMs = timeOut
    return client
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  sendBytes(bytes: Buffer): void {
    this.socket.write(bytes)
  }

  sendFrame(body: Buffer): void {
    const length = Buffer.alloc(4)
    length.writeInt32BE(body.length)
    this.socket.write(Buffer.concat([length, body]))
  }

  /** Sends a request without waiting; gives its xid. */
  send(code: number, body: Buffer = Buffer.alloc(0), xid: number = ++this.#xid): number {
    const header = Buffer.alloc(8)
    header.writeInt32BE(xid, 0)
    header.writeInt32BE(code, 4)
    this.sendFrame(Buffer.concat([header, body]))
    return xid
  }

  /** The next frame, event or reply; null once the server has closed. */
  nextFrame(): Promise<Buffer | null> {
    const frame = this.#frames.shift()
    if (frame !== undefined) return Promise.resolve(frame)
    if (this.#isClosed) return Promise.resolve(null)
    return new Promise(resolve => this.#waiting.push(resolve))
  }

  /** The next reply; events before it go to `events`. Null once the server has closed. */
  async nextReply(): Promise<Reply | null> {
    for (;;) {
      const frame = await this.nextFrame()
      if (frame === null) return null
      const reply = {
        xid: frame.readInt32BE(0),
        zxid: frame.readBigInt64BE(4),
        err: frame.readInt32BE(12),
        body: frame.subarray(16),
      }
      if (reply.xid !== -1) return reply
      this.events.push({ ...decode(watcherEvent, reply.body), zxid: reply.zxid })
    }
  }

  /** Sends a request and takes the next reply, which must be its own. */
  async call(code: number, body?: Buffer, xid?: number): Promise<Reply> {
    const sent = this.send(code, body, xid)
    const reply = await this.nextReply()
    if (reply === null) throw new Error(`the server closed instead of answering operation ${code}`)
    if (reply.xid !== sent) throw new Error(`reply ${reply.xid} came instead of ${sent}`)
    return reply
  }

  request<T>(
    code: number,
    record: Pick<JuteRecord<never>, never> & { write: unknown },
    value: T,
  ): Promise<Reply> {
    return this.call(code, encode(record as never, value as never))
  }

  /** The created path, or the error. */
  async create(path: string, data: string | Buffer | null = '', flags = 0): Promise<string | number> {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data
    const body = encode(createRequest, { path, data: bytes, acl: [...openAcl], flags })
    const { err, body: answer } = await this.call(opCode.create, body)
    return err === 0 ? decode(createResponse, answer).path : err
  }

  async get(path: string, watch = false): Promise<{ err: number; data: Buffer | null; stat: Stat | null }> {
    const { err, body } = await this.call(opCode.getData, encode(getDataRequest, { path, watch }))
    return err === 0 ? { err, ...decode(getDataResponse, body) } : { err, data: null, stat: null }
  }

  async exists(path: string, watch = false): Promise<{ err: number; stat: Stat | null }> {
    const { err, body } = await this.call(opCode.exists, encode(getDataRequest, { path, watch }))
    return err === 0 ? { err, stat: decode(existsResponse, body).stat } : { err, stat: null }
  }

  async children(path: string, watch = false): Promise<string[] | number> {
    const { err, body } = await this.call(opCode.getChildren, encode(getDataRequest, { path, watch }))
    return err === 0 ? decode(getChildrenResponse, body).children.sort() : err
  }

  async set(path: string, data: string, version = -1): Promise<{ err: number; stat: Stat | null }> {
    const body = encode(setDataRequest, { path, data: Buffer.from(data), version })
    const { err, body: answer } = await this.call(opCode.setData, body)
    return err === 0 ? { err, stat: decode(setDataResponse, answer).stat } : { err, stat: null }
  }

  async delete(path: string, version = -1): Promise<number> {
    return (await this.call(opCode.delete, encode(deleteRequest, { path, version }))).err
  }

  async addWatch(path: string, mode: number): Promise<Reply> {
    return this.call(opCode.addWatch, encode(addWatchRequest, { path, mode }))
  }

  async authenticate(scheme: string, auth: string): Promise<number> {
    const body = encode(authPacket, { type: 0, scheme, auth: Buffer.from(auth) })
    return (await this.call(opCode.auth, body, -4)).err
  }

  async multi(
    ops: readonly MultiOp[],
    code: number = opCode.multi,
  ): Promise<Reply & { results: MultiResult[] }> {
    const writer = new ByteWriter()
    writeMultiRequest(writer, ops)
    const reply = await this.call(code, Buffer.from(writer.written()))
    return { ...reply, results: reply.err === 0 ? readMultiResponse(new ByteReader(reply.body)) : [] }
  }

  /** Pings, so that events sent before have arrived when this resolves; gives and forgets them. */
  async heard(): Promise<(WatcherEvent & { zxid: bigint })[]> {
    await this.call(opCode.ping, Buffer.alloc(0), -2)
    return this.events.splice(0)
  }

  async closeSession(): Promise<Reply> {
    return this.call(opCode.closeSession)
  }

  /** Resolves when the server has closed the connection. */
  async closed(): Promise<void> {
    while ((await this.nextFrame()) !== null);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.destroy()
  }
}

/** The text a server answers to a four-letter word, read whole. */
export async function fourLetterWord(port: number, word: string, patienceMs = 30_000): Promise<string> {
  const socket = connectSocket(port, '127.0.0.1')
  socket.setTimeout(patienceMs, () =>
    socket.destroy(new Error(`the server on port ${port} leaves ${word} unanswered for ${patienceMs} ms`)),
  )
  socket.end(word)
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

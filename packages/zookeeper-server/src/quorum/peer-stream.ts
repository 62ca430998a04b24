import { ByteReader, ByteWriter, MalformedBytesError, readInt64 } from '@vivarium/bytes'
import type { Clock, Connection, Timer } from '@vivarium/platform'
import { type Id, id, type QuorumPacket } from '@vivarium/zookeeper-protocol'
import type { ByteSource } from './replica.ts'

/** Far above any transaction: jute.maxbuffer bounds what a client can send. */
const maxDataBytes = 64 * 1024 * 1024
const maxIdentities = 1000
const maxIdentityBytes = 1024 * 1024
/** Unread bytes at which the peer is held back. */
const maxBufferedBytes = 16 * 1024 * 1024

/**
 * A connection between leader and learner: quorum packets without length prefix, and in between, after SNAP, a database as
 * raw bytes. What is written in one turn of the event loop leaves together.
 */
export class PeerStream implements ByteSource {
  readonly #connection: Connection
  readonly #clock: Clock
  #buffer: Buffer = Buffer.alloc(0)
  #offset = 0
  #error: Error | null = null
  #waiting: { resolve: () => void; reject: (error: Error) => void } | null = null
  #isPaused = false
  readonly #out = new ByteWriter(4096)
  #isFlushQueued = false
  #drained: (() => void) | null = null
  readonly #timer: Timer
  #limitMs: number
  #heardMs: number

  constructor(connection: Connection, clock: Clock, limitMs: number) {
    this.#connection = connection
    this.#clock = clock
    this.#limitMs = limitMs
    this.#heardMs = clock.monotonicMs()
    this.#timer = clock.every(Math.max(10, limitMs / 20), () => this.#checkTime())
    connection.onData = chunk => this.#receive(chunk)
    connection.onClose = error => this.#end(error ?? new Error('the connection was closed'))
    connection.onDrain = () => {
      // It takes what it is sent: it lives.
      this.#heardMs = this.#clock.monotonicMs()
      const drained = this.#drained
      this.#drained = null
      drained?.()
    }
  }

  get remoteText(): string {
    return `/${this.#connection.remote.host}:${this.#connection.remote.port}`
  }

  get isClosed(): boolean {
    return this.#error !== null
  }

  get queuedBytes(): number {
    return this.#out.length + this.#connection.pendingBytes
  }

  /** Silence for longer than this ends the connection. */
  set limitMs(limitMs: number) {
    this.#limitMs = limitMs
    this.#heardMs = this.#clock.monotonicMs()
  }

  // ---- receiving ----------------------------------------------------------------------------------------------------------

  #receive(chunk: Buffer): void {
    if (this.#error !== null) return
    this.#heardMs = this.#clock.monotonicMs()
    const left = this.#buffer.length - this.#offset
    this.#buffer = left === 0 ? chunk : Buffer.concat([this.#buffer.subarray(this.#offset), chunk])
    this.#offset = 0
    if (this.#buffer.length > maxBufferedBytes && !this.#isPaused) {
      this.#isPaused = true
      this.#connection.pause()
    }
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.resolve()
  }

  #checkTime(): void {
    // Only silence that somebody listens to counts: while this server is busy with its disk, the peer waits for it.
    if (this.#waiting === null) return
    if (this.#clock.monotonicMs() - this.#heardMs <= this.#limitMs) return
    this.close(new Error(`nothing was heard from ${this.remoteText} for ${Math.round(this.#limitMs)} ms`))
  }

  /** The next packet if it has arrived whole, else null. Throws MalformedBytesError for what is no packet. */
  next(): QuorumPacket | null {
    const buffer = this.#buffer
    const start = this.#offset
    const have = buffer.length - start
    if (have < 16) return null
    const type = buffer.readInt32BE(start)
    const length = buffer.readInt32BE(start + 12)
    if (length < -1 || length > maxDataBytes)
      throw new MalformedBytesError(`a quorum packet of ${length} bytes from ${this.remoteText}`)
    const authAt = start + 16 + Math.max(length, 0)
    if (buffer.length < authAt + 4) return null
    const count = buffer.readInt32BE(authAt)
    if (count < -1 || count > maxIdentities)
      throw new MalformedBytesError(`a quorum packet with ${count} identities from ${this.remoteText}`)
    const end = count <= 0 ? authAt + 4 : this.#endOfIdentities(authAt + 4, count)
    if (end === -1) return null
    const authinfo = count === -1 ? null : this.#identities(authAt + 4, count)
    this.#offset = end
    this.#resume()
    const data = length === -1 ? null : buffer.subarray(start + 16, authAt)
    return { type, zxid: readInt64(buffer, start + 4), data, authinfo }
  }

  /** Where the identities that begin `at` end; −1 while they are incomplete. */
  #endOfIdentities(at: number, count: number): number {
    let end = at
    for (let text = 0; text < count * 2; text++) {
      if (this.#buffer.length < end + 4) return -1
      const length = this.#buffer.readInt32BE(end)
      if (length < -1 || length > maxIdentityBytes)
        throw new MalformedBytesError(`an identity of ${length} bytes from ${this.remoteText}`)
      end += 4 + Math.max(length, 0)
    }
    return end <= this.#buffer.length ? end : -1
  }

  #identities(at: number, count: number): Id[] {
    const reader = new ByteReader(this.#buffer, at)
    const list: Id[] = []
    for (let i = 0; i < count; i++) list.push(id.read(reader))
    return list
  }

  #resume(): void {
    if (!this.#isPaused || this.#buffer.length - this.#offset > maxBufferedBytes / 2) return
    this.#isPaused = false
    this.#connection.resume()
  }

  /** Resolves when more bytes have come; rejects when none will. */
  more(): Promise<void> {
    if (this.#error !== null) return Promise.reject(this.#error)
    // What has arrived is not enough, however much it is; a packet's size is bounded, a database is read in pieces.
    if (this.#isPaused) {
      this.#isPaused = false
      this.#connection.resume()
    }
    this.#heardMs = this.#clock.monotonicMs()
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
    })
  }

  async packet(): Promise<QuorumPacket> {
    for (;;) {
      const packet = this.next()
      if (packet !== null) return packet
      await this.more()
    }
  }

  read(length: number): Promise<Buffer> | Buffer {
    if (this.#buffer.length - this.#offset >= length) {
      const start = this.#offset
      this.#offset += length
      this.#resume()
      return this.#buffer.subarray(start, this.#offset)
    }
    return this.#readLater(length)
  }

  async #readLater(length: number): Promise<Buffer> {
    while (this.#buffer.length - this.#offset < length) await this.more()
    return this.read(length)
  }

  // ---- sending --------------------------------------------------------------------------------------------------------------

  send(
    type: number,
    zxid: bigint,
    data: Uint8Array | null = null,
    authinfo: readonly Id[] | null = null,
  ): void {
    if (this.#error !== null) return
    const out = this.#out
    out.int32(type)
    out.int64(zxid)
    if (data === null) {
      out.int32(-1)
    } else {
      out.int32(data.length)
      out.bytes(data)
    }
    if (authinfo === null) {
      out.int32(-1)
    } else {
      out.int32(authinfo.length)
      for (const identity of authinfo) id.write(out, identity)
    }
    if (this.#isFlushQueued) return
    this.#isFlushQueued = true
    queueMicrotask(() => this.#flush())
  }

  #flush(): void {
    this.#isFlushQueued = false
    if (this.#out.length === 0 || this.#error !== null) return
    this.#connection.writeNow(Buffer.from(this.#out.written()))
    this.#out.reset()
  }

  /** Sends raw bytes; resolves when the peer has room for more. */
  async sendRaw(bytes: Buffer): Promise<void> {
    this.#flush()
    if (this.#error !== null) throw this.#error
    if (this.#connection.write(bytes)) return
    await new Promise<void>(resolve => {
      this.#drained = resolve
    })
    if (this.#error !== null) throw this.#error
  }

  close(error: Error = new Error('closed by this server')): void {
    this.#flush()
    this.#connection.end()
    this.#end(error)
  }

  #end(error: Error): void {
    if (this.#error !== null) return
    this.#error = error
    this.#timer.cancel()
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.reject(error)
    const drained = this.#drained
    this.#drained = null
    drained?.()
    this.#connection.destroy()
  }
}

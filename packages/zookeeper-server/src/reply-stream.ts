import { ByteWriter } from '@vivarium/bytes'
import type { Connection } from '@vivarium/platform'
import { keeperState, replyHeader, specialXid, watcherEvent } from '@vivarium/zookeeper-protocol'
import type { ServerStats } from './stats.ts'

/** What one long reply took is not kept for good. */
const keptBytes = 256 * 1024
const keptWriters = 64

/** What replies are written with: few of the connections of a server have something to say at a time. */
export class ReplyWriters {
  readonly #idle: ByteWriter[] = []

  take(): ByteWriter {
    return this.#idle.pop() ?? new ByteWriter(4096)
  }

  /** Takes a writer back, for any other connection. */
  release(writer: ByteWriter): void {
    if (this.#idle.length === keptWriters) return
    writer.reset(keptBytes)
    this.#idle.push(writer)
  }
}

/**
 * What goes to one client: replies in the order in which they are written, and events, each before the reply that could show
 * what it tells of. What is written in one turn of the event loop leaves together.
 */
export class ReplyStream {
  /** Frames that have left, for `cons`. */
  sent = 0
  readonly #socket: Connection
  readonly #stats: ServerStats
  readonly #writers: ReplyWriters
  readonly #onLeaving: () => void
  #out: ByteWriter | null = null
  /** Events go before the reply being written: a client must hear of a change before it can see it. */
  #events: Buffer[] = []
  #isFlushQueued = false

  /** `onLeaving`: what is written is about to be sent. */
  constructor(socket: Connection, stats: ServerStats, writers: ReplyWriters, onLeaving: () => void) {
    this.#socket = socket
    this.#stats = stats
    this.#writers = writers
    this.#onLeaving = onLeaving
  }

  /** Where the reply that was begun is written. */
  get out(): ByteWriter {
    this.#out ??= this.#writers.take()
    return this.#out
  }

  /** Begins a frame; gives its position, for `end`. */
  begin(): number {
    // Events queued so far belong before this reply.
    this.#moveEvents()
    return this.out.reserve(4)
  }

  end(start: number): void {
    const length = this.out.length - start - 4
    this.out.patchInt32(start, length)
    if (this.#events.length > 0) this.#putEventsBefore(start)
    this.sent++
    this.#stats.packetsSent++
    this.#stats.lastResponseBytes = length
    this.#stats.responseBytes.add(length)
    this.#queueFlush()
  }

  /** A whole reply without a body. */
  header(xid: number, zxid: bigint, err: number): void {
    const start = this.begin()
    replyHeader.write(this.out, { xid, zxid, err })
    this.end(start)
  }

  event(type: number, path: string, zxid: bigint): void {
    const event = new ByteWriter(32 + path.length)
    event.int32(0)
    replyHeader.write(event, { xid: specialXid.notification, zxid, err: 0 })
    watcherEvent.write(event, { type, state: keeperState.SyncConnected, path })
    event.patchInt32(0, event.length - 4)
    this.#events.push(event.written())
    this.#queueFlush()
  }

  #moveEvents(): void {
    if (this.#events.length === 0) return
    for (const event of this.#events) {
      this.out.bytes(event)
      this.sent++
      this.#stats.packetsSent++
    }
    this.#events = []
  }

  #putEventsBefore(start: number): void {
    const reply = Buffer.from(this.out.written().subarray(start))
    this.out.truncate(start)
    this.#moveEvents()
    this.out.bytes(reply)
  }

  #queueFlush(): void {
    if (this.#isFlushQueued) return
    this.#isFlushQueued = true
    queueMicrotask(() => this.flush())
  }

  /** Sends what is written. */
  flush(): void {
    this.#isFlushQueued = false
    this.#moveEvents()
    const out = this.#out
    if (out === null) return
    this.#onLeaving()
    // A copy: the socket may keep the bytes after this turn, and the writer is used again.
    const bytes = Buffer.from(out.written())
    this.#out = null
    this.#writers.release(out)
    this.#socket.writeNow(bytes)
  }
}

import { ByteReader, ByteWriter, FrameDecoder } from '@vivarium/bytes'
import type { Address, Clock, Connection, Network, Random, Timer } from '@vivarium/platform'
import {
  type ConnectRequest,
  connectResponse,
  encode,
  type JuteRecord,
  readConnectRequest,
  replyHeader,
  requestHeader,
  watcherEvent,
} from '@vivarium/zookeeper-protocol'
import { ZooKeeper, type ZooKeeperOptions } from '../src/index.ts'

/** Time that passes only when told. */
export class VirtualClock implements Clock {
  #nowMs = 1_000
  #timers: { dueMs: number; task: () => void; everyMs: number | null; isCancelled: boolean }[] = []

  wallMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  soon(task: () => void): void {
    this.#add(0, task, null)
  }

  after(delayMs: number, task: () => void): Timer {
    return this.#add(delayMs, task, null)
  }

  every(intervalMs: number, task: () => void): Timer {
    return this.#add(intervalMs, task, intervalMs)
  }

  #add(delayMs: number, task: () => void, everyMs: number | null): Timer {
    const timer = { dueMs: this.#nowMs + delayMs, task, everyMs, isCancelled: false }
    this.#timers.push(timer)
    return {
      cancel: () => {
        timer.isCancelled = true
      },
    }
  }

  get timerCount(): number {
    this.#timers = this.#timers.filter(timer => !timer.isCancelled)
    return this.#timers.length
  }

  /** Lets `ms` pass; timers run in order, and what they started runs on before the next. */
  async elapse(ms: number): Promise<void> {
    const endMs = this.#nowMs + ms
    await settled()
    for (;;) {
      this.#timers = this.#timers.filter(timer => !timer.isCancelled).sort((a, b) => a.dueMs - b.dueMs)
      const next = this.#timers[0]
      if (next === undefined || next.dueMs > endMs) break
      this.#timers.shift()
      this.#nowMs = Math.max(this.#nowMs, next.dueMs)
      if (next.everyMs !== null) this.#timers.push({ ...next, dueMs: this.#nowMs + next.everyMs })
      next.task()
      await settled()
    }
    this.#nowMs = endMs
    await settled()
  }

  /** The process stands still: time passes, and nothing runs meanwhile. */
  freeze(ms: number): void {
    this.#nowMs += ms
  }
}

/** Everything that was about to happen without time passing has happened. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise(resolve => setImmediate(resolve))
}

export const middle: Random = {
  below: bound => Math.floor(bound / 2),
  bytes: count => Buffer.alloc(count, 7),
}

/** One client connection as the scripted servers see it. */
export class Visit {
  readonly host: string
  /** The session it presented. */
  hello: ConnectRequest | null = null
  readonly requests: { xid: number; op: number; body: Buffer }[] = []
  isOpen = true
  readonly #client: Connection
  readonly #decoder = new FrameDecoder(64 * 1024 * 1024)

  constructor(host: string, client: Connection) {
    this.host = host
    this.#client = client
  }

  received(chunk: Buffer): void {
    this.#decoder.push(chunk, frame => {
      if (this.hello === null) {
        this.hello = readConnectRequest(frame).request
        return
      }
      const { xid, type } = requestHeader.read(new ByteReader(frame))
      this.requests.push({ xid, op: type, body: frame.subarray(8) })
    })
  }

  /** Accepts the session; timeoutMs 0 says that it has expired. */
  accept({ sessionId = 0x1234n, timeoutMs = 30_000, readOnly = false } = {}): void {
    const passwd = Buffer.alloc(16, 9)
    this.send(
      encode(connectResponse, { protocolVersion: 0, timeOut: timeoutMs, sessionId, passwd, readOnly }),
    )
  }

  reply<T>(xid: number, zxid: bigint, err = 0, body?: [JuteRecord<never>, T]): void {
    const writer = new ByteWriter()
    replyHeader.write(writer, { xid, zxid, err })
    if (body !== undefined) body[0].write(writer, body[1] as never)
    this.send(writer.written())
  }

  event(type: number, path: string, zxid: bigint): void {
    const writer = new ByteWriter()
    replyHeader.write(writer, { xid: -1, zxid, err: 0 })
    watcherEvent.write(writer, { type, state: 3, path })
    this.send(writer.written())
  }

  send(frame: Buffer): void {
    const writer = new ByteWriter()
    writer.int32(frame.length)
    writer.bytes(frame)
    if (this.isOpen) this.#client.onData(Buffer.from(writer.written()))
  }

  hangUp(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.#client.onClose(null)
  }

  /** Requests but pings. */
  get asked(): { xid: number; op: number; body: Buffer }[] {
    return this.requests.filter(request => request.op !== 11)
  }

  get pingCount(): number {
    return this.requests.length - this.asked.length
  }
}

/** A network on which the test plays the servers. */
export class ScriptedNetwork implements Network {
  readonly visits: Visit[] = []
  /** Hosts that refuse. */
  readonly down = new Set<string>()
  readonly dialled: string[] = []

  listen(): never {
    throw new Error('only clients live here')
  }

  async connect(address: Address): Promise<Connection> {
    this.dialled.push(address.host)
    if (this.down.has(address.host)) throw Object.assign(new Error('ECONNREFUSED'), { code: 'ECONNREFUSED' })
    const connection: Connection = {
      remote: address,
      local: { host: 'client', port: 1 },
      onData: () => {},
      onClose: () => {},
      onDrain: () => {},
      write: bytes => {
        visit.received(Buffer.from(bytes))
        return true
      },
      writeNow: bytes => connection.write(bytes),
      pendingBytes: 0,
      pause: () => {},
      resume: () => {},
      end: () => {
        visit.isOpen = false
      },
      destroy: () => {
        visit.isOpen = false
      },
    }
    const visit: Visit = new Visit(address.host, connection)
    this.visits.push(visit)
    return connection
  }

  get last(): Visit {
    return this.visits.at(-1)!
  }
}

/** A client of scripted servers a, b and c. */
export function scripted(options: Partial<ZooKeeperOptions> = {}) {
  const clock = new VirtualClock()
  const network = new ScriptedNetwork()
  const zk = new ZooKeeper({
    connect: 'a,b,c',
    sessionTimeoutMs: 30_000,
    network,
    clock,
    random: middle,
    ...options,
  })
  const states: string[] = []
  zk.onState(state => states.push(state))
  return {
    zk,
    clock,
    network,
    states,
    /** The client has found a server, and a session. */
    async join(): Promise<Visit> {
      await clock.elapse(2_000)
      network.last.accept()
      await settled()
      return network.last
    },
  }
}

/** What a promise came to: its value, or the name and code of its error. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise
  } catch (error) {
    return (error as { code: number }).code
  }
}

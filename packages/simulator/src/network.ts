import type { Address, Connection, Listener, Network } from '@vivarium/platform'
import type { Chance } from './chance.ts'
import type { Life } from './machine.ts'
import type { Timeline } from './timeline.ts'

export interface NetworkFaults {
  /** How long a message takes: between these, evenly. */
  latencyMs: readonly [number, number]
  /** How likely one takes fifty times as long. */
  stallRate: number
  /** How likely a write ends its connection, after some of its bytes. */
  resetRate: number
}

export const soundNetwork: NetworkFaults = { latencyMs: [0.05, 0.5], stallRate: 0.001, resetRate: 0 }

/** Bytes on their way beyond which a writer is asked to wait. */
const windowBytes = 64 * 1024
const firstEphemeralPort = 40_000

/** Streams between machines: ordered and whole while they last, cut anywhere, late, or silent. */
export class SimulatedNetwork {
  faults: NetworkFaults = { ...soundNetwork }
  readonly #timeline: Timeline
  readonly #chance: Chance
  /** By `host:port`. */
  readonly #listeners = new Map<string, { life: Life; accept: (connection: Connection) => void }>()
  readonly #ends = new Set<End>()
  /** `from>to`: what is sent that way waits. */
  readonly #blocked = new Set<string>()
  /** Hosts without power: nobody answers there, not even to say that nobody is there. */
  readonly #dark = new Set<string>()
  /** Hosts with further addresses: whose they are. */
  readonly #owners = new Map<string, string>()
  #nextPort = firstEphemeralPort

  constructor(timeline: Timeline, chance: Chance) {
    this.#timeline = timeline
    this.#chance = chance
  }

  /** Gives a host one more address, which it listens on where it says so. It connects from its first one. */
  addAddress(address: string, host: string): void {
    this.#owners.set(address, host)
  }

  #ownerOf(address: string): string {
    return this.#owners.get(address) ?? address
  }

  /** Nothing gets from one host to the other any more; what is on its way waits. The other direction is not touched. */
  block(from: string, to: string): void {
    this.#blocked.add(`${from}>${to}`)
  }

  /** All ways are open again, and what waited goes on. */
  heal(): void {
    this.#blocked.clear()
    for (const end of this.#ends) end.release()
  }

  isBlocked(from: string, to: string): boolean {
    return this.#blocked.has(`${from}>${to}`)
  }

  /** Ends a connection by chance, if there is any. */
  resetOne(): void {
    if (this.#ends.size > 0) this.#chance.pick([...this.#ends]).break(reset())
  }

  /** The system of a process that ended closes what it had open. */
  processEnded(host: string): void {
    this.#forget(host, end => end.abandon(true))
  }

  /** Nobody closes anything: peers find out when they are not answered, or by a reset once the host is back. */
  powerLost(host: string): void {
    this.#dark.add(host)
    this.#forget(host, end => end.abandon(false))
  }

  #forget(host: string, leave: (end: End) => void): void {
    for (const [key, { life }] of this.#listeners) if (life.isOver) this.#listeners.delete(key)
    for (const end of [...this.#ends]) if (this.#ownerOf(end.local.host) === host) leave(end)
  }

  latencyMs(): number {
    const { latencyMs, stallRate } = this.faults
    const [from, to] = latencyMs
    const delayMs = from + ((to - from) * this.#chance.below(1000)) / 1000
    return this.#chance.happens(stallRate) ? delayMs * 50 : delayMs
  }

  isDark(host: string): boolean {
    return this.#dark.has(this.#ownerOf(host))
  }

  doorOf(host: string, life: Life): Network {
    this.#dark.delete(host)
    return {
      listen: async (address, accept) => {
        const port = address.port === 0 ? this.#nextPort++ : address.port
        const key = `${this.#owners.has(address.host) ? address.host : host}:${port}`
        const taken = this.#listeners.get(key)
        if (taken !== undefined && !taken.life.isOver)
          throw Object.assign(new Error(`EADDRINUSE: ${key}`), { code: 'EADDRINUSE' })
        this.#listeners.set(key, { life, accept })
        const listener: Listener = {
          address: { host: address.host, port },
          close: async () => {
            if (this.#listeners.get(key)?.accept === accept) this.#listeners.delete(key)
          },
        }
        return listener
      },
      connect: (address, options) => this.#connect(host, life, address, options.timeoutMs),
    }
  }

  #connect(host: string, life: Life, to: Address, timeoutMs: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const fail = (code: string, what: string) =>
        reject(Object.assign(new Error(`connect ${code} ${to.host}:${to.port}${what}`), { code }))
      let isSettled = false
      const cancelTimeout = life.after(timeoutMs, () => {
        isSettled = true
        fail('ETIMEDOUT', ` within ${timeoutMs} ms`)
      })
      const there = this.latencyMs()
      const back = this.latencyMs()
      life.after(there, () => {
        // The attempt is swallowed.
        if (this.isBlocked(host, to.host) || this.isBlocked(to.host, host) || this.isDark(to.host)) return
        const listener = this.#listeners.get(`${to.host}:${to.port}`)
        if (listener === undefined || listener.life.isOver) {
          life.after(back, () => {
            if (isSettled) return
            cancelTimeout()
            fail('ECONNREFUSED', '')
          })
          return
        }
        const [near, far] = this.#pair({ host, port: this.#nextPort++ }, life, to, listener.life)
        // What the other side sends at once must not overtake the news that there is a connection.
        far.holdUntil(this.#timeline.nowMs + back + 0.001)
        listener.accept(far)
        life.after(back, () => {
          if (isSettled) return near.break(reset())
          cancelTimeout()
          if (near.isClosed) fail('ECONNRESET', '')
          else resolve(near)
        })
      })
    })
  }

  #pair(from: Address, fromLife: Life, to: Address, toLife: Life): [End, End] {
    const near = new End(this, this.#chance, this.#timeline, from, to, fromLife)
    const far = new End(this, this.#chance, this.#timeline, to, from, toLife)
    near.peer = far
    far.peer = near
    this.#ends.add(near).add(far)
    return [near, far]
  }

  /** An end from which nothing will come any more. */
  gone(end: End): void {
    this.#ends.delete(end)
  }
}

type Parcel = { kind: 'bytes'; bytes: Buffer } | { kind: 'end' } | { kind: 'reset' }

/** One side of a connection. */
class End implements Connection {
  readonly local: Address
  readonly remote: Address
  onData: (chunk: Buffer) => void = () => {}
  onClose: (error: Error | null) => void = () => {}
  onDrain: () => void = () => {}
  peer!: End
  readonly #network: SimulatedNetwork
  readonly #chance: Chance
  readonly #timeline: Timeline
  readonly #life: Life
  /** Written in this turn. */
  #written: Buffer[] = []
  /** Sent and not received yet, in order. */
  readonly #onTheWay: Parcel[] = []
  #lastArrivalMs = 0
  #pendingBytes = 0
  #mustDrain = false
  #isPaused = false
  readonly #held: Parcel[] = []
  /** No more can be written. */
  #hasEnded = false
  #isClosed = false

  constructor(
    network: SimulatedNetwork,
    chance: Chance,
    timeline: Timeline,
    local: Address,
    remote: Address,
    life: Life,
  ) {
    this.#network = network
    this.#chance = chance
    this.#timeline = timeline
    this.local = local
    this.remote = remote
    this.#life = life
  }

  get pendingBytes(): number {
    return this.#pendingBytes
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  // ---- sending -------------------------------------------------------------------------------------------------------

  write(bytes: Uint8Array): boolean {
    if (this.#hasEnded || this.#isClosed) return false
    if (this.#written.length === 0) queueMicrotask(() => this.#flush())
    this.#written.push(Buffer.from(bytes))
    this.#pendingBytes += bytes.length
    if (this.#pendingBytes <= windowBytes) return true
    this.#mustDrain = true
    return false
  }

  writeNow(bytes: Uint8Array): boolean {
    return this.write(bytes)
  }

  #flush(): void {
    if (this.#written.length === 0 || this.#isClosed) return
    let bytes: Buffer = Buffer.concat(this.#written)
    this.#written = []
    if (this.#chance.happens(this.#network.faults.resetRate)) {
      bytes = bytes.subarray(0, this.#chance.below(bytes.length))
      this.#send({ kind: 'bytes', bytes })
      return this.break(reset())
    }
    // A stream has no frames: it may be cut anywhere.
    while (bytes.length > 1 && this.#chance.happens(0.1)) {
      const cut = 1 + this.#chance.below(bytes.length - 1)
      this.#send({ kind: 'bytes', bytes: bytes.subarray(0, cut) })
      bytes = bytes.subarray(cut)
    }
    this.#send({ kind: 'bytes', bytes })
  }

  #send(parcel: Parcel): void {
    this.#onTheWay.push(parcel)
    this.#lastArrivalMs = Math.max(this.#lastArrivalMs, this.#timeline.nowMs + this.#network.latencyMs())
    this.#timeline.after(this.#lastArrivalMs - this.#timeline.nowMs, () => this.#arrive())
  }

  /** The oldest parcel reaches the other side, unless the way is blocked: then it waits there with all behind it. */
  #arrive(): void {
    if (this.#network.isBlocked(this.local.host, this.remote.host)) return
    const parcel = this.#onTheWay.shift()
    if (parcel === undefined) return
    this.#leaveIfDone()
    if (parcel.kind === 'bytes') {
      this.#pendingBytes -= parcel.bytes.length
      if (this.#mustDrain && this.#pendingBytes < windowBytes / 2 && !this.#isClosed) {
        this.#mustDrain = false
        this.#life.after(0, () => this.onDrain())
      }
    }
    this.peer.#receive(parcel)
  }

  #leaveIfDone(): void {
    if (this.#isClosed && this.#onTheWay.length === 0) this.#network.gone(this)
  }

  /** Nothing that is sent arrives before that. */
  holdUntil(ms: number): void {
    this.#lastArrivalMs = ms
  }

  /** The way is open again: what waited arrives, in order. */
  release(): void {
    for (let i = this.#onTheWay.length; i > 0; i--)
      this.#timeline.after(this.#network.latencyMs(), () => this.#arrive())
  }

  end(): void {
    if (this.#hasEnded || this.#isClosed) return
    this.#flush()
    this.#hasEnded = true
    this.#send({ kind: 'end' })
  }

  destroy(): void {
    if (this.#isClosed) return
    this.#send({ kind: 'reset' })
    this.#close(null)
  }

  /** Both sides lose it, each when it hears of it. */
  break(error: Error): void {
    if (this.#isClosed) return
    this.#send({ kind: 'reset' })
    this.#close(error)
  }

  /** The process of this side is gone. `isToldOf`: its system tells the peer. */
  abandon(isToldOf: boolean): void {
    if (isToldOf && !this.#isClosed) this.#send({ kind: 'end' })
    this.#isClosed = true
    this.#hasEnded = true
    if (!isToldOf) this.#onTheWay.length = 0
    this.#leaveIfDone()
  }

  // ---- receiving -----------------------------------------------------------------------------------------------------

  #receive(parcel: Parcel): void {
    if (this.#network.isDark(this.local.host)) return
    if (this.#isClosed) {
      // Nobody is here any more: the system says so.
      if (parcel.kind === 'bytes' && this.#life.isOver) this.#send({ kind: 'reset' })
      return
    }
    if (this.#isPaused && parcel.kind !== 'reset') this.#held.push(parcel)
    else this.#take(parcel)
  }

  #take(parcel: Parcel): void {
    switch (parcel.kind) {
      case 'bytes':
        if (!this.#life.isOver) this.onData(parcel.bytes)
        break
      case 'end':
        if (!this.#hasEnded) this.end()
        this.#close(null)
        break
      case 'reset':
        this.#close(reset())
    }
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#life.after(0, () => {
      while (!this.#isPaused && this.#held.length > 0 && !this.#isClosed) this.#take(this.#held.shift()!)
    })
  }

  #close(error: Error | null): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#written = []
    this.#leaveIfDone()
    this.#life.after(0, () => this.onClose(error))
  }
}

function reset(): Error {
  return Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
}

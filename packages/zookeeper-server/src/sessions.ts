import { assert } from '@vivarium/platform'
import { firstSessionId, sessionPassword } from '@vivarium/zookeeper-protocol'

/** A client's session as the server that decides over its end (leader, or server alone) tracks it. */
export interface Session {
  readonly id: bigint
  timeoutMs: number
  /** End of the interval in which it expires unless it is heard from. */
  expiresAtMs: number
  /** The server or learner connection its client is on; requests from elsewhere are refused as moved. */
  owner: unknown
  isClosing: boolean
}

/**
 * Tracks sessions and finds those that were not heard from. Expiry times are rounded up to whole ticks, so that
 * hearing from a session usually costs a comparison.
 */
export class SessionTracker {
  readonly #tickMs: number
  readonly #sessions = new Map<bigint, Session>()
  readonly #expiring = new Map<number, Set<Session>>()
  #nextExpiryMs: number

  constructor(options: { tickMs: number; nowMs: number }) {
    this.#tickMs = options.tickMs
    this.#nextExpiryMs = this.#roundUp(options.nowMs)
  }

  get size(): number {
    return this.#sessions.size
  }

  all(): Iterable<Session> {
    return this.#sessions.values()
  }

  get(id: bigint): Session | undefined {
    return this.#sessions.get(id)
  }

  /** Begins to track a session, or goes on with one that is known. */
  add(id: bigint, timeoutMs: number, nowMs: number): Session {
    let session = this.#sessions.get(id)
    if (session === undefined) {
      session = { id, timeoutMs, expiresAtMs: -1, owner: null, isClosing: false }
      this.#sessions.set(id, session)
    }
    this.touch(session, timeoutMs, nowMs)
    return session
  }

  /** The session was heard from. False if it is gone or going. */
  touch(session: Session, timeoutMs: number, nowMs: number): boolean {
    if (session.isClosing) return false
    session.timeoutMs = timeoutMs
    const expiresAtMs = this.#roundUp(nowMs + timeoutMs)
    if (expiresAtMs <= session.expiresAtMs) return true
    this.#expiring.get(session.expiresAtMs)?.delete(session)
    session.expiresAtMs = expiresAtMs
    const together = this.#expiring.get(expiresAtMs)
    if (together === undefined) this.#expiring.set(expiresAtMs, new Set([session]))
    else together.add(session)
    return true
  }

  remove(id: bigint): void {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    this.#sessions.delete(id)
    const together = this.#expiring.get(session.expiresAtMs)
    together?.delete(session)
    if (together?.size === 0) this.#expiring.delete(session.expiresAtMs)
  }

  /** Up to `most` sessions whose time is over; each is given out once and closing from then on. */
  expire(nowMs: number, most: number = Number.POSITIVE_INFINITY): Session[] {
    const expired: Session[] = []
    while (this.#nextExpiryMs <= nowMs) {
      const together = this.#expiring.get(this.#nextExpiryMs) ?? new Set()
      for (const session of together) {
        if (expired.length === most) return expired
        assert(session.expiresAtMs === this.#nextExpiryMs, 'a session stands in the interval it expires in')
        session.isClosing = true
        expired.push(session)
        together.delete(session)
      }
      this.#expiring.delete(this.#nextExpiryMs)
      this.#nextExpiryMs += this.#tickMs
    }
    return expired
  }

  #roundUp(ms: number): number {
    return (Math.floor(ms / this.#tickMs) + 1) * this.#tickMs
  }
}

/** Gives out session ids: consecutive from a start that holds the server's id and the time. */
export class SessionIds {
  #next: bigint

  constructor(serverId: bigint, elapsedMs: bigint) {
    this.#next = firstSessionId(serverId, elapsedMs)
  }

  next(): bigint {
    return this.#next++
  }
}

/** Whether `password` proves that its holder owns session `id`. */
export function isPasswordOf(id: bigint, password: Buffer | null): boolean {
  return id !== 0n && password !== null && password.equals(sessionPassword(id))
}

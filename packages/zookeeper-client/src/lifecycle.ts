import type { Address } from '@vivarium/platform'
import { errorCode } from '@vivarium/zookeeper-protocol'

/**
 * How a client lives: it dials one server after another, presents its session, keeps it alive by pings, and starts again
 * when the connection goes. Only the ensemble ends a session; a client that is cut off does not know whether it has one.
 *
 * Pure: time is an input. Its host carries out the outputs in the order given.
 */

/** Where the client stands. The last three are final. */
export type Phase =
  | 'waiting'
  | 'dialling'
  | 'handshaking'
  | 'connected'
  | 'closing'
  | 'expired'
  | 'auth-failed'
  | 'closed'

/** What people see of the phase. */
export type State = 'connecting' | 'connected' | 'expired' | 'auth-failed' | 'closed'

/** Everything that can happen to a client. */
export type Event =
  /** The wait asked for is over. */
  | { kind: 'wake'; nowMs: number }
  /** The TCP connection stands. */
  | { kind: 'opened'; nowMs: number }
  /** The server accepted the session, or made one. */
  | { kind: 'accepted'; nowMs: number; timeoutMs: number }
  /** The server says that the session is no more. */
  | { kind: 'refused'; nowMs: number }
  /** The connection failed, ended, or makes no sense. */
  | { kind: 'lost'; nowMs: number }
  /** The server does not believe an identity the client gave. */
  | { kind: 'auth-refused'; nowMs: number }
  /** The user wants no more of it. */
  | { kind: 'close'; nowMs: number }
  /** The server has closed the session as asked. */
  | { kind: 'close-confirmed'; nowMs: number }

/** What the host is to do. */
export type Output =
  /** Pick a moment in the range, then send `wake`. */
  | { kind: 'wait'; minMs: number; maxMs: number }
  | { kind: 'dial'; host: Address; timeoutMs: number }
  /** Send the connect request. */
  | { kind: 'present-session' }
  /** The session stands: send identities, watches, then the requests that waited. */
  | { kind: 'resume' }
  | { kind: 'ping' }
  | { kind: 'close-session' }
  | { kind: 'drop-connection' }
  /** All requests, sent or waiting, end with this error. */
  | { kind: 'fail-requests'; code: number }
  | { kind: 'state'; state: State }

/** Total: a pair that is forgotten does not compile. Events that mean nothing in a phase leave it as it is. */
const transitions: Record<Phase, Record<Event['kind'], Phase>> = {
  waiting: {
    wake: 'dialling',
    opened: 'waiting',
    accepted: 'waiting',
    refused: 'waiting',
    lost: 'waiting',
    'auth-refused': 'waiting',
    close: 'closed',
    'close-confirmed': 'waiting',
  },
  dialling: {
    wake: 'dialling',
    opened: 'handshaking',
    accepted: 'dialling',
    refused: 'dialling',
    lost: 'waiting',
    'auth-refused': 'dialling',
    close: 'closed',
    'close-confirmed': 'dialling',
  },
  handshaking: {
    wake: 'handshaking',
    opened: 'handshaking',
    accepted: 'connected',
    refused: 'expired',
    lost: 'waiting',
    'auth-refused': 'auth-failed',
    close: 'closed',
    'close-confirmed': 'handshaking',
  },
  connected: {
    wake: 'connected',
    opened: 'connected',
    accepted: 'connected',
    refused: 'connected',
    lost: 'waiting',
    'auth-refused': 'auth-failed',
    close: 'closing',
    'close-confirmed': 'connected',
  },
  closing: {
    wake: 'closing',
    opened: 'closing',
    accepted: 'closing',
    refused: 'closing',
    lost: 'closed',
    'auth-refused': 'closing',
    close: 'closing',
    'close-confirmed': 'closed',
  },
  expired: final('expired'),
  'auth-failed': final('auth-failed'),
  closed: final('closed'),
}

function final(phase: Phase): Record<Event['kind'], Phase> {
  return {
    wake: phase,
    opened: phase,
    accepted: phase,
    refused: phase,
    lost: phase,
    'auth-refused': phase,
    close: phase,
    'close-confirmed': phase,
  }
}

const states: Record<Phase, State> = {
  waiting: 'connecting',
  dialling: 'connecting',
  handshaking: 'connecting',
  connected: 'connected',
  closing: 'connected',
  expired: 'expired',
  'auth-failed': 'auth-failed',
  closed: 'closed',
}

/** A whole ensemble that refuses is asked again after this, twice as long each time: an election is soon over. */
const firstRoundPauseMs = 100
const maxRoundPauseMs = 1_000
/** One server after another is asked with less delay. */
const hostPauseMs = { minMs: 0, maxMs: 100 }
/** Spreads the clients of a server that died over the others. */
const lossPauseMs = { minMs: 0, maxMs: 500 }
const maxPingIntervalMs = 10_000
/** A tick this late means that this process stood still: answers may lie unread. */
const lateTickMs = 200
const maxCloseMs = 10_000

export class Lifecycle {
  readonly #hosts: readonly Address[]
  #phase: Phase = 'waiting'
  #timeoutMs: number
  #hostIndex = -1
  #failuresInRow = 0
  #heardMs = 0
  #sentMs = 0
  /** When dialling, presenting the session or closing must be done. */
  #deadlineMs = 0

  /** `sessionTimeoutMs` is what is asked for until a server has negotiated it. `hosts` are tried in the order given. */
  constructor(hosts: readonly Address[], sessionTimeoutMs: number) {
    this.#hosts = hosts
    this.#timeoutMs = sessionTimeoutMs
  }

  get phase(): Phase {
    return this.#phase
  }

  get state(): State {
    return states[this.#phase]
  }

  /** The server dialled last. */
  get host(): Address {
    return this.#hosts[Math.max(0, this.#hostIndex)]!
  }

  get sessionTimeoutMs(): number {
    return this.#timeoutMs
  }

  /** Silence longer than this is a lost connection. Source: ClientCnxn, as the two below. */
  get #readTimeoutMs(): number {
    return (this.#timeoutMs * 2) / 3
  }

  get #connectTimeoutMs(): number {
    return this.#timeoutMs / this.#hosts.length
  }

  get #pingIntervalMs(): number {
    const half = this.#readTimeoutMs / 2
    return half <= 1_000 ? half : Math.min(maxPingIntervalMs, Math.max(1_000, half - 1_000))
  }

  start(): Output[] {
    return [{ kind: 'wait', minMs: 0, maxMs: 0 }]
  }

  /** Bytes came from the server. */
  heard(nowMs: number): void {
    this.#heardMs = nowMs
  }

  /** Something was sent to it. */
  sent(nowMs: number): void {
    this.#sentMs = nowMs
  }

  /** When `tick` wants to be called next; null while nothing can run out. `heard` and `sent` only move it away. */
  get nextTickMs(): number | null {
    switch (this.#phase) {
      case 'dialling':
      case 'handshaking':
      case 'closing':
        return this.#deadlineMs
      case 'connected':
        return Math.min(this.#heardMs + this.#readTimeoutMs, this.#sentMs + this.#pingIntervalMs)
      default:
        return null
    }
  }

  /** Time has passed; `dueMs` is when this call was asked for. */
  tick(nowMs: number, dueMs: number): Output[] {
    switch (this.#phase) {
      case 'dialling':
      case 'handshaking':
      case 'closing':
        return nowMs >= this.#deadlineMs ? this.step({ kind: 'lost', nowMs }) : []
      case 'connected':
        return this.#keepAlive(nowMs, nowMs - dueMs)
      default:
        return []
    }
  }

  #keepAlive(nowMs: number, lateMs: number): Output[] {
    if (nowMs >= this.#heardMs + this.#readTimeoutMs) {
      if (lateMs < lateTickMs) return this.step({ kind: 'lost', nowMs })
      this.#heardMs = nowMs - this.#readTimeoutMs + lateTickMs
    }
    return nowMs >= this.#sentMs + this.#pingIntervalMs ? [{ kind: 'ping' }] : []
  }

  /** Same state and event, same outputs. */
  step(event: Event): Output[] {
    const before = this.#phase
    const after = transitions[before][event.kind]
    if (after === before) return []
    const stateBefore = this.state
    this.#phase = after
    const outputs = this.#enter(before, event)
    if (this.state !== stateBefore) outputs.push({ kind: 'state', state: this.state })
    return outputs
  }

  #enter(before: Phase, event: Event): Output[] {
    switch (this.#phase) {
      case 'dialling':
        this.#hostIndex = (this.#hostIndex + 1) % this.#hosts.length
        this.#deadlineMs = event.nowMs + this.#connectTimeoutMs
        return [{ kind: 'dial', host: this.host, timeoutMs: this.#connectTimeoutMs }]
      case 'handshaking':
        // A server without a quorum accepts connections and never answers: this has its end, too.
        this.#deadlineMs = event.nowMs + this.#connectTimeoutMs
        return [{ kind: 'present-session' }]
      case 'connected':
        if (event.kind === 'accepted') this.#timeoutMs = event.timeoutMs
        this.#heardMs = event.nowMs
        this.#sentMs = event.nowMs
        this.#failuresInRow = 0
        return [{ kind: 'resume' }]
      case 'closing':
        this.#deadlineMs = event.nowMs + Math.min(this.#readTimeoutMs, maxCloseMs)
        return [{ kind: 'close-session' }]
      case 'waiting':
        return this.#retry(before)
      case 'expired':
        return [{ kind: 'drop-connection' }, { kind: 'fail-requests', code: errorCode.SESSIONEXPIRED }]
      case 'auth-failed':
        return [{ kind: 'drop-connection' }, { kind: 'fail-requests', code: errorCode.AUTHFAILED }]
      case 'closed': {
        // What was sent before the end of the connection may have happened; what never left has not.
        const code = before === 'closing' ? errorCode.CONNECTIONLOSS : errorCode.SESSIONEXPIRED
        return [{ kind: 'drop-connection' }, { kind: 'fail-requests', code }]
      }
    }
  }

  #retry(before: Phase): Output[] {
    if (before === 'connected') {
      return [
        { kind: 'drop-connection' },
        { kind: 'fail-requests', code: errorCode.CONNECTIONLOSS },
        { kind: 'wait', ...lossPauseMs },
      ]
    }
    this.#failuresInRow++
    const rounds = this.#failuresInRow / this.#hosts.length
    const pause = Number.isInteger(rounds) ? roundPause(rounds) : hostPauseMs
    return [{ kind: 'drop-connection' }, { kind: 'wait', ...pause }]
  }
}

function roundPause(rounds: number): { minMs: number; maxMs: number } {
  const pauseMs = Math.min(maxRoundPauseMs, firstRoundPauseMs * 2 ** (rounds - 1))
  return { minMs: pauseMs / 2, maxMs: pauseMs * 1.5 }
}

import type { Clock } from '@vivarium/platform'
import { opCode, operationNames } from '@vivarium/zookeeper-protocol'
import { type ServerStats, Summary } from './stats.ts'

const noOperation = 0

/** What a connection was answered, for `cons`. */
export class Answers {
  readonly latencyMs: Summary = new Summary()
  lastXid = 0
  lastZxid = 0n
  /** When the last ones left, and how long the newest of them took. */
  lastMs = 0
  lastLatencyMs = 0
  #lastOpCode = noOperation
  /** What is answered but has not left yet. */
  readonly #leaving: Summary = new Summary()

  get lastOperation(): string {
    return this.#lastOpCode === opCode.createSession ? 'SESS' : (operationNames[this.#lastOpCode] ?? 'NA')
  }

  /** The reply to a request is written. */
  written(xid: number, code: number, receivedMs: number): void {
    this.#leaving.add(receivedMs)
    this.#lastOpCode = code
    this.lastXid = xid
  }

  /**
   * What is written leaves now, with `lastZxid` in the tree. Replies leave together, and asking for the time costs
   * more than counting them.
   */
  leave(clock: Clock, lastZxid: bigint, stats: ServerStats): void {
    const leaving = this.#leaving
    if (leaving.count === 0) return
    const now = clock.monotonicMs()
    this.latencyMs.addUntil(now, leaving)
    stats.latencyMs.addUntil(now, leaving)
    this.lastZxid = lastZxid
    this.lastMs = now
    this.lastLatencyMs = now - leaving.max
    leaving.reset()
  }
}

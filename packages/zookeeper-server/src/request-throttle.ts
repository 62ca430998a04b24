import { Fifo } from '@vivarium/platform'
import { errorCode, opCode } from '@vivarium/zookeeper-protocol'
import type { ClientConnection } from './connection.ts'
import type { PendingOperation } from './pending-operation.ts'
import type { ServerSettings } from './settings.ts'
import type { ServerStats } from './stats.ts'

interface Waiting {
  connection: ClientConnection
  operation: PendingOperation
  sinceMs: number
}

/**
 * Lets only so many requests into the pipeline at a time (`request_throttle_max_requests`); the others wait in order. Whoever
 * waited too long is told so (THROTTLEDOP) instead (`throttled_op_wait_time`); who has left meanwhile is forgotten.
 */
export class RequestThrottle {
  readonly #values: ServerSettings['values']
  /** In process at a time; 0: no limit. */
  readonly #most: number
  readonly #stats: ServerStats
  readonly #nowMs: () => number
  readonly #process: (connection: ClientConnection, operation: PendingOperation) => void
  readonly #inProcess = new Set<PendingOperation>()
  readonly #waiting = new Fifo<Waiting>()

  /** `process`: puts a request into the pipeline. */
  constructor(
    settings: ServerSettings,
    stats: ServerStats,
    nowMs: () => number,
    process: (connection: ClientConnection, operation: PendingOperation) => void,
  ) {
    this.#process = process
    this.#values = settings.values
    this.#most = settings.values.request_throttle_max_requests
    this.#stats = stats
    this.#nowMs = nowMs
  }

  #hasRoom(): boolean {
    return this.#inProcess.size < this.#most
  }

  /** Has the request go on, now or when there is room. */
  admit(connection: ClientConnection, operation: PendingOperation): void {
    if (this.#most <= 0) return this.#process(connection, operation)
    if (this.#waiting.length > 0 || !this.#hasRoom()) {
      this.#stats.requestsThrottled++
      this.#waiting.push({ connection, operation, sinceMs: this.#nowMs() })
      return
    }
    this.#inProcess.add(operation)
    this.#process(connection, operation)
  }

  /** It is answered, or nobody waits for it any more. */
  finished(operation: PendingOperation): void {
    if (this.#most <= 0 || !this.#inProcess.delete(operation)) return
    while (this.#waiting.length > 0 && this.#hasRoom()) this.#next(this.#waiting.shift()!)
  }

  #next({ connection, operation, sinceMs }: Waiting): void {
    if (!connection.hasSession) {
      this.#stats.staleRequests++
      if (this.#values.request_throttle_drop_stale && this.#values.request_stale_connection_check) {
        this.#stats.staleRequestsDropped++
        return
      }
    }
    const waitedMs = this.#nowMs() - sinceMs
    if (this.#values.request_stale_latency_check && waitedMs > connection.sessionTimeoutMs) {
      this.#stats.staleRequests++
      if (this.#values.request_throttle_drop_stale) {
        this.#stats.staleRequestsDropped++
        connection.close()
        return
      }
    }
    const mostMs = this.#values.throttled_op_wait_time
    if (mostMs > 0 && waitedMs > mostMs && operation.opCode !== opCode.closeSession) {
      this.#stats.throttledOperations++
      connection.settled(operation, errorCode.THROTTLEDOP)
      return
    }
    // Of one whose client has left nobody will say that it is finished.
    if (connection.hasSession) this.#inProcess.add(operation)
    this.#process(connection, operation)
  }
}

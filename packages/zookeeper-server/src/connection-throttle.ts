import type { Random } from '@vivarium/platform'
import type { ServerSettings } from './settings.ts'

/** What a connect request asks for: with weights, each costs another number of tokens. */
export type Admission = 'global' | 'local' | 'renewed'

const resolution = 1_000_000

/**
 * Bounds how fast sessions are made: a bucket of tokens that fills steadily, and in front of it, where that is asked for, a
 * chance of being turned away that grows while the bucket is empty (BLUE), so that a storm of reconnecting clients
 * spreads. Source: the settings `connection_throttle_*`.
 */
export class ConnectionThrottle {
  readonly #values: ServerSettings['values']
  readonly #random: Random
  #tokens: number
  #filledMs: number
  #dropChance = 0
  #adjustedMs: number

  constructor(settings: ServerSettings, random: Random, nowMs: number) {
    this.#values = settings.values
    this.#random = random
    this.#tokens = settings.values.connection_throttle_tokens
    this.#filledMs = nowMs
    this.#adjustedMs = nowMs
  }

  admits(what: Admission, nowMs: number): boolean {
    const most = this.#values.connection_throttle_tokens
    if (most === 0) return true
    this.#fill(nowMs)
    if (this.#values.connection_throttle_freeze_time !== -1 && this.#isUnlucky(nowMs)) return false
    const cost = this.#costOf(what)
    if (this.#tokens < cost) return false
    this.#tokens -= cost
    return true
  }

  #costOf(what: Admission): number {
    const values = this.#values
    if (!values.connection_throttle_weight_enabled) return 1
    return {
      global: values.connection_throttle_global_session_weight,
      local: values.connection_throttle_local_session_weight,
      renewed: values.connection_throttle_renew_session_weight,
    }[what]
  }

  #fill(nowMs: number): void {
    const { connection_throttle_tokens: most, connection_throttle_fill_time: timeMs } = this.#values
    const times = Math.floor((nowMs - this.#filledMs) / timeMs)
    if (times === 0) return
    this.#tokens = Math.min(most, this.#tokens + times * this.#values.connection_throttle_fill_count)
    this.#filledMs += times * timeMs
  }

  /** The chance changes once in a while: up while the bucket is empty, down while it is nearly full. */
  #isUnlucky(nowMs: number): boolean {
    const values = this.#values
    if (nowMs - this.#adjustedMs > values.connection_throttle_freeze_time) {
      this.#adjustedMs = nowMs
      const most = values.connection_throttle_tokens
      const used = most - this.#tokens
      if (used === most)
        this.#dropChance = Math.min(1, this.#dropChance + values.connection_throttle_drop_increase)
      else if (used <= Math.round(most * values.connection_throttle_decrease_ratio))
        this.#dropChance = Math.max(0, this.#dropChance - values.connection_throttle_drop_decrease)
    }
    return this.#random.below(resolution) < this.#dropChance * resolution
  }
}

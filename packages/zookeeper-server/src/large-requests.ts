import type { ServerSettings } from './settings.ts'

/**
 * Keeps the memory of large requests within bounds: those longer than `largeRequestThreshold` together take no more than
 * `largeRequestMaxBytes`, from the moment their length is known until they are answered.
 */
export class LargeRequests {
  readonly #thresholdBytes: number
  readonly #maxBytes: number
  #bytes = 0

  constructor({ values }: ServerSettings) {
    this.#thresholdBytes =
      values.largeRequestThreshold < 0 ? Number.POSITIVE_INFINITY : values.largeRequestThreshold
    this.#maxBytes = values.largeRequestMaxBytes
  }

  isLarge(length: number): boolean {
    return length > this.#thresholdBytes
  }

  /** Whether there is room for a large request; if so it is taken, until `release`. */
  take(length: number): boolean {
    if (this.#bytes + length > this.#maxBytes) return false
    this.#bytes += length
    return true
  }

  release(length: number): void {
    this.#bytes -= length
  }
}

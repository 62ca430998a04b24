import { background, type Clock, type Disk, type Log } from '@vivarium/platform'
import type { AlertRecord } from '../records.ts'

const timeoutMs = 10_000
const firstRetryMs = 1_000
const maxRetryMs = 60_000
/** A receiver that is away for very long must not fill the disk. */
const maxWaiting = 10_000

/**
 * Posts alerts to a receiver in Alertmanager's form, at least once each: what is not delivered waits in a file through
 * restarts. Receivers know repetitions by the idempotency key.
 */
export class Webhook {
  readonly #url: string
  readonly #path: string
  readonly #world: { disk: Disk; clock: Clock; log: Log }
  #waiting: AlertRecord[] = []
  #isDelivering = false
  #retryMs = firstRetryMs

  constructor(url: string, path: string, world: { disk: Disk; clock: Clock; log: Log }) {
    this.#url = url
    this.#path = path
    this.#world = world
  }

  /** Takes up what an earlier run left. */
  async open(): Promise<void> {
    try {
      this.#waiting = JSON.parse((await this.#world.disk.readFile(this.#path)).toString('utf8'))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#world.log.warn(`${this.#path} cannot be read: what waited in it is lost`, error)
    }
    this.#deliver()
  }

  /** Resolves when the alerts are written down for delivery. */
  async add(alerts: readonly AlertRecord[]): Promise<void> {
    const known = new Set(this.#waiting.map(alert => alert.id))
    this.#waiting.push(...alerts.filter(alert => !known.has(alert.id)))
    if (this.#waiting.length > maxWaiting) this.#waiting.splice(0, this.#waiting.length - maxWaiting)
    await this.#save()
    this.#deliver()
  }

  #save(): Promise<void> {
    return this.#world.disk.replaceFile(this.#path, JSON.stringify(this.#waiting))
  }

  #deliver(): void {
    if (this.#isDelivering || this.#waiting.length === 0) return
    this.#isDelivering = true
    background(
      this.#deliverAll().finally(() => {
        this.#isDelivering = false
      }),
      error => this.#world.log.error('Delivering alerts stopped', error),
    )
  }

  async #deliverAll(): Promise<void> {
    const { clock, log } = this.#world
    while (this.#waiting.length > 0) {
      const alert = this.#waiting[0]!
      try {
        const response = await fetch(this.#url, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': alert.id },
          body: JSON.stringify(alertmanagerBody(alert)),
          redirect: 'error',
          signal: AbortSignal.timeout(timeoutMs),
        })
        if (!response.ok) throw new Error(`the receiver answered ${response.status}`)
        this.#retryMs = firstRetryMs
        this.#waiting.shift()
        await this.#save()
      } catch (error) {
        log.warn(
          `The webhook did not take ${alert.rule} (${(error as Error).message}); trying again in ${this.#retryMs / 1000} s`,
        )
        const waitMs = this.#retryMs
        this.#retryMs = Math.min(this.#retryMs * 2, maxRetryMs)
        await new Promise<void>(resolve => clock.after(waitMs, resolve))
      }
    }
  }
}

/** Version 4 of Alertmanager's webhook body, which existing receivers understand. */
export function alertmanagerBody(alert: AlertRecord): unknown {
  const status = alert.state === 'firing' ? 'firing' : 'resolved'
  const labels = { alertname: alert.rule, severity: alert.severity, ...alert.labels }
  return {
    version: '4',
    groupKey: alert.fingerprint,
    status,
    receiver: 'webhook',
    groupLabels: { alertname: alert.rule },
    commonLabels: labels,
    commonAnnotations: alert.annotations,
    externalURL: '',
    alerts: [
      {
        status,
        labels,
        annotations: alert.annotations,
        startsAt: new Date(alert.startsAt).toISOString(),
        endsAt: alert.endsAt === null ? '0001-01-01T00:00:00Z' : new Date(alert.endsAt).toISOString(),
        generatorURL: '',
        fingerprint: alert.fingerprint,
      },
    ],
  }
}

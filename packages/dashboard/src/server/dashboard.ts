import type { Server } from 'node:http'
import { fileURLToPath } from 'node:url'
import { serve } from '@hono/node-server'
import type { AlertRecord, LogRecord, MetricsRecord } from '@vivarium/monitor'
import { background, type Clock, ConfigError, type Log, type Timer } from '@vivarium/platform'
import { Broadcast, createApp } from './app.ts'
import type { DashboardConfig } from './config.ts'
import { readTopics, type TopicRecord, type TopicsReader, TopologyReader } from './kafka-port.ts'
import { DashboardState } from './state.ts'

const webRoot = fileURLToPath(new URL('../../dist/web', import.meta.url))
const updateMs = 500
const topologyMs = 2000
const retryMs = 1000

const sources = [
  { topic: 'zookeeper-logs', last: 150 },
  { topic: 'zookeeper-metrics', last: 600 },
  { topic: 'alerts', last: Number.POSITIVE_INFINITY },
  { topic: 'alerts-history', last: 200 },
]

/** Reads the monitor's topics and asks the brokers; serves what it learns to browsers, live. */
export class Dashboard {
  readonly #config: DashboardConfig
  readonly #clock: Clock
  readonly #log: Log
  readonly #state: DashboardState
  readonly #broadcast = new Broadcast()
  readonly #topology: TopologyReader
  #reader: TopicsReader | null = null
  #server: Server | null = null
  readonly #timers: Timer[] = []
  #isStopped = false

  constructor(config: DashboardConfig, world: { clock: Clock; log: Log }) {
    this.#config = config
    this.#clock = world.clock
    this.#log = world.log.named('Dashboard')
    this.#state = new DashboardState(config.cluster, config.servers)
    this.#topology = new TopologyReader(config.bootstrapServers)
  }

  /** Serves at once; what there is to see comes as brokers and monitor do. Gives the port. */
  async start(): Promise<number> {
    const snapshot = () => this.#state.snapshot(this.#clock.wallMs())
    const app = createApp({ webRoot, snapshot, broadcast: this.#broadcast })
    const { host, port } = this.#config
    const bound = await new Promise<number>((resolve, reject) => {
      this.#server = serve({ fetch: app.fetch, hostname: host, port }, info => resolve(info.port)) as Server
      this.#server.once('error', error => reject(cannotListen(error, host, port)))
    })
    this.#timers.push(
      this.#clock.every(updateMs, () => {
        const update = this.#state.takeUpdate(this.#clock.wallMs())
        if (update !== null) this.#broadcast.send(update)
      }),
    )
    background(this.#followTopology(), error => this.#log.error('The brokers are no longer asked', error))
    background(this.#followTopics(), error => this.#log.error('The topics are no longer read', error))
    this.#log.info(`Serving http://${host}:${bound}/`)
    return bound
  }

  async #followTopology(): Promise<void> {
    while (!this.#isStopped) {
      try {
        this.#state.setTopology(await this.#topology.read(), this.#clock.wallMs())
      } catch (error) {
        this.#state.topologyFailed(`The brokers do not answer: ${(error as Error).message}`)
      }
      await this.#pause(topologyMs)
    }
  }

  async #followTopics(): Promise<void> {
    while (!this.#isStopped && this.#reader === null) {
      try {
        this.#reader = await readTopics(
          this.#config.bootstrapServers,
          sources,
          record => this.#take(record),
          error => {
            this.#log.warn(`Reading the topics broke off (${error.message}); it begins anew`)
            this.#readAnew()
          },
        )
      } catch (error) {
        // The monitor makes the topics when it first can: until then there is nothing to read.
        this.#log.debug(`The topics cannot be read yet (${(error as Error).message})`)
        await this.#pause(retryMs)
      }
    }
  }

  #readAnew(): void {
    const broken = this.#reader
    if (broken === null || this.#isStopped) return
    this.#reader = null
    background(
      broken
        .close()
        .catch(() => {})
        .then(() => this.#pause(retryMs))
        .then(() => this.#followTopics()),
      error => this.#log.error('The topics are no longer read', error),
    )
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => this.#clock.after(ms, resolve))
  }

  #take({ topic, key, value }: TopicRecord): void {
    if (topic === 'alerts' && key !== null && value === null) return this.#state.setAlert(key, null)
    if (value === null) return
    let record: unknown
    try {
      record = JSON.parse(value)
    } catch {
      return this.#log.warn(`A record of ${topic} is not JSON and is passed over`)
    }
    switch (topic) {
      case 'zookeeper-logs':
        return this.#state.addLog(record as LogRecord)
      case 'zookeeper-metrics':
        return this.#state.addMetrics(record as MetricsRecord)
      case 'alerts':
        return this.#state.setAlert(key ?? '', record as AlertRecord)
      case 'alerts-history':
        return this.#state.addHistory(record as AlertRecord)
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const timer of this.#timers) timer.cancel()
    this.#server?.closeAllConnections()
    this.#server?.close()
    const closing = [this.#reader?.close(), this.#topology.close()]
    // Brokers that are gone already need no farewell.
    await Promise.race([Promise.allSettled(closing), this.#pause(2000)])
  }
}

function cannotListen(error: NodeJS.ErrnoException, host: string, port: number): Error {
  if (error.code !== 'EADDRINUSE') return error
  return new ConfigError({
    key: 'port',
    value: `${host}:${port}`,
    where: 'dashboard.json',
    problem: 'is taken by another program',
    fix: 'stop that program, or choose another port',
  })
}

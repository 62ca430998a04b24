import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { background, type Clock, type Disk, type Log, type Network, type Timer } from '@vivarium/platform'
import { Webhook } from './alerts/webhook.ts'
import type { LogFiles } from './collect/log-files.ts'
import { scrape } from './collect/scraper.ts'
import { addressOf, type MonitorConfig } from './config.ts'
import { type Incoming, KafkaPort, type Outgoing, type TopicSpec } from './kafka-port.ts'
import { LogShipper, type Published, publishedAt } from './publish/log-shipper.ts'
import { type AlertRecord, type DeadLetter, type LogRecord, type MetricsRecord, topics } from './records.ts'
import { type EngineState, RuleEngine } from './rules/engine.ts'

const weekMs = String(7 * 24 * 3_600_000)
const monthMs = String(30 * 24 * 3_600_000)

const specs: readonly TopicSpec[] = [
  { name: topics.logs, partitions: 1, configs: { 'cleanup.policy': 'delete', 'retention.ms': weekMs } },
  { name: topics.metrics, partitions: 1, configs: { 'cleanup.policy': 'delete', 'retention.ms': weekMs } },
  { name: topics.alerts, partitions: 1, configs: { 'cleanup.policy': 'compact' } },
  { name: topics.history, partitions: 1, configs: { 'cleanup.policy': 'delete', 'retention.ms': monthMs } },
  {
    name: topics.deadLetters,
    partitions: 1,
    configs: { 'cleanup.policy': 'delete', 'retention.ms': weekMs },
  },
]

const pollMs = 200
const retryMs = 1000
const saveMs = 2000
const scrapeTimeoutMs = 2000
/** How far back the topics are looked through, at a start, for what was published before. */
const firstTail = 1000
const deepestTail = 1_000_000

interface SavedState {
  offsets: [string, number][]
  engine: EngineState
}

export interface MonitorWorld {
  clock: Clock
  disk: Disk
  network: Network
  log: Log
  files: LogFiles
}

/**
 * Follows an ensemble's logs and metrics into topics, and decides over those topics which alerts to raise.
 *
 * Nothing is lost and nothing is said twice, whenever it is killed: log records are resumed from what the topic holds;
 * alert transitions have ids that follow from the records that caused them, and those that stand in the history are not
 * written again.
 */
export class Monitor {
  readonly #config: MonitorConfig
  readonly #world: MonitorWorld
  readonly #log: Log
  readonly #kafka: KafkaPort
  readonly #webhook: Webhook | null
  readonly #statePath: string
  readonly #shippers: LogShipper[] = []
  readonly #timers: Timer[] = []
  readonly #offsets = new Map<string, number>()
  readonly #known = new Set<string>()
  #engine: RuleEngine
  #queue: Incoming[] = []
  #isDeciding = false
  #isDirty = false
  #isStopped = false
  #lastSavedMs = 0

  constructor(config: MonitorConfig, world: MonitorWorld) {
    this.#config = config
    this.#world = world
    this.#log = world.log.named('Monitor')
    this.#kafka = new KafkaPort(config.bootstrapServers)
    this.#statePath = join(config.stateDirectory, 'state.json')
    this.#webhook =
      config.webhook === undefined
        ? null
        : new Webhook(config.webhook.url, join(config.stateDirectory, 'outbox.json'), world)
    this.#engine = this.#newEngine(null)
  }

  #newEngine(saved: EngineState | null): RuleEngine {
    const names = this.#config.servers.map(server => server.name)
    return new RuleEngine(
      this.#config.cluster,
      names,
      text => createHash('sha1').update(text).digest('hex').slice(0, 16),
      saved,
    )
  }

  /** Waits for the brokers as long as it takes, then watches. */
  async start(): Promise<void> {
    const { disk, clock } = this.#world
    await disk.makeDirectory(this.#config.stateDirectory)
    await this.#loadState()
    await this.#patiently('make the topics', () => this.#kafka.ensureTopics(specs))
    const published = await this.#patiently('find out what was published', () => this.#findPublished())
    for (const record of await this.#patiently('read the history of alerts', () =>
      this.#kafka.readTail(topics.history, firstTail),
    )) {
      if (record.value !== null) this.#known.add((JSON.parse(record.value) as AlertRecord).id)
    }
    await this.#webhook?.open()
    await this.#patiently('follow the topics', () =>
      this.#kafka.follow(
        [topics.logs, topics.metrics],
        this.#offsets,
        record => this.#take(record),
        error => this.#fail(new Error('the topics could not be read any longer', { cause: error })),
      ),
    )
    for (const server of this.#config.servers) this.#watch(server, published.get(server.name) ?? null)
    this.#timers.push(
      clock.every(this.#config.scrapeIntervalMs, () =>
        background(this.#scrapeAll(), error =>
          this.#log.warn('A look at the servers could not be published', error),
        ),
      ),
    )
    this.#log.info(
      `Watching ${this.#config.servers.map(server => server.name).join(', ')} for ${this.#config.bootstrapServers.join(',')}`,
    )
  }

  /** The process ends and is started anew: its state is in the topics and in one file. */
  #onFailure: (error: Error) => void = error => {
    throw error
  }

  onFailure(listener: (error: Error) => void): void {
    this.#onFailure = listener
  }

  #fail(error: Error): void {
    if (!this.#isStopped) this.#onFailure(error)
  }

  async #patiently<T>(what: string, task: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await task()
      } catch (error) {
        if (this.#isStopped) throw error
        if (attempt % 10 === 5) this.#log.warn(`Still trying to ${what} (${(error as Error).message})`)
        await this.#pause(retryMs / 4)
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => this.#world.clock.after(ms, resolve))
  }

  // ---- from files and servers into topics ------------------------------------------------------------------------------------

  /** The newest published entry of each server, from the topics' tails. */
  async #findPublished(): Promise<Map<string, Published>> {
    const wanted = this.#config.servers
      .filter(server => server.logFile !== undefined)
      .map(server => server.name)
    for (let last = firstTail; ; last *= 10) {
      const newest = new Map<string, { at: Published; ts: number }>()
      let count = 0
      for (const topic of [topics.logs, topics.deadLetters]) {
        for (const { value } of await this.#kafka.readTail(topic, last)) {
          count++
          const record = JSON.parse(value ?? 'null') as LogRecord | DeadLetter | null
          if (record === null) continue
          const at = publishedAt(record)
          const known = newest.get(record.server)
          // Of one file the later offset counts; of two files the one that was written to last.
          const isNewer =
            known === undefined ||
            (known.at.file === at.file ? at.offset > known.at.offset : record.ts >= known.ts)
          if (isNewer) newest.set(record.server, { at, ts: record.ts })
        }
      }
      const isAll = wanted.every(name => newest.has(name)) || count < last || last >= deepestTail
      if (isAll) return new Map([...newest].map(([name, { at }]) => [name, at]))
    }
  }

  #watch(server: MonitorConfig['servers'][number], published: Published | null): void {
    const { logFile, name } = server
    if (logFile === undefined) return
    const shipper = new LogShipper(
      { name, path: logFile, cluster: this.#config.cluster },
      this.#world.files,
      published,
      problem => this.#log.warn(problem),
    )
    this.#shippers.push(shipper)
    background(this.#ship(shipper), error => this.#fail(error))
  }

  async #ship(shipper: LogShipper): Promise<void> {
    while (!this.#isStopped) {
      const { records, isCaughtUp } = await shipper.poll()
      await this.#sendPatiently(records)
      if (isCaughtUp) await this.#pause(pollMs)
    }
  }

  /** A record that may or may not have been stored is not sent again by this process: the next one looks in the topic. */
  async #sendPatiently(records: readonly Outgoing[]): Promise<void> {
    try {
      await this.#kafka.send(records)
    } catch (error) {
      this.#fail(
        new Error('records could not be published; starting over from what the topic holds', {
          cause: error,
        }),
      )
      this.#isStopped = true
    }
  }

  async #scrapeAll(): Promise<void> {
    const { network, clock } = this.#world
    const world = { cluster: this.#config.cluster, network, clock, timeoutMs: scrapeTimeoutMs }
    await Promise.all(
      this.#config.servers.map(async ({ name, address }) => {
        const record = await scrape({ name, address: addressOf(address) }, world)
        await this.#kafka.send([{ topic: topics.metrics, key: name, value: JSON.stringify(record) }])
      }),
    )
  }

  // ---- from topics to alerts ----------------------------------------------------------------------------------------------------

  #take(record: Incoming): void {
    this.#queue.push(record)
    if (this.#isDeciding) return
    this.#isDeciding = true
    background(
      this.#decide().finally(() => {
        this.#isDeciding = false
      }),
      error => this.#fail(error),
    )
  }

  async #decide(): Promise<void> {
    while (this.#queue.length > 0 && !this.#isStopped) {
      const records = this.#queue
      this.#queue = []
      const transitions: AlertRecord[] = []
      for (const record of records) {
        transitions.push(...this.#evaluate(record))
        this.#offsets.set(`${record.topic} ${record.partition}`, record.offset + 1)
      }
      await this.#report(transitions.filter(transition => !this.#known.has(transition.id)))
      this.#isDirty = true
      await this.#saveIfDue(transitions.length > 0)
    }
  }

  #evaluate({ topic, value }: Incoming): AlertRecord[] {
    if (value === null) return []
    let record: unknown
    try {
      record = JSON.parse(value)
    } catch {
      // Anyone may write to the topic; what is not ours is not judged.
      return []
    }
    return topic === topics.logs
      ? this.#engine.log(record as LogRecord)
      : this.#engine.metrics(record as MetricsRecord)
  }

  async #report(transitions: readonly AlertRecord[]): Promise<void> {
    if (transitions.length === 0) return
    const loud = transitions.filter(({ state }) => state === 'firing' || state === 'resolved')
    await this.#kafka.send(
      transitions.flatMap(transition => {
        const value = JSON.stringify(transition)
        const key = transition.fingerprint
        return [
          { topic: topics.history, key, value },
          { topic: topics.alerts, key, value },
        ]
      }),
    )
    for (const transition of transitions) {
      this.#known.add(transition.id)
      this.#log.info(`${transition.rule} is ${transition.state}: ${transition.annotations.summary}`)
    }
    if (loud.length > 0) await this.#webhook?.add(loud)
  }

  async #saveIfDue(isUrgent: boolean): Promise<void> {
    const nowMs = this.#world.clock.monotonicMs()
    if (!this.#isDirty || (!isUrgent && nowMs - this.#lastSavedMs < saveMs)) return
    this.#lastSavedMs = nowMs
    this.#isDirty = false
    const state: SavedState = { offsets: [...this.#offsets], engine: this.#engine.state }
    await this.#world.disk.replaceFile(this.#statePath, JSON.stringify(state))
  }

  async #loadState(): Promise<void> {
    try {
      const saved = JSON.parse(
        (await this.#world.disk.readFile(this.#statePath)).toString('utf8'),
      ) as SavedState
      for (const [key, offset] of saved.offsets) this.#offsets.set(key, offset)
      this.#engine = this.#newEngine(saved.engine)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#log.warn(`${this.#statePath} cannot be read; rules begin with what comes now`, error)
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const timer of this.#timers) timer.cancel()
    for (const shipper of this.#shippers) await shipper.close()
    await this.#saveIfDue(true)
    await Promise.race([this.#kafka.close(), this.#pause(3000)])
  }
}

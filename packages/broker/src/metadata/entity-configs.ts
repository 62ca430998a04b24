import { background, type Log } from '@vivarium/platform'
import type { Broker } from '../broker.ts'
import {
  type ConfigEntityType,
  defaultEntity,
  paths,
  readConfig,
  readConfigChange,
  writeConfig,
  writeConfigChange,
} from './zookeeper-layout.ts'
import { isCode, zooKeeperErrorCode as znode } from './zookeeper-session.ts'

/** Notices are kept this long, for brokers that are away. */
const noticeLifeMs = 15 * 60_000

/** What has a configuration of its own; `entity` as in a path: sanitized, or `<default>`. */
type EntityPath = `${ConfigEntityType}/${string}`

const none: ReadonlyMap<string, string> = new Map()

/**
 * What is set in ZooKeeper for topics and brokers, kept current by the notices in `/config/changes`.
 *
 * A value that cannot be read is reported and leaves the earlier one in force.
 */
export class EntityConfigs {
  readonly #broker: Pick<Broker, 'id' | 'zookeeper' | 'clock' | 'log'>
  readonly #log: Log
  readonly #texts = new Map<EntityPath, ReadonlyMap<string, string>>()
  readonly #topicListeners = new Set<(topic: string) => void>()
  readonly #brokerListeners = new Set<() => void>()
  #lastNotice = -1
  #isScanning = false
  #isScanWanted = false
  #isStopped = false

  constructor(broker: Pick<Broker, 'id' | 'zookeeper' | 'clock' | 'log'>) {
    this.#broker = broker
    this.#log = broker.log.named('kafka.server.DynamicConfigManager')
  }

  /** Loads everything, then follows the notices. */
  async start(): Promise<void> {
    this.#broker.zookeeper.onSession({
      name: 'The configuration listener',
      onRenewed: () => this.#scan(true),
    })
    await this.#scan(true)
  }

  stop(): void {
    this.#isStopped = true
  }

  /** The texts of `/config/topics/<name>`, by topic key; empty if nothing is set. */
  topicTexts(name: string): ReadonlyMap<string, string> {
    return this.#texts.get(`topics/${name}`) ?? none
  }

  /** What is set for this broker alone. */
  brokerTexts(id: number = this.#broker.id): ReadonlyMap<string, string> {
    return this.#texts.get(`brokers/${id}`) ?? none
  }

  /** What is set for all brokers. */
  brokerDefaultTexts(): ReadonlyMap<string, string> {
    return this.#texts.get(`brokers/${defaultEntity}`) ?? none
  }

  /** Hears of each topic whose configuration has changed or gone. */
  onTopicChange(listener: (topic: string) => void): void {
    this.#topicListeners.add(listener)
  }

  onBrokerChange(listener: () => void): void {
    this.#brokerListeners.add(listener)
  }

  /** A new topic's configuration comes without a notice: it is read when the topic appears here. */
  async loadTopic(name: string): Promise<void> {
    await this.#load(`topics/${name}`)
  }

  /** The topic is deleted. */
  forgetTopic(name: string): void {
    this.#texts.delete(`topics/${name}`)
  }

  /**
   * Replaces an entity's configuration and tells every broker. Done once the znode is written; other brokers follow within
   * their next notice.
   */
  async write(
    type: ConfigEntityType,
    entity: string,
    config: Readonly<Record<string, string>>,
  ): Promise<void> {
    const { zookeeper } = this.#broker
    const path = paths.config(type, entity)
    const data = writeConfig(config)
    try {
      await zookeeper.setData(path, data)
    } catch (error) {
      if (!isCode(error, znode.NONODE)) throw error
      await zookeeper.ensure(path, data)
      // Somebody may have made it meanwhile.
      await zookeeper.setData(path, data)
    }
    await zookeeper.create(paths.configChangePrefix, writeConfigChange(`${type}/${entity}`), {
      mode: 'persistent-sequential',
    })
    await this.#load(`${type}/${entity}`)
  }

  /** The configuration as it is in ZooKeeper this moment, for changing it. */
  async read(type: ConfigEntityType, entity: string): Promise<Record<string, string>> {
    const path = paths.config(type, entity)
    return readConfig(path, (await this.#broker.zookeeper.read(path))?.data ?? null)
  }

  /** Takes up new notices; with `everything`, all entities as well: notices may have been missed. */
  async #scan(everything: boolean): Promise<void> {
    const { zookeeper, clock } = this.#broker
    // The watch is set before anything is read, so that nothing can slip between.
    const { children } = await zookeeper.getChildren(paths.configChanges, { watch: this.#onNotice })
    if (everything) {
      for (const type of ['topics', 'brokers'] as const) {
        const { children: names } = await zookeeper.getChildren(paths.configs(type))
        await Promise.all(names.map(name => this.#load(`${type}/${name}`)))
      }
    }
    for (const name of children.sort()) {
      const number = Number(/(\d+)$/.exec(name)?.[1] ?? -1)
      const path = `${paths.configChanges}/${name}`
      const notice = await zookeeper.read(path)
      if (notice === null) continue
      if (number > this.#lastNotice) {
        this.#lastNotice = number
        if (!everything) await this.#take(path, notice.data)
      }
      if (clock.wallMs() - Number(notice.stat.ctime) > noticeLifeMs) {
        await zookeeper.delete(path).catch(error => {
          if (!isCode(error, znode.NONODE)) throw error
        })
      }
    }
  }

  readonly #onNotice = (): void => {
    if (this.#isStopped) return
    this.#isScanWanted = true
    if (this.#isScanning) return
    this.#isScanning = true
    background(this.#scanWhileWanted(), error =>
      this.#log.error('Reading configuration changes failed; they are read again with the next', error),
    )
  }

  async #scanWhileWanted(): Promise<void> {
    try {
      while (this.#isScanWanted && !this.#isStopped) {
        this.#isScanWanted = false
        await this.#scan(false)
      }
    } finally {
      this.#isScanning = false
    }
  }

  async #take(path: string, data: Buffer | null): Promise<void> {
    try {
      const entity = readConfigChange(path, data)
      this.#log.info(`Processing override for entityPath: ${entity}`)
      await this.#load(entity as EntityPath)
    } catch (error) {
      if (isCode(error, znode.SESSIONEXPIRED)) throw error
      this.#log.error(`Configuration change ${path} is left out`, error)
    }
  }

  async #load(entity: EntityPath): Promise<void> {
    const path = `/config/${entity}`
    const found = await this.#broker.zookeeper.read(path)
    let texts: ReadonlyMap<string, string>
    try {
      texts = new Map(Object.entries(readConfig(path, found?.data ?? null)))
    } catch (error) {
      this.#log.error(`The configuration of ${entity} cannot be read; the earlier one stays in force`, error)
      return
    }
    const before = this.#texts.get(entity)
    if (texts.size === 0) this.#texts.delete(entity)
    else this.#texts.set(entity, texts)
    if (isSame(before ?? none, texts)) return
    if (entity.startsWith('topics/')) {
      const topic = entity.slice('topics/'.length)
      for (const listener of this.#topicListeners) listener(topic)
    } else if (entity === `brokers/${this.#broker.id}` || entity === `brokers/${defaultEntity}`) {
      for (const listener of this.#brokerListeners) listener()
    }
  }
}

function isSame(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value)
}

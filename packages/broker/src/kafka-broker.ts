import { join } from 'node:path'
import { controlledShutdown, errorCode } from '@vivarium/kafka-protocol'
import { LogDirectory } from '@vivarium/log-storage'
import { type Clock, ConfigError, type Disk, type Log, type Network, type Random } from '@vivarium/platform'
import type { Broker, BrokerWorld } from './broker.ts'
import { Controller } from './controller/controller.ts'
import { GroupCoordinator } from './groups/coordinator.ts'
import { handlers } from './handlers/index.ts'
import {
  BrokerRegistration,
  ensureClusterId,
  ensureRootPaths,
  generateBrokerId,
} from './metadata/broker-registration.ts'
import { EntityConfigs } from './metadata/entity-configs.ts'
import { MetadataCache } from './metadata/metadata-cache.ts'
import { ZooKeeperSession } from './metadata/zookeeper-session.ts'
import { BrokerChannels } from './network/broker-channels.ts'
import { Listeners } from './network/listeners.ts'
import { FetchSessions } from './replication/fetch-sessions.ts'
import { ReplicaManager } from './replication/replica-manager.ts'
import type { BrokerSettings } from './settings.ts'
import { ProducerIds } from './transactions/producer-ids.ts'

const controlledShutdownVersion = 3

/**
 * A Kafka broker whose metadata lives in ZooKeeper. Holds no state outside itself, so that many can live in one process.
 * This class only composes: each part is in a folder of its own.
 */
export class KafkaBroker implements Broker {
  readonly settings: BrokerSettings
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly network: Network
  readonly log: Log
  readonly zookeeper: ZooKeeperSession
  readonly metadata: MetadataCache = new MetadataCache()
  readonly configs: EntityConfigs
  readonly replicas: ReplicaManager
  readonly fetchSessions: FetchSessions
  readonly channels: BrokerChannels
  readonly groups: GroupCoordinator
  readonly producerIds: ProducerIds
  readonly controller: Controller
  readonly #listeners: Listeners
  #registration: BrokerRegistration | null = null
  #id: number
  #clusterId = ''
  #isStopped = false

  /** `onFailure` is called once if the broker cannot go on (its disk failed); it must then end. */
  constructor(settings: BrokerSettings, world: BrokerWorld, onFailure: (error: Error) => void) {
    this.settings = settings
    this.clock = world.clock
    this.random = world.random
    this.disk = world.disk
    this.network = world.network
    this.log = world.log
    this.#id = settings.values['broker.id']!
    const { values } = settings
    const sessionTimeoutMs = values['zookeeper.session.timeout.ms']!
    this.zookeeper = new ZooKeeperSession({
      connect: values['zookeeper.connect']!,
      sessionTimeoutMs,
      connectionTimeoutMs: values['zookeeper.connection.timeout.ms'] ?? sessionTimeoutMs,
      isSecure: values['zookeeper.set.acl'],
      network: world.network,
      clock: world.clock,
      random: world.random,
      log: world.log,
    })
    this.configs = new EntityConfigs(this)
    this.fetchSessions = new FetchSessions(values['max.incremental.fetch.session.cache.slots']!, bound =>
      world.random.below(bound),
    )
    this.channels = new BrokerChannels(world, `broker-${this.#id}`, id => {
      const broker = this.metadata.broker(id, settings.interBrokerListener)
      return broker === null ? null : { host: broker.host, port: broker.port }
    })
    this.replicas = new ReplicaManager(this, onFailure)
    this.groups = new GroupCoordinator(this)
    this.producerIds = new ProducerIds(this)
    this.controller = new Controller(this)
    this.#listeners = new Listeners(this, handlers)
  }

  get id(): number {
    return this.#id
  }

  get clusterId(): string {
    return this.#clusterId
  }

  get epoch(): number {
    return this.#registration?.epoch ?? -1
  }

  /** Resolves when the broker serves and is registered. Rejects with what a person must mend. */
  async start(): Promise<void> {
    const log = this.log.named('kafka.server.KafkaServer')
    for (const warning of this.settings.warnings) log.warn(warning)
    log.info(`Connecting to zookeeper on ${this.settings.values['zookeeper.connect']}`)
    try {
      await this.zookeeper.connected()
    } catch (error) {
      throw new ConfigError({
        key: 'zookeeper.connect',
        value: this.settings.values['zookeeper.connect'],
        where: this.settings.given.get('zookeeper.connect')?.where ?? this.settings.file,
        problem: `could not be reached: ${(error as Error).message}`,
        fix: 'start the ensemble, or correct the addresses',
      })
    }
    await ensureRootPaths(this.zookeeper)
    this.#clusterId = await ensureClusterId(this.zookeeper, count => this.random.bytes(count))
    log.info(`Cluster ID = ${this.#clusterId}`)
    if (this.#id < 0) this.#id = await this.#rememberedOrNewId()
    await this.configs.start()
    await this.replicas.open()
    this.replicas.start()
    this.groups.start()
    const ports = await this.#listeners.start()
    this.#registration = new BrokerRegistration(this, ports)
    await this.#registration.register()
    await this.controller.start()
    log.info(`[KafkaServer id=${this.#id}] started`)
  }

  async #rememberedOrNewId(): Promise<number> {
    for (const path of this.settings.logDirs) {
      const owner = await LogDirectory.readOwner(
        { disk: this.disk, clock: this.clock, log: this.log },
        join(path),
      )
      if (owner !== null) return owner.brokerId
    }
    return generateBrokerId(this.zookeeper, this.settings.values['reserved.broker.max.id']!)
  }

  /** Hands leadership over, closes everything in order and marks the logs as clean. */
  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    const log = this.log.named('kafka.server.KafkaServer')
    log.info(`[KafkaServer id=${this.#id}] shutting down`)
    if (this.settings.values['controlled.shutdown.enable']) await this.#handOver(log)
    await this.#listeners.stop()
    this.groups.stop()
    this.controller.stop()
    this.configs.stop()
    this.channels.close()
    // Before the replicas, whose last requests to an ensemble that is gone would never be answered.
    await this.zookeeper.close()
    await this.replicas.stop()
    log.info(`[KafkaServer id=${this.#id}] shut down completed`)
  }

  /** Asks the controller to move leadership to other brokers, so that clients need not wait for this one's session to end. */
  async #handOver(log: Log): Promise<void> {
    const { values } = this.settings
    if (!this.zookeeper.isConnected) {
      return log.warn(
        `[KafkaServer id=${this.#id}] stops without handing over its leadership: ZooKeeper is not reachable`,
      )
    }
    const tries = values['controlled.shutdown.max.retries']!
    for (let attempt = 0; attempt < tries && this.epoch >= 0; attempt++) {
      const { controllerId } = this.metadata
      try {
        if (controllerId === null) throw new Error('no controller is known')
        const body = { brokerId: this.#id, brokerEpoch: this.epoch }
        const response = await this.channels.request(
          controllerId,
          controlledShutdown,
          controlledShutdownVersion,
          body,
          { timeoutMs: 10_000, purpose: 'shutdown' },
        )
        if (response.errorCode === errorCode.NONE && response.remainingPartitions.length === 0) {
          return log.info(
            `[KafkaServer id=${this.#id}] Controlled shutdown request returned successfully after ${attempt + 1} tries`,
          )
        }
        log.info(
          `[KafkaServer id=${this.#id}] ${response.remainingPartitions.length} partitions could not be handed over (error ${response.errorCode})`,
        )
      } catch (error) {
        log.warn(
          `[KafkaServer id=${this.#id}] the controller could not be asked to take over (${(error as Error).message})`,
        )
      }
      // Where there is no other broker there is nobody to hand over to.
      if (this.metadata.liveBrokers().length <= 1) return
      await new Promise<void>(resolve =>
        this.clock.after(Math.min(1000, values['controlled.shutdown.retry.backoff.ms']!), resolve),
      )
    }
  }
}

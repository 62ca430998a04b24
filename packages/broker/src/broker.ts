import type { Clock, Disk, Log, Network, Random } from '@vivarium/platform'
import type { Controller } from './controller/controller.ts'
import type { GroupCoordinator } from './groups/coordinator.ts'
import type { EntityConfigs } from './metadata/entity-configs.ts'
import type { MetadataCache } from './metadata/metadata-cache.ts'
import type { ZooKeeperSession } from './metadata/zookeeper-session.ts'
import type { BrokerChannels } from './network/broker-channels.ts'
import type { FetchSessions } from './replication/fetch-sessions.ts'
import type { ReplicaManager } from './replication/replica-manager.ts'
import type { BrokerSettings } from './settings.ts'
import type { ProducerIds } from './transactions/producer-ids.ts'

/** The world a broker lives in. */
export interface BrokerWorld {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly network: Network
  readonly log: Log
}

/** What the parts of a broker, and its handlers, see of each other. Composed in kafka-broker.ts. */
export interface Broker extends BrokerWorld {
  readonly id: number
  readonly clusterId: string
  /** Fences the previous life of this broker: czxid of `/brokers/ids/<id>`. */
  readonly epoch: number
  readonly settings: BrokerSettings
  /** Lasts over any number of ZooKeeper sessions; begins a new one when one expires. */
  readonly zookeeper: ZooKeeperSession
  readonly metadata: MetadataCache
  readonly replicas: ReplicaManager
  readonly fetchSessions: FetchSessions
  readonly controller: Controller
  readonly configs: EntityConfigs
  readonly groups: GroupCoordinator
  readonly producerIds: ProducerIds
  readonly channels: BrokerChannels
}

import { ZERO_UUID } from '@vivarium/kafka-protocol'
import type { BrokerZnode, Endpoint, PartitionStateZnode, TopicZnode } from '../metadata/zookeeper-layout.ts'

/** Where a partition stands. Only `online` has a leader that works. */
export type PartitionStatus = 'non-existent' | 'new' | 'online' | 'offline'

export type ReplicaStatus =
  | 'non-existent'
  | 'new'
  | 'online'
  | 'offline'
  | 'deletion-started'
  | 'deletion-successful'
  | 'deletion-ineligible'

/** Leader and in-sync replicas, with the version of the znode that holds them (the partition epoch). */
export interface Leadership extends PartitionStateZnode {
  partitionEpoch: number
}

export class ControlledPartition {
  readonly topic: string
  readonly index: number
  /** The first is the preferred leader. */
  replicas: readonly number[]
  adding: readonly number[]
  removing: readonly number[]
  status: PartitionStatus = 'non-existent'
  leadership: Leadership | null = null
  readonly replicaStatus = new Map<number, ReplicaStatus>()

  constructor(topic: string, index: number) {
    this.topic = topic
    this.index = index
    this.replicas = []
    this.adding = []
    this.removing = []
  }

  get isReassigning(): boolean {
    return this.adding.length > 0 || this.removing.length > 0
  }

  /** The replicas it is to have once its reassignment is through. */
  get target(): readonly number[] {
    return this.replicas.filter(broker => !this.removing.includes(broker))
  }

  /** The replicas it had before its reassignment. */
  get origin(): readonly number[] {
    return this.replicas.filter(broker => !this.adding.includes(broker))
  }

  statusOf(broker: number): ReplicaStatus {
    return this.replicaStatus.get(broker) ?? 'non-existent'
  }

  toString(): string {
    return `${this.topic}-${this.index}`
  }
}

export interface ControlledTopic {
  readonly name: string
  topicId: string
  readonly partitions: Map<number, ControlledPartition>
}

export interface LiveBroker {
  readonly id: number
  /** czxid of its registration. */
  readonly epoch: number
  readonly endpoints: readonly Endpoint[]
  readonly rack: string | null
}

export function liveBroker(id: number, czxid: bigint, znode: BrokerZnode): LiveBroker {
  return { id, epoch: Number(czxid), endpoints: znode.endpoints, rack: znode.rack }
}

/** Settings of the controller's own broker that its decisions need. */
export interface ControllerSettings {
  /** Whether a topic without a setting of its own may lose data to get a leader. */
  uncleanLeaderElection: boolean
  deleteTopicEnable: boolean
  /** Share of misplaced leaders, in percent, above which a broker's leaderships are put right. */
  imbalancePercentage: number
  /** Name of the listener by which brokers reach each other. */
  interBrokerListener: string
}

/** Everything the active controller remembers. A new one for each election. */
export class ControllerContext {
  readonly controllerId: number
  readonly epoch: number
  readonly settings: ControllerSettings
  /** 16 random bytes as a topic id. */
  readonly newTopicId: () => string
  readonly note: (message: string) => void

  readonly topics = new Map<string, ControlledTopic>()
  /** Registered brokers, also those that are shutting down. */
  readonly brokers = new Map<number, LiveBroker>()
  readonly shuttingDown = new Set<number>()
  /** Replicas on failed disks, by broker. */
  readonly failedReplicas = new Map<number, Set<ControlledPartition>>()
  readonly deleting = new Set<string>()
  /** Of those, the ones that must wait for a broker or a reassignment. */
  readonly ineligibleForDeletion = new Set<string>()
  readonly deletionStarted = new Set<string>()

  constructor(options: {
    controllerId: number
    epoch: number
    settings: ControllerSettings
    newTopicId: () => string
    note: (message: string) => void
  }) {
    this.controllerId = options.controllerId
    this.epoch = options.epoch
    this.settings = options.settings
    this.newTopicId = options.newTopicId
    this.note = options.note
  }

  partition(topic: string, index: number): ControlledPartition | null {
    return this.topics.get(topic)?.partitions.get(index) ?? null
  }

  *partitions(): Generator<ControlledPartition, void, undefined> {
    for (const topic of this.topics.values()) yield* topic.partitions.values()
  }

  /** The topic's partitions; none if it is not known. */
  partitionsOf(topic: string): ControlledPartition[] {
    return [...(this.topics.get(topic)?.partitions.values() ?? [])]
  }

  partitionsOn(broker: number): ControlledPartition[] {
    return [...this.partitions()].filter(({ replicas }) => replicas.includes(broker))
  }

  topicWithId(topicId: string): ControlledTopic | null {
    if (topicId === ZERO_UUID) return null
    for (const topic of this.topics.values()) if (topic.topicId === topicId) return topic
    return null
  }

  isDeleting(topic: string): boolean {
    return this.deleting.has(topic)
  }

  isAlive(broker: number): boolean {
    return this.brokers.has(broker) && !this.shuttingDown.has(broker)
  }

  /** Whether the replica works: its broker is there, and its disk. */
  isOnline(partition: ControlledPartition, broker: number, withShuttingDown = false): boolean {
    const isThere = withShuttingDown ? this.brokers.has(broker) : this.isAlive(broker)
    return isThere && this.failedReplicas.get(broker)?.has(partition) !== true
  }

  /** Takes over an assignment; gives the partitions that were not known. */
  assign(name: string, znode: TopicZnode): ControlledPartition[] {
    let topic = this.topics.get(name)
    if (topic === undefined) {
      topic = { name, topicId: znode.topicId ?? ZERO_UUID, partitions: new Map() }
      this.topics.set(name, topic)
    } else if (topic.topicId === ZERO_UUID && znode.topicId !== null) {
      topic.topicId = znode.topicId
    }
    const fresh: ControlledPartition[] = []
    for (const [index, { replicas, adding, removing }] of znode.partitions) {
      let partition = topic.partitions.get(index)
      if (partition === undefined) {
        partition = new ControlledPartition(name, index)
        topic.partitions.set(index, partition)
        fresh.push(partition)
      }
      partition.replicas = replicas
      partition.adding = adding
      partition.removing = removing
    }
    return fresh
  }

  forgetTopic(name: string): void {
    for (const failed of this.failedReplicas.values()) {
      for (const partition of failed) if (partition.topic === name) failed.delete(partition)
    }
    this.topics.delete(name)
    this.deleting.delete(name)
    this.ineligibleForDeletion.delete(name)
    this.deletionStarted.delete(name)
  }

  /** The topic as its znode should say; `topicId` null for one without. */
  topicZnode(name: string): TopicZnode | null {
    const topic = this.topics.get(name)
    if (topic === undefined) return null
    return {
      topicId: topic.topicId === ZERO_UUID ? null : topic.topicId,
      partitions: new Map(
        [...topic.partitions].map(([index, { replicas, adding, removing }]) => [
          index,
          { replicas, adding, removing },
        ]),
      ),
    }
  }
}

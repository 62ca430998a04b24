import type { UpdateMetadataRequest } from '@vivarium/kafka-protocol'
import { ZERO_UUID } from '@vivarium/kafka-protocol'

/** Leader of a partition that is being deleted, in UpdateMetadata. */
const leaderDuringDelete = -2

export interface CachedPartition {
  /** −1: none. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly isr: readonly number[]
  readonly replicas: readonly number[]
  /** Replicas on dead brokers or failed disks. */
  readonly offlineReplicas: readonly number[]
}

export interface CachedTopic {
  /** The zero uuid if it has none. */
  readonly topicId: string
  readonly partitions: ReadonlyMap<number, CachedPartition>
}

/** A live broker, at the address of one listener. */
export interface CachedBroker {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

interface LiveBroker {
  readonly id: number
  readonly rack: string | null
  readonly listeners: ReadonlyMap<string, { host: string; port: number }>
}

/**
 * What a broker knows of the cluster: all of it told by the controller in UpdateMetadata, nothing read from ZooKeeper.
 *
 * Each update replaces the list of live brokers and merges partitions. Pure.
 */
export class MetadataCache {
  #topics = new Map<string, { topicId: string; partitions: Map<number, CachedPartition> }>()
  readonly #names = new Map<string, string>()
  #brokers = new Map<number, LiveBroker>()
  #controllerId: number | null = null
  readonly #listeners = new Set<() => void>()

  /** The active controller as of the last update; null before the first. */
  get controllerId(): number | null {
    return this.#controllerId
  }

  /** How many partitions are known. */
  get partitionCount(): number {
    let count = 0
    for (const { partitions } of this.#topics.values()) count += partitions.size
    return count
  }

  partition(topic: string, partition: number): CachedPartition | null {
    return this.#topics.get(topic)?.partitions.get(partition) ?? null
  }

  topic(name: string): CachedTopic | null {
    return this.#topics.get(name) ?? null
  }

  topics(): Iterable<string> {
    return this.#topics.keys()
  }

  /** Name of the topic with this id; null if it is not known here. */
  topicName(topicId: string): string | null {
    return this.#names.get(topicId) ?? null
  }

  /** Live brokers that have this listener. */
  brokers(listenerName: string): CachedBroker[] {
    const found: CachedBroker[] = []
    for (const id of this.#brokers.keys()) {
      const broker = this.broker(id, listenerName)
      if (broker !== null) found.push(broker)
    }
    return found
  }

  /** null if the broker is not live or lacks this listener. */
  broker(id: number, listenerName: string): CachedBroker | null {
    const broker = this.#brokers.get(id)
    const address = broker?.listeners.get(listenerName)
    if (broker === undefined || address === undefined) return null
    return { id, host: address.host, port: address.port, rack: broker.rack }
  }

  isAlive(id: number): boolean {
    return this.#brokers.has(id)
  }

  /** Live brokers whatever their listeners, ascending. */
  liveBrokers(): { id: number; rack: string | null }[] {
    return [...this.#brokers.values()].map(({ id, rack }) => ({ id, rack })).sort((a, b) => a.id - b.id)
  }

  /** Calls `listener` after every update; gives the function that ends that. */
  onUpdate(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Takes over what the controller says. Gives the partitions that are no more. */
  update(request: UpdateMetadataRequest): { topic: string; partition: number }[] {
    this.#controllerId = request.controllerId < 0 ? null : request.controllerId
    this.#brokers = new Map(
      request.liveBrokers.map(({ id, rack, endpoints, v0Host, v0Port }) => {
        const listeners = new Map(
          endpoints.map(({ listener, securityProtocol, host, port }) => [
            // Before version 3 an endpoint's listener was named after its protocol.
            listener === '' ? (protocolNames[securityProtocol] ?? 'PLAINTEXT') : listener,
            { host, port },
          ]),
        )
        if (endpoints.length === 0 && v0Host !== '') {
          listeners.set('PLAINTEXT', { host: v0Host, port: v0Port })
        }
        return [id, { id, rack: rack === '' ? null : rack, listeners }]
      }),
    )
    const deleted: { topic: string; partition: number }[] = []
    for (const { topicName, topicId, partitionStates } of request.topicStates) {
      this.#setTopicId(topicName, topicId)
      for (const state of partitionStates) this.#merge(topicName, state, deleted)
    }
    for (const state of request.ungroupedPartitionStates) this.#merge(state.topicName, state, deleted)
    for (const listener of [...this.#listeners]) listener()
    return deleted
  }

  #setTopicId(name: string, topicId: string): void {
    const topic = this.#topics.get(name)
    if (topic === undefined) {
      this.#topics.set(name, { topicId, partitions: new Map() })
    } else if (topic.topicId !== topicId) {
      this.#names.delete(topic.topicId)
      topic.topicId = topicId
    }
    if (topicId !== ZERO_UUID) this.#names.set(topicId, name)
  }

  #merge(
    name: string,
    state: CachedPartition & { readonly partitionIndex: number },
    deleted: { topic: string; partition: number }[],
  ): void {
    let topic = this.#topics.get(name)
    const { partitionIndex: index, leader, leaderEpoch, isr, replicas, offlineReplicas } = state
    if (leader === leaderDuringDelete) {
      if (topic?.partitions.delete(index) === true) deleted.push({ topic: name, partition: index })
      if (topic?.partitions.size === 0) {
        this.#topics.delete(name)
        // A namesake may already have taken the id's place.
        if (this.#names.get(topic.topicId) === name) this.#names.delete(topic.topicId)
      }
      return
    }
    if (topic === undefined) {
      topic = { topicId: ZERO_UUID, partitions: new Map() }
      this.#topics.set(name, topic)
    }
    topic.partitions.set(index, { leader, leaderEpoch, isr, replicas, offlineReplicas })
  }
}

const protocolNames = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']

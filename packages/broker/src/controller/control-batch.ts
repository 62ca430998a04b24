import type { LeaderAndIsrRequest, StopReplicaRequest, UpdateMetadataRequest } from '@vivarium/kafka-protocol'
import { ZERO_UUID } from '@vivarium/kafka-protocol'
import { type Endpoint, securityProtocolIds } from '../metadata/zookeeper-layout.ts'
import type { ControlledPartition, ControllerContext } from './controller-context.ts'
import { type ControlRequest, type Deciding, send } from './effects.ts'

type LeaderState = LeaderAndIsrRequest['topicStates'][number]['partitionStates'][number]
type MetadataState = UpdateMetadataRequest['topicStates'][number]['partitionStates'][number]
type StopState = StopReplicaRequest['topicStates'][number]['partitionStates'][number]

const leaderDuringDelete = -2
const epochDuringDelete = -2

/**
 * Gathers what one decision has to tell the brokers, and sends it in the order they need: first new leaders and
 * followers, then metadata to everyone, then what is to be stopped.
 */
export class ControlBatch {
  readonly #context: ControllerContext
  /** By broker; the value says whether the replica is new there. */
  readonly #leaders = new Map<number, Map<ControlledPartition, boolean>>()
  /** By broker; the value says whether the replica's log goes as well. */
  readonly #stops = new Map<number, Map<ControlledPartition, boolean>>()
  readonly #changed = new Set<ControlledPartition>()
  readonly #metadataBrokers = new Set<number>()

  constructor(context: ControllerContext) {
    this.#context = context
  }

  /** Tells `brokers` the partition's leader, and everyone its metadata. */
  addLeaderAndIsr(brokers: readonly number[], partition: ControlledPartition, isNew: boolean): void {
    for (const broker of brokers) {
      if (broker < 0) continue
      const states = entry(this.#leaders, broker)
      states.set(partition, isNew || states.get(partition) === true)
    }
    this.addMetadata([partition])
  }

  addStopReplica(broker: number, partition: ControlledPartition, isDelete: boolean): void {
    if (broker < 0) return
    const states = entry(this.#stops, broker)
    states.set(partition, isDelete || states.get(partition) === true)
  }

  /** Tells all brokers (or only `brokers`) of these partitions; of live brokers they hear in any case. */
  addMetadata(
    partitions: Iterable<ControlledPartition>,
    brokers: Iterable<number> = this.#context.brokers.keys(),
  ): void {
    for (const broker of brokers) if (broker >= 0) this.#metadataBrokers.add(broker)
    for (const partition of partitions) if (partition.leadership !== null) this.#changed.add(partition)
  }

  *flush(): Deciding<void> {
    const requests: ControlRequest[] = []
    for (const [broker, states] of this.#leaders) {
      if (this.#context.brokers.has(broker)) requests.push(this.#leaderAndIsr(broker, states))
    }
    if (this.#metadataBrokers.size > 0) {
      const body = this.#updateMetadata()
      for (const broker of this.#metadataBrokers) {
        if (this.#context.brokers.has(broker)) requests.push({ api: 'UpdateMetadata', broker, body })
      }
    }
    for (const [broker, states] of this.#stops) {
      if (this.#context.brokers.has(broker)) requests.push(this.#stopReplica(broker, states))
    }
    this.#leaders.clear()
    this.#stops.clear()
    this.#changed.clear()
    this.#metadataBrokers.clear()
    yield* send(requests)
  }

  #leaderAndIsr(broker: number, states: ReadonlyMap<ControlledPartition, boolean>): ControlRequest {
    const leaders = new Set<number>()
    const topicStates = this.#byTopic(states, (partition, isNew): LeaderState => {
      const { leadership } = partition
      leaders.add(leadership!.leader)
      return {
        topicName: partition.topic,
        partitionIndex: partition.index,
        controllerEpoch: leadership!.controllerEpoch,
        leader: leadership!.leader,
        leaderEpoch: leadership!.leaderEpoch,
        isr: [...leadership!.isr],
        partitionEpoch: leadership!.partitionEpoch,
        replicas: [...partition.replicas],
        addingReplicas: [...partition.adding],
        removingReplicas: [...partition.removing],
        isNew,
        leaderRecoveryState: leadership!.leaderRecoveryState,
      }
    })
    const liveLeaders = [...leaders].flatMap(id => {
      const endpoint = this.#endpointOf(id)
      return endpoint === null ? [] : [{ brokerId: id, hostName: endpoint.host, port: endpoint.port }]
    })
    return { api: 'LeaderAndIsr', broker, body: { topicStates, liveLeaders } }
  }

  #updateMetadata(): {
    topicStates: UpdateMetadataRequest['topicStates']
    liveBrokers: UpdateMetadataRequest['liveBrokers']
  } {
    const changed = new Map([...this.#changed].map(partition => [partition, true]))
    const topicStates = this.#byTopic(changed, (partition): MetadataState => {
      const { leadership } = partition
      const isDeleting = this.#context.isDeleting(partition.topic)
      return {
        topicName: partition.topic,
        partitionIndex: partition.index,
        controllerEpoch: leadership!.controllerEpoch,
        leader: isDeleting ? leaderDuringDelete : leadership!.leader,
        leaderEpoch: leadership!.leaderEpoch,
        isr: [...leadership!.isr],
        zkVersion: leadership!.partitionEpoch,
        replicas: [...partition.replicas],
        offlineReplicas: partition.replicas.filter(id => !this.#context.isOnline(partition, id)),
      }
    })
    const liveBrokers = [...this.#context.brokers.values()].map(({ id, endpoints, rack }) => ({
      id,
      v0Host: '',
      v0Port: 0,
      endpoints: endpoints.map(({ listener, host, port, securityProtocol }) => ({
        port,
        host,
        listener,
        securityProtocol: securityProtocolIds[securityProtocol],
      })),
      rack,
    }))
    return { topicStates, liveBrokers }
  }

  #stopReplica(broker: number, states: ReadonlyMap<ControlledPartition, boolean>): ControlRequest {
    const topicStates = this.#byTopic(states, (partition, deletePartition): StopState => {
      const isDeleting = this.#context.isDeleting(partition.topic)
      const leaderEpoch = isDeleting ? epochDuringDelete : (partition.leadership?.leaderEpoch ?? -1)
      return { partitionIndex: partition.index, leaderEpoch, deletePartition }
    })
    return { api: 'StopReplica', broker, body: { topicStates } }
  }

  #byTopic<S>(
    states: ReadonlyMap<ControlledPartition, boolean>,
    state: (partition: ControlledPartition, flag: boolean) => S,
  ): { topicName: string; topicId: string; partitionStates: S[] }[] {
    const topics = new Map<string, { topicName: string; topicId: string; partitionStates: S[] }>()
    for (const [partition, flag] of states) {
      let topic = topics.get(partition.topic)
      if (topic === undefined) {
        const topicId = this.#context.topics.get(partition.topic)?.topicId ?? ZERO_UUID
        topic = { topicName: partition.topic, topicId, partitionStates: [] }
        topics.set(partition.topic, topic)
      }
      topic.partitionStates.push(state(partition, flag))
    }
    return [...topics.values()]
  }

  /** Where brokers reach the leader: those of one cluster share the name of the listener they use among themselves. */
  #endpointOf(leader: number): Endpoint | null {
    const endpoints = this.#context.brokers.get(leader)?.endpoints ?? []
    const { interBrokerListener } = this.#context.settings
    return endpoints.find(({ listener }) => listener === interBrokerListener) ?? endpoints[0] ?? null
  }
}

function entry<K, V>(map: Map<number, Map<K, V>>, key: number): Map<K, V> {
  let value = map.get(key)
  if (value === undefined) {
    value = new Map()
    map.set(key, value)
  }
  return value
}

import {
  alterPartition,
  errorCode,
  type LeaderAndIsrRequest,
  type LeaderAndIsrResponse,
  type StopReplicaRequest,
  type StopReplicaResponse,
  ZERO_UUID,
} from '@vivarium/kafka-protocol'
import { LogDirectory, LogError, type PartitionLog } from '@vivarium/log-storage'
import { background, type Log, type Timer } from '@vivarium/platform'
import type { Broker } from '../broker.ts'
import { minInSyncReplicas, topicLogConfig } from '../settings.ts'
import { Partition, type PartitionState } from './partition.ts'
import { ReplicaFetchers } from './replica-fetchers.ts'

export interface AppendRequest {
  topic: string
  partition: number
  records: Buffer
  /** −1: every in-sync replica; 1: this one; 0: nobody waits. */
  acks: -1 | 0 | 1
  timeoutMs: number
  origin: 'client' | 'coordinator'
}

export interface AppendOutcome {
  errorCode: number
  errorMessage: string | null
  baseOffset: number
  logAppendTimeMs: number
  logStartOffset: number
}

export interface LeaderChange {
  topic: string
  partition: number
  role: 'leader' | 'follower' | 'deleted'
  leaderEpoch: number
}

interface AlterAnswer {
  errorCode: number
  accepted: { isr: readonly number[]; partitionEpoch: number; leaderEpoch: number } | null
}

/** Pause before a proposal of an ISR is sent again. */
const proposalRetryMs = 500

/** The controller looked at the proposal and stored nothing: the old ISR holds. */
function isRefusal(code: number): boolean {
  return code === errorCode.INELIGIBLE_REPLICA || code === errorCode.OPERATION_NOT_ATTEMPTED
}

/** Every replica on this broker: what the controller says is carried out here, and records go in and out. */
export class ReplicaManager {
  readonly #broker: Broker
  readonly #log: Log
  readonly #partitions = new Map<string, Partition>()
  #directories: LogDirectory[] = []
  readonly #highWatermarks = new Map<string, number>()
  readonly #listeners = new Set<(change: LeaderChange) => void>()
  readonly #timers: Timer[] = []
  readonly #fetchers: ReplicaFetchers
  #controllerEpoch = -1
  /** Requests of the controller are carried out one after another. */
  #serial: Promise<unknown> = Promise.resolve()
  readonly #onFailure: (error: Error) => void
  #isStopped = false

  constructor(broker: Broker, onFailure: (error: Error) => void) {
    this.#broker = broker
    this.#log = broker.log.named('state.change.logger')
    this.#onFailure = onFailure
    this.#fetchers = new ReplicaFetchers(broker)
  }

  /** Opens the log directories; what they hold waits for the controller's word on its role. */
  async open(): Promise<void> {
    const { settings, clock, disk, log, id, clusterId } = this.#broker
    for (const path of settings.logDirs) {
      const directory = await LogDirectory.open(
        { disk, clock, log: log.named('kafka.log.LogManager') },
        {
          path,
          brokerId: id,
          clusterId,
          configOf: topic => topicLogConfig(settings.values, this.#broker.configs.topicTexts(topic)),
          onFailure: error =>
            this.#onFailure(new Error(`the log directory ${path} failed`, { cause: error })),
        },
      )
      this.#directories.push(directory)
      for (const [name, offset] of await directory.readHighWatermarks())
        this.#highWatermarks.set(name, offset)
    }
  }

  start(): void {
    const { clock, settings, configs } = this.#broker
    const { values } = settings
    const every = (ms: number, task: () => Promise<unknown> | undefined) =>
      this.#timers.push(
        clock.every(ms, () =>
          background(Promise.resolve(task()), error => this.#log.error('A periodic task failed', error)),
        ),
      )
    every(values['replica.lag.time.max.ms']! / 2, () => this.#shrinkIsrs())
    every(values['replica.high.watermark.checkpoint.interval.ms']!, () => this.#checkpointHighWatermarks())
    every(values['log.retention.check.interval.ms']!, () => this.#retain())
    every(values['log.flush.offset.checkpoint.interval.ms']!, () => this.#checkpoint())
    configs.onTopicChange(topic => this.#updateConfig(topic))
    // A high watermark may have waited for a follower that is gone.
    this.#broker.metadata.onUpdate(() => this.#advanceAll())
  }

  partition(topic: string, partition: number): Partition | null {
    return this.#partitions.get(`${topic}-${partition}`) ?? null
  }

  partitions(): Iterable<Partition> {
    return this.#partitions.values()
  }

  /** Logs on this broker by directory, for DescribeLogDirs. */
  directories(): readonly LogDirectory[] {
    return this.#directories
  }

  /** Whether a partition is (or was) stored here though no role is known yet. */
  #logOf(topic: string, partition: number): PartitionLog | null {
    for (const directory of this.#directories) {
      const log = directory.get(topic, partition)
      if (log !== null) return log
    }
    return null
  }

  onLeaderChange(listener: (change: LeaderChange) => void): void {
    this.#listeners.add(listener)
  }

  #tell(change: LeaderChange): void {
    for (const listener of this.#listeners) listener(change)
  }

  // ---- the controller's word --------------------------------------------------------------------------------------------

  applyLeaderAndIsr(request: LeaderAndIsrRequest): Promise<LeaderAndIsrResponse> {
    return this.#inOrder(() => this.#applyLeaderAndIsr(request))
  }

  stopReplicas(request: StopReplicaRequest): Promise<StopReplicaResponse> {
    return this.#inOrder(() => this.#stopReplicas(request))
  }

  #inOrder<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#serial.then(task)
    this.#serial = result.catch(() => {})
    return result
  }

  async #applyLeaderAndIsr(request: LeaderAndIsrRequest): Promise<LeaderAndIsrResponse> {
    const stale = this.#checkController(request.controllerEpoch, request.brokerEpoch)
    const empty = { errorCode: stale, partitionErrors: [], topics: [] }
    if (stale !== errorCode.NONE) return empty
    const byTopic = new Map<
      string,
      { topicId: string; states: LeaderAndIsrRequest['ungroupedPartitionStates'] }
    >()
    for (const { topicName, topicId, partitionStates } of request.topicStates)
      byTopic.set(topicName, { topicId, states: partitionStates })
    for (const state of request.ungroupedPartitionStates) {
      const known = byTopic.get(state.topicName)
      if (known === undefined) byTopic.set(state.topicName, { topicId: ZERO_UUID, states: [state] })
      else known.states.push(state)
    }
    const response: LeaderAndIsrResponse = empty
    for (const [topicName, { topicId, states }] of byTopic) {
      const partitionErrors = []
      for (const state of states) {
        partitionErrors.push({
          topicName,
          partitionIndex: state.partitionIndex,
          errorCode: await this.#become(topicName, topicId, state),
        })
      }
      response.topics.push({ topicId, partitionErrors })
      response.partitionErrors.push(...partitionErrors)
    }
    return response
  }

  async #become(
    topic: string,
    topicId: string,
    state: LeaderAndIsrRequest['ungroupedPartitionStates'][number],
  ): Promise<number> {
    const { id, clock } = this.#broker
    if (!state.replicas.includes(id)) return errorCode.UNKNOWN_TOPIC_OR_PARTITION
    try {
      const partition = await this.#getOrCreate(topic, state.partitionIndex)
      if (topicId !== ZERO_UUID) {
        if (partition.log.topicId !== null && partition.log.topicId !== topicId)
          return errorCode.INCONSISTENT_TOPIC_ID
        await partition.log.setTopicId(topicId)
      }
      if (state.leaderEpoch < partition.leaderEpoch) return errorCode.STALE_CONTROLLER_EPOCH
      if (state.leaderEpoch > partition.leaderEpoch) await this.#fetchers.release(partition)
      const role = partition.become(stateOf(state), clock.monotonicMs())
      if (role === 'unchanged') return errorCode.NONE
      const leaderEpoch = partition.leaderEpoch
      this.#log.info(
        `[Broker id=${id}] ${role === 'leader' ? 'Leader' : 'Follower'} ${topic}-${state.partitionIndex} with leader epoch ${leaderEpoch}, ISR [${state.isr.join(',')}]`,
      )
      if (role === 'follower') {
        // Without epochs only what is below the high watermark is surely common with the leader.
        if (partition.log.leaderEpochs.latest === -1) await partition.log.truncateTo(partition.highWatermark)
        this.#fetchers.add(partition)
      }
      this.#tell({ topic, partition: state.partitionIndex, role, leaderEpoch })
      return errorCode.NONE
    } catch (error) {
      this.#log.error(`[Broker id=${id}] ${topic}-${state.partitionIndex} could not take its role`, error)
      return errorCode.KAFKA_STORAGE_ERROR
    }
  }

  async #getOrCreate(topic: string, index: number): Promise<Partition> {
    const known = this.partition(topic, index)
    if (known !== null) return known
    // A topic's own settings come with no notice when it is created: they are read before its first log is made.
    await this.#broker.configs.loadTopic(topic)
    const log = this.#logOf(topic, index) ?? (await this.#emptiestDirectory().create(topic, index))
    const { id, settings, configs } = this.#broker
    const partition = new Partition(log, this.#highWatermarks.get(log.name) ?? log.logStartOffset, {
      brokerId: id,
      topic,
      partition: index,
      lagLimitMs: settings.values['replica.lag.time.max.ms']!,
      minIsr: () => minInSyncReplicas(settings.values, configs.topicTexts(topic)),
      isAlive: broker => this.#broker.metadata.isAlive(broker),
    })
    this.#partitions.set(log.name, partition)
    return partition
  }

  #emptiestDirectory(): LogDirectory {
    const count = (directory: LogDirectory) => [...directory.partitions()].length
    return this.#directories.reduce((best, directory) => (count(directory) < count(best) ? directory : best))
  }

  #checkController(controllerEpoch: number, brokerEpoch: number): number {
    if (controllerEpoch < this.#controllerEpoch) return errorCode.STALE_CONTROLLER_EPOCH
    if (brokerEpoch >= 0 && brokerEpoch < this.#broker.epoch) return errorCode.STALE_BROKER_EPOCH
    this.#controllerEpoch = controllerEpoch
    return errorCode.NONE
  }

  /** For UpdateMetadata: the same fence. */
  checkController(controllerEpoch: number, brokerEpoch: number): number {
    return this.#checkController(controllerEpoch, brokerEpoch)
  }

  async #stopReplicas(request: StopReplicaRequest): Promise<StopReplicaResponse> {
    const stale = this.#checkController(request.controllerEpoch, request.brokerEpoch)
    if (stale !== errorCode.NONE) return { errorCode: stale, partitionErrors: [] }
    const partitionErrors = []
    for (const { topicName, partitionIndex, leaderEpoch, isDelete } of stopsOf(request)) {
      const partition = this.partition(topicName, partitionIndex)
      // −2 stands for a topic that is being deleted: no epoch is newer.
      const isStale = partition !== null && leaderEpoch >= 0 && leaderEpoch < partition.leaderEpoch
      if (isStale) {
        partitionErrors.push({ topicName, partitionIndex, errorCode: errorCode.FENCED_LEADER_EPOCH })
        continue
      }
      if (partition !== null) await this.#stop(partition, isDelete)
      else if (isDelete) await this.#deleteLog(topicName, partitionIndex)
      partitionErrors.push({ topicName, partitionIndex, errorCode: errorCode.NONE })
    }
    return { errorCode: errorCode.NONE, partitionErrors }
  }

  async #stop(partition: Partition, isDelete: boolean): Promise<void> {
    await this.#fetchers.release(partition)
    if (!isDelete) return
    const { topic, partition: index } = partition
    this.#partitions.delete(partition.log.name)
    this.#tell({ topic, partition: index, role: 'deleted', leaderEpoch: partition.leaderEpoch })
    partition.wake()
    await this.#deleteLog(topic, index)
  }

  async #deleteLog(topic: string, index: number): Promise<void> {
    this.#highWatermarks.delete(`${topic}-${index}`)
    const unique = this.#broker.random.bytes(16).toString('hex')
    for (const directory of this.#directories) await directory.delete(topic, index, unique)
    this.#log.info(`[Broker id=${this.#broker.id}] Deleted the log of ${topic}-${index}`)
  }

  #updateConfig(topic: string): void {
    const config = topicLogConfig(this.#broker.settings.values, this.#broker.configs.topicTexts(topic))
    for (const directory of this.#directories) {
      for (const log of directory.partitions()) if (log.topic === topic) log.config = config
    }
  }

  // ---- records in --------------------------------------------------------------------------------------------------------

  /** Appends to a partition this broker leads, and waits as `acks` says. Errors are in the outcome. */
  async append(request: AppendRequest): Promise<AppendOutcome> {
    const { topic, partition: index, acks, timeoutMs } = request
    const partition = this.partition(topic, index)
    if (partition === null) {
      const isKnown = this.#broker.metadata.partition(topic, index) !== null
      return refused(isKnown ? errorCode.NOT_LEADER_OR_FOLLOWER : errorCode.UNKNOWN_TOPIC_OR_PARTITION, null)
    }
    if (!partition.isLeader) return refused(errorCode.NOT_LEADER_OR_FOLLOWER, null)
    if (acks === -1 && partition.isr.length < partition.effectiveMinIsr) {
      return refused(
        errorCode.NOT_ENOUGH_REPLICAS,
        `${partition.isr.length} of the replicas are in sync; ${partition.effectiveMinIsr} are needed`,
      )
    }
    try {
      const { log, leaderEpoch } = partition
      const { baseOffset, lastOffset, logAppendTimeMs } = log.appendAsLeader(
        request.records,
        leaderEpoch,
        request.origin,
      )
      // Followers may read it at once; consumers once the high watermark has passed it.
      partition.wake()
      await log.written()
      partition.advance(this.#broker.clock.monotonicMs())
      const outcome = {
        errorCode: errorCode.NONE as number,
        errorMessage: null,
        baseOffset,
        logAppendTimeMs,
        logStartOffset: log.logStartOffset,
      }
      if (acks !== -1) return outcome
      const error = await this.#replicated(partition, lastOffset, leaderEpoch, timeoutMs)
      return error === errorCode.NONE ? outcome : refused(error, null)
    } catch (error) {
      if (error instanceof LogError) return refused(error.code, error.message)
      return refused(errorCode.KAFKA_STORAGE_ERROR, (error as Error).message)
    }
  }

  /** Resolves when every in-sync replica has `offset`, with the error to answer. */
  #replicated(partition: Partition, offset: number, leaderEpoch: number, timeoutMs: number): Promise<number> {
    const verdict = (): number | null => {
      if (!partition.isLeader || partition.leaderEpoch !== leaderEpoch)
        return errorCode.NOT_LEADER_OR_FOLLOWER
      if (partition.highWatermark <= offset) return null
      return partition.effectiveMinIsr <= partition.isr.length
        ? errorCode.NONE
        : errorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND
    }
    const now = verdict()
    if (now !== null) return Promise.resolve(now)
    return new Promise(resolve => {
      const settle = (error: number) => {
        stopListening()
        timer.cancel()
        resolve(error)
      }
      const stopListening = partition.onChange(() => {
        const error = verdict()
        if (error !== null) settle(error)
      })
      const timer = this.#broker.clock.after(timeoutMs, () => settle(errorCode.REQUEST_TIMED_OUT))
    })
  }

  /** Whole batches of the local log from `offset` up to the high watermark: what coordinators load their state from. */
  async read(topic: string, index: number, offset: number, maxBytes: number): Promise<Buffer[]> {
    const partition = this.partition(topic, index)
    return partition === null ? [] : partition.log.read(offset, maxBytes, partition.highWatermark)
  }

  // ---- in-sync replicas ------------------------------------------------------------------------------------------------------

  /** A follower that may join the ISR is proposed to the controller. */
  proposeExpansion(partition: Partition, followerId: number): void {
    if (!this.#broker.metadata.isAlive(followerId)) return
    this.#propose(partition, [...partition.isr, followerId])
  }

  #advanceAll(): void {
    const nowMs = this.#broker.clock.monotonicMs()
    for (const partition of this.#partitions.values()) partition.advance(nowMs)
  }

  async #shrinkIsrs(): Promise<void> {
    // Nor does it wait for one that only stopped fetching, once that has fallen behind for too long.
    this.#advanceAll()
    const nowMs = this.#broker.clock.monotonicMs()
    for (const partition of this.#partitions.values()) {
      const isr = partition.shrunkIsr(nowMs)
      if (isr === null) continue
      this.#broker.log
        .named('kafka.cluster.Partition')
        .info(
          `[Partition ${partition.log.name} broker=${this.#broker.id}] Shrinking ISR from ${partition.isr.join(',')} to ${isr.join(',')}`,
        )
      this.#propose(partition, isr)
    }
  }

  #propose(partition: Partition, isr: readonly number[]): void {
    partition.propose(isr)
    background(this.#settle(partition, isr), error => this.#onFailure(error))
  }

  /**
   * Asks the controller until it has answered. A proposal whose answer was lost may have been stored all the same, and one of
   * its replicas may be the next leader: until that is known, records must reach the old in-sync replicas and the new.
   */
  async #settle(partition: Partition, isr: readonly number[]): Promise<void> {
    const { clock } = this.#broker
    const log = this.#broker.log.named('kafka.cluster.Partition')
    const { name } = partition.log
    const { leaderEpoch, partitionEpoch } = partition.state
    const isOpen = () =>
      !this.#isStopped &&
      partition.isProposed(isr) &&
      this.partition(partition.topic, partition.partition) === partition
    while (isOpen()) {
      let answer: AlterAnswer
      try {
        answer = await this.#askController(partition, isr, leaderEpoch, partitionEpoch)
      } catch (error) {
        log.warn(`[Partition ${name}] the ISR is not changed yet (${(error as Error).message})`)
        answer = { errorCode: errorCode.REQUEST_TIMED_OUT, accepted: null }
      }
      if (!isOpen()) return
      if (answer.accepted !== null) return partition.settle(answer.accepted, clock.monotonicMs())
      if (isRefusal(answer.errorCode)) {
        log.info(`[Partition ${name}] the controller refused the ISR with error ${answer.errorCode}`)
        return partition.settle(null, clock.monotonicMs())
      }
      // Fenced or out of date: the controller's newer state is on its way here and ends the proposal.
      await new Promise<void>(resolve => clock.after(proposalRetryMs, resolve))
    }
  }

  async #askController(
    partition: Partition,
    isr: readonly number[],
    leaderEpoch: number,
    partitionEpoch: number,
  ): Promise<AlterAnswer> {
    const { metadata, channels, id, epoch } = this.#broker
    const { controllerId } = metadata
    if (controllerId === null) throw new Error('no controller is known')
    const { topicId } = partition.log
    const response = await channels.request(
      controllerId,
      alterPartition,
      topicId === null ? 1 : 2,
      {
        brokerId: id,
        brokerEpoch: epoch,
        topics: [
          {
            topicName: partition.topic,
            topicId: topicId ?? ZERO_UUID,
            partitions: [
              { partitionIndex: partition.partition, leaderEpoch, newIsr: [...isr], partitionEpoch },
            ],
          },
        ],
      },
      { timeoutMs: 30_000 },
    )
    const result = response.topics[0]?.partitions[0]
    if (response.errorCode !== errorCode.NONE) return { errorCode: response.errorCode, accepted: null }
    if (result === undefined) return { errorCode: errorCode.UNKNOWN_SERVER_ERROR, accepted: null }
    return { errorCode: result.errorCode, accepted: result.errorCode === errorCode.NONE ? result : null }
  }

  // ---- housekeeping --------------------------------------------------------------------------------------------------------------

  async #retain(): Promise<void> {
    for (const partition of [...this.#partitions.values()])
      await partition.log.retain(partition.highWatermark)
  }

  async #checkpoint(): Promise<void> {
    for (const directory of this.#directories) {
      for (const log of directory.partitions()) if (log.recoveryPoint < log.logEndOffset) await log.flush()
      await directory.checkpoint()
    }
  }

  async #checkpointHighWatermarks(): Promise<void> {
    for (const directory of this.#directories) {
      await directory.writeHighWatermarks(
        log =>
          this.#partitions.get(log.name)?.highWatermark ??
          this.#highWatermarks.get(log.name) ??
          log.logStartOffset,
      )
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    for (const timer of this.#timers) timer.cancel()
    this.#fetchers.stop()
    await this.#serial
    await this.#checkpointHighWatermarks()
    for (const directory of this.#directories) await directory.close()
  }
}

function refused(code: number, errorMessage: string | null): AppendOutcome {
  return { errorCode: code, errorMessage, baseOffset: -1, logAppendTimeMs: -1, logStartOffset: -1 }
}

function stateOf(state: LeaderAndIsrRequest['ungroupedPartitionStates'][number]): PartitionState {
  const { leader, leaderEpoch, isr, partitionEpoch, replicas } = state
  return { leader, leaderEpoch, isr, partitionEpoch, replicas }
}

function stopsOf(
  request: StopReplicaRequest,
): { topicName: string; partitionIndex: number; leaderEpoch: number; isDelete: boolean }[] {
  const stops = request.topicStates.flatMap(({ topicName, partitionStates }) =>
    partitionStates.map(({ partitionIndex, leaderEpoch, deletePartition }) => ({
      topicName,
      partitionIndex,
      leaderEpoch,
      isDelete: deletePartition,
    })),
  )
  const isDelete = request.deletePartitions
  for (const { topicName, partitionIndex } of request.ungroupedPartitions)
    stops.push({ topicName, partitionIndex, leaderEpoch: -1, isDelete })
  for (const { name, partitionIndexes } of request.topics) {
    for (const partitionIndex of partitionIndexes)
      stops.push({ topicName: name, partitionIndex, leaderEpoch: -1, isDelete })
  }
  return stops
}

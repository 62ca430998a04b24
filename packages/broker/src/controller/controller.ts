import {
  type AlterPartitionRequest,
  errorCode,
  type LeaderAndIsrResponse,
  randomUuid,
  type StopReplicaResponse,
} from '@vivarium/kafka-protocol'
import { background, type Log, type Timer, unreachable } from '@vivarium/platform'
import type { WatchEvent } from '@vivarium/zookeeper-client'
import type { Broker } from '../broker.ts'
import { paths, readController, readControllerEpoch, writeController } from '../metadata/zookeeper-layout.ts'
import { isCode, zooKeeperErrorCode as znode } from '../metadata/zookeeper-session.ts'
import { type AlterAnswer, alterPartitions } from './alter-partition.ts'
import { brokerChanged, brokersChanged } from './broker-changes.ts'
import { ControlBatch } from './control-batch.ts'
import { ControlQueues } from './control-queues.ts'
import { type ShutdownAnswer, shutDownBroker } from './controlled-shutdown.ts'
import { type ControlledPartition, ControllerContext } from './controller-context.ts'
import type { ControlRequest, Deciding, Effect } from './effects.ts'
import { electPreferred, electUnclean, rebalanceLeaders } from './elections.ts'
import {
  isrsChanged,
  logDirsFailed,
  preferredElectionRequested,
  replicasAnswered,
  takeOver,
} from './failover.ts'
import { bringAllOnline } from './partition-states.ts'
import { type ReassignmentAnswer, reassign, reassignmentRequested } from './reassignment.ts'
import { topicChanged, topicsChanged } from './topic-changes.ts'
import { deletionsRequested, replicasRemoved } from './topic-deletion.ts'
import { ControllerMovedError, ZnodeEffects } from './znode-effects.ts'

const firstRebalanceMs = 5_000

/** A broker that failed as controller lets others try before it tries again. */
const pauseAfterFailureMs = 1_000

/** While a broker is the active controller. */
interface Term {
  readonly context: ControllerContext
  readonly epochVersion: number
  readonly znodes: ZnodeEffects
  readonly queues: ControlQueues
  rebalance: Timer | null
}

/** Thrown inside an event whose term has ended meanwhile; nothing more is to be done for it. */
class TermOver extends Error {
  override name = 'TermOver'
}

/**
 * The controller component of a broker: takes part in the election and, while elected, carries out what the decisions of
 * this folder want. All events pass through one queue, one at a time, as each decision builds on the one before.
 */
export class Controller {
  readonly #broker: Broker
  readonly #log: Log
  readonly #events: { name: string; run: () => Promise<void> }[] = []
  #isRunning = false
  #isStopped = false
  #term: Term | null = null
  /** From `/controller`; null while there is none. */
  #activeId: number | null = null
  #electNotBeforeMs = 0

  constructor(broker: Broker) {
    this.#broker = broker
    this.#log = broker.log.named('kafka.controller.KafkaController')
  }

  get isActive(): boolean {
    return this.#term !== null
  }

  /** The broker that is controller, as far as this one knows. */
  get activeId(): number | null {
    return this.#activeId
  }

  /** For metrics and tests; all 0 on a broker that is not controller. */
  get gauges(): {
    isActive: number
    offlinePartitions: number
    topics: number
    partitions: number
    topicsToDelete: number
  } {
    const context = this.#term?.context
    if (context === undefined) {
      return { isActive: 0, offlinePartitions: 0, topics: 0, partitions: 0, topicsToDelete: 0 }
    }
    const partitions = [...context.partitions()]
    const offline = partitions.filter(
      ({ status, topic }) => status !== 'online' && !context.isDeleting(topic),
    )
    return {
      isActive: 1,
      offlinePartitions: offline.length,
      topics: context.topics.size,
      partitions: partitions.length,
      topicsToDelete: context.deleting.size,
    }
  }

  /** Takes part in elections from now on. Resolves when the first one has been won or lost. */
  start(): Promise<void> {
    this.#broker.zookeeper.onSession({
      name: 'The controller',
      onExpired: () => {
        // Whatever waits in the queue was meant for the old term.
        this.#activeId = null
        this.#resign('its ZooKeeper session has expired')
      },
      onRenewed: () => this.#enqueue('reelect', () => this.#elect()),
    })
    this.#broker.configs.onTopicChange(topic => this.#topicConfigChanged(topic))
    return this.#enqueue('startup', () => this.#elect())
  }

  /** Resigns, if it is controller. Another can be elected as soon as the session, and with it `/controller`, ends. */
  stop(): void {
    this.#isStopped = true
    this.#resign('its broker stops')
  }

  // ---- what handlers ask; null: this broker is not the controller ---------------------------------------------------

  alterPartitions(request: AlterPartitionRequest, apiVersion: number): Promise<AlterAnswer | null> {
    return this.#ask('AlterPartition', context => alterPartitions(context, request, apiVersion))
  }

  shutDownBroker(broker: number, brokerEpoch: number): Promise<ShutdownAnswer | null> {
    return this.#ask('ControlledShutdown', context => shutDownBroker(context, broker, brokerEpoch))
  }

  /** `partitions` null: all. Gives a code for each, by `topic` and index. */
  electLeaders(
    partitions: readonly { topic: string; index: number }[] | null,
    isUnclean: boolean,
  ): Promise<{ topic: string; index: number; errorCode: number }[] | null> {
    return this.#ask('ElectLeaders', function* (context) {
      const asked = partitions ?? [...context.partitions()].map(({ topic, index }) => ({ topic, index }))
      const known = asked.flatMap(({ topic, index }) => context.partition(topic, index) ?? [])
      const codes = yield* isUnclean ? electUnclean(context, known) : electPreferred(context, known)
      return asked.map(({ topic, index }) => {
        const partition = context.partition(topic, index)
        const code = partition === null ? undefined : codes.get(partition)
        return { topic, index, errorCode: code ?? errorCode.UNKNOWN_TOPIC_OR_PARTITION }
      })
    })
  }

  /** Moves one partition; target null ends its move. */
  reassign(
    topic: string,
    index: number,
    target: readonly number[] | null,
  ): Promise<ReassignmentAnswer | null> {
    return this.#ask('AlterPartitionReassignments', context =>
      reassign(context, context.partition(topic, index), target),
    )
  }

  /** Partitions that are being moved; null if this broker is not the controller. */
  reassignments(): readonly ControlledPartition[] | null {
    if (this.#term === null) return null
    return [...this.#term.context.partitions()].filter(({ isReassigning }) => isReassigning)
  }

  /** Whether somebody has asked for the topic's deletion and it is not through. */
  isDeleting(topic: string): boolean {
    return this.#term?.context.isDeleting(topic) ?? false
  }

  // ---- the queue -----------------------------------------------------------------------------------------------------

  /** Resolves when the event has been handled, well or not. */
  #enqueue(name: string, run: () => Promise<void>): Promise<void> {
    return new Promise(resolve => {
      this.#events.push({
        name,
        run: async () => {
          try {
            await run()
          } finally {
            resolve()
          }
        },
      })
      if (this.#isRunning) return
      this.#isRunning = true
      background(this.#runAll(), error => this.#log.error('The controller event queue broke', error))
    })
  }

  async #runAll(): Promise<void> {
    for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) {
      const term = this.#term
      try {
        await event.run()
      } catch (error) {
        await this.#handleFailure(event.name, term, error)
      }
      this.#term?.queues.keep(this.#term.context.brokers)
    }
    this.#isRunning = false
  }

  async #handleFailure(event: string, term: Term | null, error: unknown): Promise<void> {
    if (error instanceof TermOver || this.#isStopped) return
    if (term !== null && term !== this.#term) return
    if (error instanceof ControllerMovedError) {
      this.#log.warn(`Controller moved to another broker while processing ${event}`)
      this.#resign('another controller has been elected')
      this.#later('controller moved', () => this.#readActive())
      return
    }
    if (isCode(error, znode.SESSIONEXPIRED)) return this.#resign('its ZooKeeper session has expired')
    this.#log.error(`Error processing controller event ${event}`, error)
    const current = this.#term
    if (current === null) return
    // Half a decision may have been carried out: a new term begins from what ZooKeeper says.
    this.#resign(`${event} failed`)
    this.#electNotBeforeMs = this.#broker.clock.monotonicMs() + pauseAfterFailureMs
    await this.#vacate(current)
  }

  /** Adds an event nobody waits for. */
  #later(name: string, run: () => Promise<void>): void {
    background(this.#enqueue(name, run), error => this.#log.error(`Controller event ${name} failed`, error))
  }

  /** Lets the decision be made in its turn, if this broker is controller then. */
  async #ask<T>(name: string, decide: (context: ControllerContext) => Deciding<T>): Promise<T | null> {
    let answer: T | null = null
    await this.#enqueue(name, async () => {
      if (this.#term !== null) answer = await this.#carryOut(this.#term, decide(this.#term.context))
    })
    return answer
  }

  /** The same when nobody waits for an answer. */
  #decide(name: string, decide: (context: ControllerContext) => Deciding<void>): void {
    this.#later(name, async () => {
      if (this.#term !== null) await this.#carryOut(this.#term, decide(this.#term.context))
    })
  }

  // ---- effects -------------------------------------------------------------------------------------------------------

  async #carryOut<T>(term: Term, deciding: Deciding<T>): Promise<T> {
    let step = deciding.next()
    while (step.done !== true) {
      const answer = await this.#effect(term, step.value)
      if (this.#term !== term) throw new TermOver()
      step = deciding.next(answer)
    }
    return step.value
  }

  #effect(term: Term, effect: Effect): Promise<unknown> | undefined {
    switch (effect.kind) {
      case 'read':
        return term.znodes.read(effect.paths, effect.watch)
      case 'children':
        return term.znodes.children(effect.path, effect.watch)
      case 'write':
        return term.znodes.write(effect.writes)
      case 'send':
        for (const request of effect.requests) this.#send(term, request)
        return undefined
      default:
        return unreachable(effect)
    }
  }

  #send(term: Term, request: ControlRequest): void {
    const broker = term.context.brokers.get(request.broker)
    if (broker !== undefined) term.queues.push(request, broker)
  }

  #onLeaderAndIsr(broker: number, answer: LeaderAndIsrResponse): void {
    this.#decide('LeaderAndIsr response', function* (context) {
      const failed: ControlledPartition[] = []
      const working: ControlledPartition[] = []
      for (const { topicId, partitionErrors } of answer.topics) {
        const topic = context.topicWithId(topicId)
        for (const { partitionIndex, errorCode: code } of partitionErrors) {
          const partition = topic?.partitions.get(partitionIndex)
          if (partition === undefined) continue
          if (code === errorCode.KAFKA_STORAGE_ERROR) failed.push(partition)
          else if (code === errorCode.NONE) working.push(partition)
        }
      }
      yield* replicasAnswered(context, broker, failed, working)
    })
  }

  #onStopReplica(
    broker: number,
    request: Extract<ControlRequest, { api: 'StopReplica' }>,
    answer: StopReplicaResponse,
  ): void {
    this.#decide('StopReplica response', function* (context) {
      const codes = new Map(
        answer.partitionErrors.map(one => [`${one.topicName} ${one.partitionIndex}`, one.errorCode]),
      )
      const removed: ControlledPartition[] = []
      const failed: ControlledPartition[] = []
      for (const { topicName, partitionStates } of request.body.topicStates) {
        for (const { partitionIndex, deletePartition } of partitionStates) {
          const partition = context.partition(topicName, partitionIndex)
          if (partition === null || !deletePartition || !context.isDeleting(topicName)) continue
          const code = answer.errorCode || (codes.get(`${topicName} ${partitionIndex}`) ?? 0)
          if (code === errorCode.NONE) removed.push(partition)
          else failed.push(partition)
        }
      }
      if (removed.length + failed.length > 0) yield* replicasRemoved(context, broker, removed, failed)
    })
  }

  // ---- what ZooKeeper tells ------------------------------------------------------------------------------------------

  readonly #onWatch = ({ type, path }: WatchEvent): void => {
    if (path === paths.controller) return this.#later('ControllerChange', () => this.#controllerChanged())
    if (path === paths.brokerIds) return this.#decide('BrokerChange', brokersChanged)
    if (path === paths.topics) return this.#decide('TopicChange', topicsChanged)
    if (path === paths.deleteTopics) return this.#decide('TopicDeletion', deletionsRequested)
    if (path === paths.isrChanges) return this.#decide('IsrChangeNotification', isrsChanged)
    if (path === paths.logDirEvents) return this.#decide('LogDirEventNotification', logDirsFailed)
    if (path === paths.preferredReplicaElection) {
      return this.#decide('PreferredReplicaElection', preferredElectionRequested)
    }
    if (path === paths.reassignPartitions) {
      return this.#decide('ZkPartitionReassignment', reassignmentRequested)
    }
    if (type !== 'NodeDataChanged') return
    if (path.startsWith(`${paths.brokerIds}/`)) {
      const id = Number(path.slice(paths.brokerIds.length + 1))
      return this.#decide('BrokerModifications', context => brokerChanged(context, id))
    }
    if (path.startsWith(`${paths.topics}/`)) {
      const topic = path.slice(paths.topics.length + 1)
      return this.#decide('PartitionModifications', context => topicChanged(context, topic))
    }
  }

  #topicConfigChanged(topic: string): void {
    if (this.#term === null) return
    if (this.#broker.configs.topicTexts(topic).get('unclean.leader.election.enable') !== 'true') return
    this.#decide('TopicUncleanLeaderElectionEnable', function* (context) {
      const batch = new ControlBatch(context)
      yield* bringAllOnline(context, batch)
      yield* batch.flush()
    })
  }

  // ---- election and resignation --------------------------------------------------------------------------------------

  async #controllerChanged(): Promise<void> {
    await this.#readActive()
    if (this.#term !== null && this.#activeId !== this.#broker.id) {
      this.#resign('another controller has been elected')
    }
    if (this.#activeId === null) await this.#elect()
  }

  async #readActive(): Promise<void> {
    const { zookeeper } = this.#broker
    const stat = await zookeeper.exists(paths.controller, { watch: this.#onWatch })
    const found = stat === null ? null : await zookeeper.read(paths.controller)
    this.#activeId = found === null ? null : readController(found.data).brokerId
  }

  async #elect(): Promise<void> {
    if (this.#isStopped || this.#term !== null) return
    await this.#readActive()
    if (this.#activeId !== null) {
      this.#log.debug(`Broker ${this.#activeId} has been elected as the controller`)
      return
    }
    const waitMs = this.#electNotBeforeMs - this.#broker.clock.monotonicMs()
    if (waitMs > 0) {
      this.#broker.clock.after(waitMs, () => this.#later('reelect', () => this.#elect()))
      return
    }
    const won = await this.#claim()
    if (won === null) {
      await this.#readActive()
      // The winner may be gone already: its going was an event only if its coming was seen.
      if (this.#activeId === null) this.#later('reelect', () => this.#elect())
      return
    }
    await this.#begin(won.epoch, won.epochVersion)
  }

  /** Becomes the owner of `/controller` and of the next epoch in one step; null if another broker was faster. */
  async #claim(): Promise<{ epoch: number; epochVersion: number } | null> {
    const { zookeeper, id, clock } = this.#broker
    await zookeeper.ensure(paths.controllerEpoch, '0')
    const current = await zookeeper.getData(paths.controllerEpoch)
    const epoch = readControllerEpoch(current.data) + 1
    try {
      const results = await zookeeper.multi([
        {
          op: 'create',
          path: paths.controller,
          data: writeController(id, clock.wallMs()),
          mode: 'ephemeral',
        },
        { op: 'setData', path: paths.controllerEpoch, data: String(epoch), version: current.stat.version },
      ])
      return { epoch, epochVersion: results[1]!.stat!.version }
    } catch (error) {
      if (!isCode(error, znode.NODEEXISTS) && !isCode(error, znode.BADVERSION)) throw error
      // It may have been this very request, sent twice over a lost connection.
      const owner = await zookeeper.exists(paths.controller)
      const now = await zookeeper.getData(paths.controllerEpoch)
      const isOwn = owner?.ephemeralOwner === zookeeper.sessionId && readControllerEpoch(now.data) === epoch
      return isOwn ? { epoch, epochVersion: now.stat.version } : null
    }
  }

  async #begin(epoch: number, epochVersion: number): Promise<void> {
    const { zookeeper, id, settings, random, clock, channels } = this.#broker
    const { values, interBrokerListener } = settings
    this.#log.info(
      `[Controller id=${id}] ${id} successfully elected as the controller. Epoch incremented to ${epoch} and epoch zk version is now ${epochVersion}`,
    )
    const log = this.#log
    const context = new ControllerContext({
      controllerId: id,
      epoch,
      settings: {
        uncleanLeaderElection: values['unclean.leader.election.enable']!,
        deleteTopicEnable: values['delete.topic.enable']!,
        imbalancePercentage: values['leader.imbalance.per.broker.percentage']!,
        interBrokerListener,
      },
      newTopicId: () => randomUuid(count => random.bytes(count)),
      note: message => log.info(`[Controller id=${id} epoch=${epoch}] ${message}`),
    })
    const term: Term = {
      context,
      epochVersion,
      znodes: new ZnodeEffects(zookeeper, epochVersion, this.#onWatch),
      queues: new ControlQueues({
        controllerId: id,
        controllerEpoch: epoch,
        channels,
        clock,
        log: log.named('kafka.controller.RequestSendThread'),
        interBrokerListener,
        requestTimeoutMs: values['controller.socket.timeout.ms']!,
        onLeaderAndIsr: (broker, answer) => this.#onLeaderAndIsr(broker, answer),
        onStopReplica: (broker, request, answer) => this.#onStopReplica(broker, request, answer),
      }),
      rebalance: null,
    }
    this.#term = term
    this.#activeId = id
    await zookeeper.exists(paths.controller, { watch: this.#onWatch })
    await this.#carryOut(term, takeOver(context))
    // These two are watched for coming into being as well; what is there is taken up now.
    await this.#carryOut(term, reassignmentRequested(context))
    if (values['auto.leader.rebalance.enable']) this.#rebalanceIn(term, firstRebalanceMs)
    log.info(`[Controller id=${id} epoch=${epoch}] Ready to serve as the new controller with epoch ${epoch}`)
  }

  #rebalanceIn(term: Term, delayMs: number): void {
    term.rebalance = this.#broker.clock.after(delayMs, () => {
      if (this.#term !== term) return
      this.#decide('AutoPreferredReplicaLeaderElection', rebalanceLeaders)
      const { values } = this.#broker.settings
      this.#rebalanceIn(term, values['leader.imbalance.check.interval.seconds']! * 1_000)
    })
  }

  #resign(reason: string): void {
    const term = this.#term
    if (term === null) return
    this.#term = null
    term.rebalance?.cancel()
    term.queues.close()
    this.#log.info(`[Controller id=${this.#broker.id} epoch=${term.context.epoch}] Resigned: ${reason}`)
  }

  /** Gives `/controller` up, so that the next election can begin. */
  async #vacate(term: Term): Promise<void> {
    try {
      await term.znodes.write([{ op: 'delete', path: paths.controller, version: -1 }])
    } catch (error) {
      // Another controller is there, or the session is over: nothing is left to give up.
      this.#log.debug(`Nothing to vacate: ${(error as Error).message}`)
    }
  }
}

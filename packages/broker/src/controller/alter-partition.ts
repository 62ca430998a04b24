import { type AlterPartitionRequest, errorCode, ZERO_UUID } from '@vivarium/kafka-protocol'
import { ControlBatch } from './control-batch.ts'
import type { ControlledPartition, ControllerContext, Leadership } from './controller-context.ts'
import { type Deciding, znodeCode } from './effects.ts'
import { refresh, storeLeaderships } from './partition-states.ts'
import { resumeReassignments } from './reassignment.ts'

/** What became of one partition of an AlterPartition. */
export interface AlterOutcome {
  topicName: string
  topicId: string
  partitionIndex: number
  errorCode: number
  /** The state now, if there is one to tell. */
  leadership: Leadership | null
}

export interface AlterAnswer {
  errorCode: number
  outcomes: readonly AlterOutcome[]
}

type Item = AlterPartitionRequest['topics'][number]['partitions'][number]

/** A leader asks for another ISR (KIP-497): granted if it is up to date and all members are alive. */
export function* alterPartitions(
  context: ControllerContext,
  request: AlterPartitionRequest,
  apiVersion: number,
): Deciding<AlterAnswer> {
  const asking = context.brokers.get(request.brokerId)
  if (asking === undefined || asking.epoch !== request.brokerEpoch) {
    return { errorCode: errorCode.STALE_BROKER_EPOCH, outcomes: [] }
  }
  const outcomes: AlterOutcome[] = []
  const changes: { partition: ControlledPartition; next: Leadership; outcome: AlterOutcome }[] = []
  for (const { topicName, topicId, partitions } of request.topics) {
    const topic = apiVersion >= 2 ? context.topicWithId(topicId) : (context.topics.get(topicName) ?? null)
    for (const item of partitions) {
      const outcome: AlterOutcome = {
        topicName: topic?.name ?? topicName,
        topicId: topic?.topicId ?? topicId,
        partitionIndex: item.partitionIndex,
        errorCode: apiVersion >= 2 ? errorCode.UNKNOWN_TOPIC_ID : errorCode.UNKNOWN_TOPIC_OR_PARTITION,
        leadership: null,
      }
      outcomes.push(outcome)
      if (topic === null || (apiVersion >= 2 && topicId === ZERO_UUID)) continue
      const partition = topic.partitions.get(item.partitionIndex) ?? null
      const verdict = judge(context, partition, item, apiVersion)
      outcome.errorCode = verdict.errorCode
      outcome.leadership = verdict.errorCode === errorCode.NONE ? partition!.leadership : null
      if (verdict.next !== null) changes.push({ partition: partition!, next: verdict.next, outcome })
    }
  }
  const codes = yield* storeLeaderships(changes)
  const altered: ControlledPartition[] = []
  for (const [at, { partition, outcome }] of changes.entries()) {
    if (codes[at] === znodeCode.OK) {
      outcome.leadership = partition.leadership
      altered.push(partition)
    } else {
      outcome.leadership = null
      outcome.errorCode =
        codes[at] === znodeCode.BADVERSION ? errorCode.INVALID_UPDATE_VERSION : errorCode.UNKNOWN_SERVER_ERROR
    }
  }
  const refused = changes.filter((_, at) => codes[at] === znodeCode.BADVERSION)
  const metadata = new ControlBatch(context)
  if (refused.length > 0) {
    // Somebody else wrote, or this controller did before it lost its connection: what is stored is true for all.
    metadata.addMetadata(
      yield* refresh(
        context,
        refused.map(({ partition }) => partition),
      ),
    )
  }
  metadata.addMetadata(altered)
  if (altered.length + refused.length > 0) yield* metadata.flush()
  yield* resumeReassignments(context, altered)
  return { errorCode: errorCode.NONE, outcomes }
}

/** Whether the leader may have what it asks for. `next` is null when nothing is to be written. */
function judge(
  context: ControllerContext,
  partition: ControlledPartition | null,
  item: Item,
  apiVersion: number,
): { errorCode: number; next: Leadership | null } {
  const no = (code: number) => ({ errorCode: code, next: null })
  const present = partition?.leadership ?? null
  if (partition === null || present === null || context.isDeleting(partition.topic)) {
    return no(errorCode.UNKNOWN_TOPIC_OR_PARTITION)
  }
  const isr = apiVersion >= 3 ? item.newIsrWithEpochs.map(({ brokerId }) => brokerId) : item.newIsr
  const { leaderEpoch, partitionEpoch, leaderRecoveryState } = item
  // The leader has heard from a newer controller than this one.
  if (partitionEpoch > present.partitionEpoch || leaderEpoch > present.leaderEpoch) {
    return no(errorCode.NOT_CONTROLLER)
  }
  if (leaderEpoch < present.leaderEpoch) return no(errorCode.FENCED_LEADER_EPOCH)
  const isSame =
    isr.length === present.isr.length &&
    isr.every(broker => present.isr.includes(broker)) &&
    leaderRecoveryState === present.leaderRecoveryState
  if (isSame) return { errorCode: errorCode.NONE, next: null }
  if (partitionEpoch < present.partitionEpoch) return no(errorCode.INVALID_UPDATE_VERSION)
  if (isr.length === 0 || isr.some(broker => !partition.replicas.includes(broker))) {
    return no(errorCode.INVALID_REQUEST)
  }
  const isRecovering = leaderRecoveryState === 1
  if (isRecovering && (isr.length > 1 || present.leaderRecoveryState === 0)) {
    return no(errorCode.INVALID_REQUEST)
  }
  const isIneligible = isr.some(
    broker => !context.isAlive(broker) || isStale(context, item, broker, apiVersion),
  )
  if (isIneligible) {
    return no(apiVersion >= 2 ? errorCode.INELIGIBLE_REPLICA : errorCode.OPERATION_NOT_ATTEMPTED)
  }
  const next = { ...present, isr, leaderRecoveryState, controllerEpoch: context.epoch }
  return { errorCode: errorCode.NONE, next }
}

/** Whether the leader means an earlier life of the replica's broker (KIP-903); −1 is «not known». */
function isStale(context: ControllerContext, item: Item, broker: number, apiVersion: number): boolean {
  if (apiVersion < 3) return false
  const named = item.newIsrWithEpochs.find(({ brokerId }) => brokerId === broker)?.brokerEpoch ?? -1
  return named !== -1 && named !== context.brokers.get(broker)?.epoch
}

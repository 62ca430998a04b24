import { errorCode } from '@vivarium/kafka-protocol'
import { ControlBatch } from './control-batch.ts'
import type { ControlledPartition, ControllerContext } from './controller-context.ts'
import type { Deciding } from './effects.ts'
import { bringOnline } from './partition-states.ts'

/** Gives partitions back to their preferred leaders where those are alive and in sync. Gives Kafka's error codes. */
export function* electPreferred(
  context: ControllerContext,
  partitions: readonly ControlledPartition[],
): Deciding<Map<ControlledPartition, number>> {
  const codes = new Map<ControlledPartition, number>()
  const asked = partitions.filter(partition => {
    if (context.isDeleting(partition.topic)) codes.set(partition, errorCode.UNKNOWN_TOPIC_OR_PARTITION)
    else if (partition.leadership?.leader === partition.replicas[0])
      codes.set(partition, errorCode.ELECTION_NOT_NEEDED)
    return !codes.has(partition)
  })
  const batch = new ControlBatch(context)
  const outcomes = yield* bringOnline(context, batch, asked, { kind: 'preferred' })
  yield* batch.flush()
  for (const partition of asked) {
    const isElected = outcomes.get(partition)?.kind === 'elected'
    codes.set(partition, isElected ? errorCode.NONE : errorCode.PREFERRED_LEADER_NOT_AVAILABLE)
  }
  return codes
}

/** Gives a leader, in sync or not, to partitions that have none. Gives Kafka's error codes. */
export function* electUnclean(
  context: ControllerContext,
  partitions: readonly ControlledPartition[],
): Deciding<Map<ControlledPartition, number>> {
  const codes = new Map<ControlledPartition, number>()
  const asked = partitions.filter(partition => {
    const leader = partition.leadership?.leader ?? -1
    if (context.isDeleting(partition.topic)) codes.set(partition, errorCode.UNKNOWN_TOPIC_OR_PARTITION)
    else if (leader !== -1 && context.isAlive(leader)) codes.set(partition, errorCode.ELECTION_NOT_NEEDED)
    return !codes.has(partition)
  })
  const batch = new ControlBatch(context)
  const outcomes = yield* bringOnline(context, batch, asked, {
    kind: 'offline',
    isUncleanAllowed: () => true,
  })
  yield* batch.flush()
  for (const partition of asked) {
    const isElected = outcomes.get(partition)?.kind === 'elected'
    codes.set(partition, isElected ? errorCode.NONE : errorCode.ELIGIBLE_LEADERS_NOT_AVAILABLE)
  }
  return codes
}

/** Where too many of the partitions a broker should lead are led by others, it gets them back. */
export function* rebalanceLeaders(context: ControllerContext): Deciding<void> {
  const byPreferred = new Map<number, ControlledPartition[]>()
  for (const partition of context.partitions()) {
    const preferred = partition.replicas[0]
    if (preferred === undefined || context.isDeleting(partition.topic)) continue
    const list = byPreferred.get(preferred)
    if (list === undefined) byPreferred.set(preferred, [partition])
    else list.push(partition)
  }
  for (const [broker, partitions] of byPreferred) {
    const misplaced = partitions.filter(({ leadership }) => leadership?.leader !== broker)
    const ratio = misplaced.length / partitions.length
    if (ratio * 100 <= context.settings.imbalancePercentage) continue
    const possible = misplaced.filter(
      partition =>
        !partition.isReassigning &&
        context.isOnline(partition, broker) &&
        partition.leadership?.isr.includes(broker) === true,
    )
    if (possible.length > 0) yield* electPreferred(context, possible)
  }
}

import { paths } from '../metadata/zookeeper-layout.ts'
import { ControlBatch } from './control-batch.ts'
import type { ControlledPartition, ControllerContext } from './controller-context.ts'
import { children, type Deciding, read, type SingleWrite, write, znodeCode } from './effects.ts'
import { moveReplicas, type Replica, replicasOf } from './replica-states.ts'

/**
 * Deleting topics: every replica is stopped and removed by its broker, and only when all have confirmed do the znodes go.
 * A topic with a replica out of reach waits for it.
 */

/** Topics whose deletion somebody asked for (the children of /admin/delete_topics). */
export function* deletionsRequested(context: ControllerContext, watch = true): Deciding<void> {
  const requested = yield* children(paths.deleteTopics, watch)
  const unknown = requested.filter(topic => !context.topics.has(topic))
  const dropped = context.settings.deleteTopicEnable ? unknown : requested
  yield* write(dropped.map(topic => ({ op: 'delete', path: paths.deleteTopic(topic), version: -1 })))
  if (!context.settings.deleteTopicEnable) return
  for (const topic of requested) {
    if (!context.topics.has(topic) || context.isDeleting(topic)) continue
    context.deleting.add(topic)
    if (context.partitionsOf(topic).some(({ isReassigning }) => isReassigning)) {
      context.ineligibleForDeletion.add(topic)
    }
  }
  yield* resumeDeletions(context)
}

/** Topics that could not be deleted may be tried again: a broker came back, a reassignment ended. */
export function* retryDeletions(context: ControllerContext, topics: Iterable<string>): Deciding<void> {
  for (const topic of topics) {
    const isReassigning = context.partitionsOf(topic).some(partition => partition.isReassigning)
    if (!isReassigning) context.ineligibleForDeletion.delete(topic)
  }
  yield* resumeDeletions(context)
}

/** A broker has answered that it removed replicas, or could not. */
export function* replicasRemoved(
  context: ControllerContext,
  broker: number,
  removed: readonly ControlledPartition[],
  failed: readonly ControlledPartition[],
): Deciding<void> {
  const batch = new ControlBatch(context)
  const isAwaited = (partition: ControlledPartition) => partition.statusOf(broker) === 'deletion-started'
  const replicas = (partitions: readonly ControlledPartition[]): Replica[] =>
    partitions.filter(isAwaited).map(partition => ({ partition, broker }))
  const stuck = replicas(failed)
  yield* moveReplicas(context, batch, stuck, 'deletion-ineligible')
  for (const { partition } of stuck) context.ineligibleForDeletion.add(partition.topic)
  yield* moveReplicas(context, batch, replicas(removed), 'deletion-successful')
  yield* batch.flush()
  yield* resumeDeletions(context)
}

/** Does whatever can be done for the topics that are to go. */
export function* resumeDeletions(context: ControllerContext): Deciding<void> {
  const eligible: string[] = []
  for (const topic of [...context.deleting]) {
    const partitions = context.partitionsOf(topic)
    const statuses = replicasOf(partitions).map(({ partition, broker }) => partition.statusOf(broker))
    if (statuses.every(status => status === 'deletion-successful')) {
      yield* completeDeletion(context, topic)
      continue
    }
    const isUnderWay = statuses.includes('deletion-started')
    if (isUnderWay || context.ineligibleForDeletion.has(topic)) continue
    if (statuses.includes('deletion-ineligible')) {
      const batch = new ControlBatch(context)
      const again = replicasOf(partitions).filter(
        ({ partition, broker }) => partition.statusOf(broker) === 'deletion-ineligible',
      )
      yield* moveReplicas(context, batch, again, 'offline')
      yield* batch.flush()
    }
    eligible.push(topic)
  }
  if (eligible.length > 0) yield* beginDeletion(context, eligible)
}

function* beginDeletion(context: ControllerContext, topics: readonly string[]): Deciding<void> {
  const partitions = topics.flatMap(topic => context.partitionsOf(topic))
  for (const topic of topics) {
    if (context.deletionStarted.has(topic)) continue
    for (const partition of context.partitionsOf(topic)) partition.status = 'non-existent'
    context.deletionStarted.add(topic)
  }
  const metadata = new ControlBatch(context)
  metadata.addMetadata(partitions)
  yield* metadata.flush()

  const remaining = replicasOf(partitions).filter(
    ({ partition, broker }) => partition.statusOf(broker) !== 'deletion-successful',
  )
  const reachable = remaining.filter(({ partition, broker }) => context.isOnline(partition, broker))
  const unreachable = remaining.filter(({ partition, broker }) => !context.isOnline(partition, broker))
  const batch = new ControlBatch(context)
  for (const { partition, broker } of unreachable) {
    partition.replicaStatus.set(broker, 'deletion-ineligible')
    context.ineligibleForDeletion.add(partition.topic)
  }
  yield* moveReplicas(context, batch, reachable, 'offline')
  yield* batch.flush()
  yield* moveReplicas(context, batch, reachable, 'deletion-started')
  yield* batch.flush()
}

/**
 * Removes the topic's znodes. Topic, configuration and request go in one step: a namesake must not inherit anything, and
 * a controller that dies here leaves nothing half done.
 */
function* completeDeletion(context: ControllerContext, topic: string): Deciding<void> {
  for (let round = 0; round < 5; round++) {
    const indexes = yield* children(paths.partitions(topic))
    const writes: SingleWrite[] = []
    for (const index of indexes) {
      const path = `${paths.partitions(topic)}/${index}`
      writes.push({ op: 'delete', path: `${path}/state`, version: -1 }, { op: 'delete', path, version: -1 })
    }
    const last = [
      paths.partitions(topic),
      paths.topic(topic),
      paths.config('topics', topic),
      paths.deleteTopic(topic),
    ]
    const there = yield* read(last)
    const ends: SingleWrite[] = last
      .filter((_, at) => there[at] !== null)
      .map(path => ({ op: 'delete', path, version: -1 }))
    if (ends.length === 0) break
    const results = yield* write([...writes, { op: 'all', path: paths.topic(topic), writes: ends }])
    if (results.at(-1)!.code === znodeCode.OK) break
    if (round === 4) {
      context.note(`The znodes of deleted topic ${topic} could not be removed (${results.at(-1)!.code})`)
      return
    }
  }
  context.note(`Deletion of topic ${topic} successfully completed`)
  context.forgetTopic(topic)
}

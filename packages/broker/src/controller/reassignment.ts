import { errorCode } from '@vivarium/kafka-protocol'
import { paths, readReassignment, writeReassignment, writeTopic } from '../metadata/zookeeper-layout.ts'
import { ControlBatch } from './control-batch.ts'
import type { ControlledPartition, ControllerContext } from './controller-context.ts'
import { type Deciding, read, write, znodeCode } from './effects.ts'
import { bringOnline, refresh, storeLeaderships } from './partition-states.ts'
import { moveReplicas, type Replica } from './replica-states.ts'
import { retryDeletions } from './topic-deletion.ts'

/**
 * Moving a partition to other brokers (KIP-455): new replicas are added and catch up; when all that shall stay are in
 * sync, the leadership goes to one of them and the others are removed.
 */

export interface ReassignmentAnswer {
  errorCode: number
  message: string | null
}

const done: ReassignmentAnswer = { errorCode: errorCode.NONE, message: null }

/** Begins to move a partition, changes where it is moving to, or, with target null, takes it back to where it was. */
export function* reassign(
  context: ControllerContext,
  partition: ControlledPartition | null,
  target: readonly number[] | null,
): Deciding<ReassignmentAnswer> {
  if (partition === null || context.isDeleting(partition.topic)) {
    return { errorCode: errorCode.UNKNOWN_TOPIC_OR_PARTITION, message: 'The partition does not exist.' }
  }
  if (target === null && !partition.isReassigning) {
    return { errorCode: errorCode.NO_REASSIGNMENT_IN_PROGRESS, message: null }
  }
  const wanted = target ?? partition.origin
  const problem = target === null ? null : targetProblem(context, partition, wanted)
  if (problem !== null) return { errorCode: errorCode.INVALID_REPLICA_ASSIGNMENT, message: problem }
  const { origin } = partition
  const before = { replicas: partition.replicas, adding: partition.adding, removing: partition.removing }
  const replicas = [...wanted, ...origin.filter(broker => !wanted.includes(broker))]
  const isUnchanged =
    !partition.isReassigning &&
    wanted.length === partition.replicas.length &&
    wanted.every((broker, at) => broker === partition.replicas[at])
  if (isUnchanged) return done
  partition.replicas = replicas
  partition.adding = replicas.filter(broker => !origin.includes(broker))
  partition.removing = replicas.filter(broker => !wanted.includes(broker))
  if (!(yield* storeAssignment(context, partition))) {
    Object.assign(partition, before)
    return { errorCode: errorCode.UNKNOWN_SERVER_ERROR, message: 'ZooKeeper refused the assignment.' }
  }
  context.note(`Reassigning ${partition} from ${origin.join(',')} to ${wanted.join(',')}`)
  const batch = new ControlBatch(context)
  // Replicas that an earlier target had asked for and this one does not.
  const dropped = before.replicas.filter(broker => !replicas.includes(broker))
  yield* removeReplicas(context, batch, partition, dropped)
  if (!isCaughtUp(partition)) {
    yield* raiseEpoch(context, batch, partition, origin)
    const fresh = partition.adding.filter(broker => partition.statusOf(broker) === 'non-existent')
    yield* moveReplicas(
      context,
      batch,
      fresh.map(broker => ({ partition, broker })),
      'new',
    )
  }
  yield* batch.flush()
  yield* completeIfCaughtUp(context, partition)
  return done
}

/** Goes on with reassignments whose replicas may have caught up by now. */
export function* resumeReassignments(
  context: ControllerContext,
  partitions: Iterable<ControlledPartition> = context.partitions(),
): Deciding<void> {
  for (const partition of partitions) {
    if (partition.isReassigning && !context.isDeleting(partition.topic)) {
      yield* completeIfCaughtUp(context, partition)
    }
  }
}

/** An old tool has written down what is to be moved. */
export function* reassignmentRequested(context: ControllerContext): Deciding<void> {
  const [znode] = yield* read([paths.reassignPartitions], true)
  if (znode === null || znode === undefined) return
  for (const { topic, partition: index, replicas } of readReassignment(znode.data)) {
    const partition = context.partition(topic, index)
    const answer = yield* reassign(context, partition, replicas)
    if (answer.errorCode !== errorCode.NONE) {
      context.note(`Reassignment of ${topic}-${index} is refused: ${answer.message ?? answer.errorCode}`)
    }
    if (partition === null || !partition.isReassigning) yield* strikeOut(topic, index)
  }
  const [left] = yield* read([paths.reassignPartitions])
  if (left !== null && left !== undefined && readReassignment(left.data).length === 0) {
    yield* write([{ op: 'delete', path: paths.reassignPartitions, version: -1 }])
  }
}

function targetProblem(
  context: ControllerContext,
  partition: ControlledPartition,
  target: readonly number[],
): string | null {
  if (target.length === 0) return 'The replica list is empty.'
  if (target.some(broker => broker < 0)) return 'The replica list names a broker below 0.'
  if (new Set(target).size !== target.length) return 'The replica list names a broker twice.'
  const adding = target.filter(broker => !partition.origin.includes(broker))
  const dead = adding.filter(broker => !context.isAlive(broker))
  return dead.length === 0 ? null : `Brokers ${dead.join(', ')} are not alive.`
}

function isCaughtUp(partition: ControlledPartition): boolean {
  const isr = partition.leadership?.isr ?? []
  return partition.target.every(broker => isr.includes(broker))
}

function* completeIfCaughtUp(context: ControllerContext, partition: ControlledPartition): Deciding<void> {
  const [readable] = yield* refresh(context, [partition])
  if (readable === undefined || !isCaughtUp(partition)) return
  const batch = new ControlBatch(context)
  const { target, removing } = partition
  const arrived: Replica[] = target
    .filter(broker => partition.statusOf(broker) !== 'online')
    .map(broker => ({ partition, broker }))
  yield* moveReplicas(context, batch, arrived, 'online')
  const before = { replicas: partition.replicas, adding: partition.adding }
  partition.replicas = target
  partition.adding = []
  const { leader } = partition.leadership!
  if (target.includes(leader) && context.isAlive(leader)) {
    yield* raiseEpoch(context, batch, partition, target)
  } else {
    const outcomes = yield* bringOnline(context, batch, [partition], { kind: 'reassignment' })
    if (outcomes.get(partition)?.kind !== 'elected') {
      context.note(`Reassignment of ${partition} waits: no replica among ${target.join(',')} can lead`)
      Object.assign(partition, before)
      yield* batch.flush()
      return
    }
  }
  yield* batch.flush()
  yield* removeReplicas(context, batch, partition, removing)
  partition.removing = []
  yield* storeAssignment(context, partition)
  batch.addMetadata([partition])
  yield* batch.flush()
  yield* strikeOut(partition.topic, partition.index)
  context.note(`Reassignment of ${partition} to ${target.join(',')} is complete`)
  yield* retryDeletions(context, context.isDeleting(partition.topic) ? [partition.topic] : [])
}

/** Stops replicas and removes their logs. */
function* removeReplicas(
  context: ControllerContext,
  batch: ControlBatch,
  partition: ControlledPartition,
  brokers: readonly number[],
): Deciding<void> {
  const replicas = brokers
    .filter(broker => partition.statusOf(broker) !== 'non-existent')
    .map(broker => ({ partition, broker }))
  if (replicas.length === 0) return
  yield* moveReplicas(context, batch, replicas, 'offline')
  yield* batch.flush()
  yield* moveReplicas(context, batch, replicas, 'deletion-started')
  yield* batch.flush()
  yield* moveReplicas(context, batch, replicas, 'deletion-successful')
  yield* moveReplicas(context, batch, replicas, 'non-existent')
}

/** Lets leader and followers take over the new assignment, which they do for a new leader epoch only. */
function* raiseEpoch(
  context: ControllerContext,
  batch: ControlBatch,
  partition: ControlledPartition,
  recipients: readonly number[],
): Deciding<void> {
  for (let round = 0; round < 10; round++) {
    if (partition.leadership === null) return
    const next = {
      ...partition.leadership,
      leaderEpoch: partition.leadership.leaderEpoch + 1,
      controllerEpoch: context.epoch,
    }
    const [code] = yield* storeLeaderships([{ partition, next }])
    if (code === znodeCode.OK) {
      batch.addLeaderAndIsr(recipients, partition, false)
      return
    }
    if (code !== znodeCode.BADVERSION) break
    yield* refresh(context, [partition])
  }
  context.note(`The leader epoch of ${partition} could not be raised`)
}

function* storeAssignment(context: ControllerContext, partition: ControlledPartition): Deciding<boolean> {
  const data = writeTopic(context.topicZnode(partition.topic)!)
  const [result] = yield* write([{ op: 'set', path: paths.topic(partition.topic), data, version: -1 }])
  return result?.code === znodeCode.OK
}

/** Takes a partition off an old tool's list; the list goes with its last entry. */
function* strikeOut(topic: string, index: number): Deciding<void> {
  const [znode] = yield* read([paths.reassignPartitions])
  if (znode === null || znode === undefined) return
  const left = readReassignment(znode.data).filter(one => one.topic !== topic || one.partition !== index)
  yield* write([
    left.length === 0
      ? { op: 'delete', path: paths.reassignPartitions, version: -1 }
      : { op: 'set', path: paths.reassignPartitions, data: writeReassignment(left), version: -1 },
  ])
}

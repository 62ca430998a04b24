import {
  paths,
  readFeature,
  readLogDirEvent,
  readPartitionList,
  writeFeature,
} from '../metadata/zookeeper-layout.ts'
import { readBrokers, replicasFailed } from './broker-changes.ts'
import { ControlBatch } from './control-batch.ts'
import type { ControlledPartition, ControllerContext } from './controller-context.ts'
import { children, type Deciding, read, write } from './effects.ts'
import { electPreferred } from './elections.ts'
import { adopt, bringAllOnline } from './partition-states.ts'
import { resumeReassignments } from './reassignment.ts'
import { moveReplicas, type Replica, replicasOf } from './replica-states.ts'
import { loadTopics } from './topic-changes.ts'
import { deletionsRequested } from './topic-deletion.ts'

/** What a newly elected controller does before anything else, in the order Kafka's does it. */
export function* takeOver(context: ControllerContext): Deciding<void> {
  yield* enableFeatures()
  yield* clearNotifications(paths.logDirEvents)
  yield* clearNotifications(paths.isrChanges)
  for (const [id, broker] of yield* readBrokers(context)) context.brokers.set(id, broker)
  const topics = yield* children(paths.topics, true)
  yield* loadTopics(context, topics)
  yield* loadStates(context)
  // Brokers must know who is alive before LeaderAndIsr tells them whom to follow.
  const metadata = new ControlBatch(context)
  metadata.addMetadata([])
  yield* metadata.flush()
  // Deleting topics are marked first, so that nothing below elects leaders for them.
  const marked = yield* children(paths.deleteTopics)
  if (context.settings.deleteTopicEnable) {
    for (const topic of marked) if (context.topics.has(topic)) context.deleting.add(topic)
  }
  yield* startReplicas(context)
  yield* startPartitions(context)
  yield* resumeReassignments(context)
  for (const topic of context.deleting) {
    const partitions = context.partitionsOf(topic)
    const isBlocked = partitions.some(
      partition =>
        partition.isReassigning || partition.replicas.some(broker => !context.isOnline(partition, broker)),
    )
    if (isBlocked) context.ineligibleForDeletion.add(topic)
  }
  yield* deletionsRequested(context)
  yield* preferredElectionRequested(context)
}

function* enableFeatures(): Deciding<void> {
  const [znode] = yield* read([paths.feature])
  if (znode === null || znode === undefined) {
    yield* write([{ op: 'create', path: paths.feature, data: writeFeature() }])
    return
  }
  const present = readFeature(znode.data)
  const wanted = writeFeature(present.features)
  if (present.status === 1 && present.version === 2) return
  yield* write([{ op: 'set', path: paths.feature, data: wanted, version: znode.version }])
}

function* clearNotifications(parent: string): Deciding<void> {
  const names = yield* children(parent, true)
  yield* write(names.map(name => ({ op: 'delete', path: `${parent}/${name}`, version: -1 })))
}

function* loadStates(context: ControllerContext): Deciding<void> {
  const partitions = [...context.partitions()]
  const states = yield* read(partitions.map(({ topic, index }) => paths.partitionState(topic, index)))
  for (const [at, partition] of partitions.entries()) {
    const znode = states[at] ?? null
    if (znode === null) continue
    const problem = adopt(context, partition, znode)
    if (problem !== null) context.note(`Partition ${partition} cannot be controlled: ${problem}`)
  }
}

function* startReplicas(context: ControllerContext): Deciding<void> {
  const batch = new ControlBatch(context)
  const online: Replica[] = []
  const offline: Replica[] = []
  for (const replica of replicasOf([...context.partitions()])) {
    const { partition, broker } = replica
    partition.replicaStatus.set(broker, 'offline')
    if (context.isOnline(partition, broker)) online.push(replica)
    else offline.push(replica)
  }
  yield* moveReplicas(context, batch, online, 'online')
  yield* moveReplicas(context, batch, offline, 'offline')
  yield* batch.flush()
}

function* startPartitions(context: ControllerContext): Deciding<void> {
  for (const partition of context.partitions()) {
    const { leadership } = partition
    if (leadership === null) partition.status = 'new'
    else partition.status = context.isOnline(partition, leadership.leader) ? 'online' : 'offline'
  }
  const batch = new ControlBatch(context)
  yield* bringAllOnline(context, batch)
  // The metadata of partitions that need no election has not been told by this controller yet.
  batch.addMetadata(context.partitions())
  yield* batch.flush()
}

/** An old tool has asked for preferred elections. */
export function* preferredElectionRequested(context: ControllerContext): Deciding<void> {
  const path = paths.preferredReplicaElection
  const [znode] = yield* read([path], true)
  if (znode === null || znode === undefined) return
  let partitions: ControlledPartition[] = []
  try {
    partitions = readPartitionList(path, znode.data).flatMap(({ topic, partition }) => {
      const known = context.partition(topic, partition)
      return known === null ? [] : [known]
    })
  } catch (error) {
    context.note((error as Error).message)
  }
  yield* electPreferred(context, partitions)
  yield* write([{ op: 'delete', path, version: -1 }])
}

/** Leaders that write the ISR themselves (brokers older than 2.7) say where they did. */
export function* isrsChanged(context: ControllerContext): Deciding<void> {
  const names = yield* children(paths.isrChanges, true)
  const notices = names.map(name => `${paths.isrChanges}/${name}`)
  const znodes = yield* read(notices)
  const changed = new Set<ControlledPartition>()
  for (const [at, path] of notices.entries()) {
    const znode = znodes[at]
    if (znode === null || znode === undefined) continue
    try {
      for (const { topic, partition } of readPartitionList(path, znode.data)) {
        const known = context.partition(topic, partition)
        if (known !== null) changed.add(known)
      }
    } catch (error) {
      context.note((error as Error).message)
    }
  }
  const partitions = [...changed]
  const states = yield* read(partitions.map(({ topic, index }) => paths.partitionState(topic, index)))
  for (const [at, partition] of partitions.entries()) adopt(context, partition, states[at] ?? null)
  const batch = new ControlBatch(context)
  batch.addMetadata(partitions)
  yield* batch.flush()
  yield* resumeReassignments(context, partitions)
  yield* write(notices.map(path => ({ op: 'delete', path, version: -1 })))
}

/** Brokers have lost disks: each is asked anew about all its replicas, and those it cannot serve come back as failed. */
export function* logDirsFailed(context: ControllerContext): Deciding<void> {
  const names = yield* children(paths.logDirEvents, true)
  const notices = names.map(name => `${paths.logDirEvents}/${name}`)
  const znodes = yield* read(notices)
  const batch = new ControlBatch(context)
  for (const [at, path] of notices.entries()) {
    const znode = znodes[at]
    if (znode === null || znode === undefined) continue
    try {
      const broker = readLogDirEvent(path, znode.data)
      for (const partition of context.partitionsOn(broker)) {
        if (partition.leadership !== null && !context.isDeleting(partition.topic)) {
          batch.addLeaderAndIsr([broker], partition, false)
        }
      }
    } catch (error) {
      context.note((error as Error).message)
    }
  }
  yield* batch.flush()
  yield* write(notices.map(path => ({ op: 'delete', path, version: -1 })))
}

/** A broker has said which of the replicas in a LeaderAndIsr lie on a failed disk, and which work. */
export function* replicasAnswered(
  context: ControllerContext,
  broker: number,
  failed: readonly ControlledPartition[],
  working: readonly ControlledPartition[],
): Deciding<void> {
  const known = context.failedReplicas.get(broker) ?? new Set()
  const fresh = failed.filter(partition => !known.has(partition))
  for (const partition of working) known.delete(partition)
  for (const partition of fresh) known.add(partition)
  if (known.size > 0) context.failedReplicas.set(broker, known)
  else context.failedReplicas.delete(broker)
  if (fresh.length > 0) {
    yield* replicasFailed(
      context,
      fresh.map(partition => ({ partition, broker })),
    )
  }
}

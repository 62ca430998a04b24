import { ZERO_UUID } from '@vivarium/kafka-protocol'
import { paths, readTopic, type TopicZnode, writeTopic } from '../metadata/zookeeper-layout.ts'
import { ControlBatch } from './control-batch.ts'
import type { ControlledPartition, ControllerContext } from './controller-context.ts'
import { children, type Deciding, read, write } from './effects.ts'
import { bringOnline, cleanOnly } from './partition-states.ts'
import { moveReplicas, replicasOf } from './replica-states.ts'

/** Topics have been created, by a broker or by a tool that writes znodes itself; or their znodes were removed. */
export function* topicsChanged(context: ControllerContext): Deciding<void> {
  const names = new Set(yield* children(paths.topics, true))
  for (const name of context.topics.keys()) if (!names.has(name)) context.forgetTopic(name)
  const fresh = yield* loadTopics(
    context,
    [...names].filter(name => !context.topics.has(name)),
  )
  if (fresh.length > 0) {
    context.note(`New partitions: ${fresh.slice(0, 20).join(', ')}${fresh.length > 20 ? ', …' : ''}`)
  }
  yield* startPartitions(context, fresh)
}

/** Reads topics and watches them; one without an id gets one. Gives their partitions. */
export function* loadTopics(
  context: ControllerContext,
  names: readonly string[],
): Deciding<ControlledPartition[]> {
  const znodes = yield* read(names.map(paths.topic), true)
  const loaded: { name: string; topic: TopicZnode }[] = []
  for (const [at, name] of names.entries()) {
    const znode = znodes[at]
    if (znode === null || znode === undefined) continue
    try {
      loaded.push({ name, topic: readTopic(name, znode.data) })
    } catch (error) {
      context.note(`Topic ${name} is left out: ${(error as Error).message}`)
    }
  }
  const named = loaded
    .filter(({ topic }) => topic.topicId === null || topic.topicId === ZERO_UUID)
    .map(one => {
      one.topic = { ...one.topic, topicId: context.newTopicId() }
      return one
    })
  yield* write(
    named.map(({ name, topic }) => ({
      op: 'set',
      path: paths.topic(name),
      data: writeTopic(topic),
      version: -1,
    })),
  )
  return loaded.flatMap(({ name, topic }) => context.assign(name, topic))
}

/** The data of a topic's znode has changed: more partitions, or a tool has rewritten it. */
export function* topicChanged(context: ControllerContext, name: string): Deciding<void> {
  const known = context.topics.get(name)
  if (known === undefined) return
  const [znode] = yield* read([paths.topic(name)], true)
  if (znode === null || znode === undefined) return
  const topic = readTopic(name, znode.data)
  const added = [...topic.partitions.keys()].filter(index => !known.partitions.has(index))
  if (added.length === 0) return
  if (context.isDeleting(name)) {
    context.note(`Partitions added to ${name} are taken back: it is being deleted`)
    const data = writeTopic(context.topicZnode(name)!)
    yield* write([{ op: 'set', path: paths.topic(name), data, version: -1 }])
    return
  }
  // Only what is new is taken over: the rest is this controller's to change.
  const fresh = context.assign(name, {
    topicId: topic.topicId,
    partitions: new Map(added.map(index => [index, topic.partitions.get(index)!])),
  })
  context.note(`New partitions: ${fresh.slice(0, 20).join(', ')}`)
  yield* startPartitions(context, fresh)
}

/** Brings new partitions to life. */
function* startPartitions(
  context: ControllerContext,
  partitions: readonly ControlledPartition[],
): Deciding<void> {
  if (partitions.length === 0) return
  const batch = new ControlBatch(context)
  for (const partition of partitions) partition.status = 'new'
  yield* moveReplicas(context, batch, replicasOf(partitions), 'new')
  const outcomes = yield* bringOnline(context, batch, partitions, cleanOnly)
  for (const [partition, outcome] of outcomes) {
    if (outcome.kind === 'no-candidate') {
      context.note(`Partition ${partition} has no live replica among ${partition.replicas.join(',')}`)
    } else if (outcome.kind === 'failed') {
      context.note(`Partition ${partition} could not begin: ${outcome.reason}`)
    }
  }
  yield* moveReplicas(context, batch, replicasOf(partitions), 'online')
  yield* batch.flush()
}

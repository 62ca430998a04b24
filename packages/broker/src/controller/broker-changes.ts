import { paths, readBroker } from '../metadata/zookeeper-layout.ts'
import { ControlBatch } from './control-batch.ts'
import { type ControlledPartition, type ControllerContext, liveBroker } from './controller-context.ts'
import { children, type Deciding, read } from './effects.ts'
import { bringAllOnline } from './partition-states.ts'
import { moveReplicas, type Replica } from './replica-states.ts'
import { retryDeletions } from './topic-deletion.ts'

/** Brokers have come, gone, or come back under a new registration before their going was seen. */
export function* brokersChanged(context: ControllerContext): Deciding<void> {
  const registered = yield* readBrokers(context)
  const gone = [...context.brokers.keys()].filter(id => !registered.has(id))
  const fresh = [...registered.values()].filter(({ id }) => !context.brokers.has(id))
  const bounced = [...registered.values()].filter(({ id, epoch }) => {
    const known = context.brokers.get(id)
    return known !== undefined && known.epoch < epoch
  })
  if (gone.length + fresh.length + bounced.length === 0) return
  context.note(
    `Newly added brokers: ${fresh.map(({ id }) => id).join(',')}, deleted brokers: ${gone.join(',')}, bounced brokers: ${bounced.map(({ id }) => id).join(',')}, all live brokers: ${[...registered.keys()].join(',')}`,
  )
  const failed = [...gone, ...bounced.map(({ id }) => id)]
  for (const id of failed) context.brokers.delete(id)
  if (failed.length > 0) yield* brokersFailed(context, failed)
  const started = [...fresh, ...bounced]
  for (const broker of started) context.brokers.set(broker.id, broker)
  if (started.length > 0) {
    yield* brokersStarted(
      context,
      started.map(({ id }) => id),
    )
  }
}

/** The registrations as they are, each watched. One that cannot be read is left out, and said so. */
export function* readBrokers(
  context: ControllerContext,
): Deciding<Map<number, ReturnType<typeof liveBroker>>> {
  const ids = (yield* children(paths.brokerIds, true))
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .sort((a, b) => a - b)
  const znodes = yield* read(ids.map(paths.broker), true)
  const brokers = new Map<number, ReturnType<typeof liveBroker>>()
  for (const [at, id] of ids.entries()) {
    const znode = znodes[at]
    if (znode === null || znode === undefined || znode.data === null) continue
    try {
      brokers.set(id, liveBroker(id, znode.czxid, readBroker(id, znode.data)))
    } catch (error) {
      context.note(`Broker ${id} is left out: ${(error as Error).message}`)
    }
  }
  return brokers
}

/** The data of a broker's registration has changed: other addresses. */
export function* brokerChanged(context: ControllerContext, id: number): Deciding<void> {
  const [znode] = yield* read([paths.broker(id)], true)
  const known = context.brokers.get(id)
  if (known === undefined || znode === null || znode === undefined || znode.data === null) return
  const broker = liveBroker(id, znode.czxid, readBroker(id, znode.data))
  // A new registration is a matter of brokersChanged.
  if (broker.epoch !== known.epoch) return
  if (JSON.stringify(broker) === JSON.stringify(known)) return
  context.brokers.set(id, broker)
  const batch = new ControlBatch(context)
  batch.addMetadata([])
  yield* batch.flush()
}

function* brokersStarted(context: ControllerContext, ids: readonly number[]): Deciding<void> {
  for (const id of ids) {
    context.failedReplicas.delete(id)
    context.shuttingDown.delete(id)
  }
  // A follower's new leader must be in its metadata before LeaderAndIsr names it.
  const present = new ControlBatch(context)
  present.addMetadata(
    [],
    [...context.brokers.keys()].filter(id => !ids.includes(id)),
  )
  yield* present.flush()
  const whole = new ControlBatch(context)
  whole.addMetadata(context.partitions(), ids)
  yield* whole.flush()

  const replicas = ids.flatMap(broker =>
    context.partitionsOn(broker).map((partition): Replica => ({ partition, broker })),
  )
  const batch = new ControlBatch(context)
  yield* moveReplicas(
    context,
    batch,
    replicas.filter(({ partition }) => !context.isDeleting(partition.topic)),
    'online',
  )
  yield* batch.flush()
  yield* bringAllOnline(context, batch)
  yield* batch.flush()
  yield* retryDeletions(context, topicsBeingDeleted(context, replicas))
}

function* brokersFailed(context: ControllerContext, ids: readonly number[]): Deciding<void> {
  for (const id of ids) {
    context.shuttingDown.delete(id)
    context.failedReplicas.delete(id)
  }
  const replicas = ids.flatMap(broker =>
    context.partitionsOn(broker).map((partition): Replica => ({ partition, broker })),
  )
  yield* replicasFailed(context, replicas)
}

/** Replicas that no longer work, as their brokers or disks are gone: others take their leaderships over. */
export function* replicasFailed(context: ControllerContext, replicas: readonly Replica[]): Deciding<void> {
  const batch = new ControlBatch(context)
  const leaderless = new Set<ControlledPartition>()
  for (const { partition, broker } of replicas) {
    if (partition.leadership?.leader === broker && !context.isDeleting(partition.topic))
      leaderless.add(partition)
  }
  for (const partition of leaderless) partition.status = 'offline'
  yield* bringAllOnline(context, batch)
  const kept = replicas.filter(({ partition }) => !context.isDeleting(partition.topic))
  yield* moveReplicas(context, batch, kept, 'offline')
  for (const { partition, broker } of replicas) {
    if (!context.isDeleting(partition.topic)) continue
    const status = partition.statusOf(broker)
    if (status === 'non-existent' || status === 'deletion-successful') continue
    partition.replicaStatus.set(broker, 'deletion-ineligible')
    context.ineligibleForDeletion.add(partition.topic)
  }
  // Clients are to see in any case that the brokers are gone.
  batch.addMetadata([])
  yield* batch.flush()
}

export function topicsBeingDeleted(context: ControllerContext, replicas: readonly Replica[]): Set<string> {
  return new Set(replicas.map(({ partition }) => partition.topic).filter(topic => context.isDeleting(topic)))
}

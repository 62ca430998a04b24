import type { ControlBatch } from './control-batch.ts'
import type { ControlledPartition, ControllerContext, ReplicaStatus } from './controller-context.ts'
import { type Deciding, znodeCode } from './effects.ts'
import { refresh, storeLeaderships } from './partition-states.ts'

export interface Replica {
  partition: ControlledPartition
  broker: number
}

/** From where a replica may come into a status. */
const validPrevious: Record<ReplicaStatus, readonly ReplicaStatus[]> = {
  new: ['non-existent'],
  online: ['new', 'online', 'offline', 'deletion-ineligible'],
  offline: ['new', 'online', 'offline', 'deletion-ineligible'],
  'deletion-started': ['offline'],
  'deletion-successful': ['deletion-started'],
  'deletion-ineligible': ['offline', 'deletion-started'],
  'non-existent': ['deletion-successful'],
}

/** Brings replicas into a status and tells the brokers what that means; those that cannot come from where they are stay. */
export function* moveReplicas(
  context: ControllerContext,
  batch: ControlBatch,
  replicas: readonly Replica[],
  target: ReplicaStatus,
): Deciding<void> {
  const valid = replicas.filter(({ partition, broker }) => {
    const status = partition.statusOf(broker)
    const isValid = validPrevious[target].includes(status)
    if (!isValid) context.note(`Replica ${broker} of ${partition} cannot go from ${status} to ${target}`)
    return isValid
  })
  if (target === 'offline') yield* takeOffline(context, batch, valid)
  for (const { partition, broker } of valid) {
    switch (target) {
      case 'new':
        if (partition.leadership?.leader === broker) {
          context.note(`Replica ${broker} of ${partition} leads it already and cannot be new`)
          continue
        }
        if (partition.leadership !== null) batch.addLeaderAndIsr([broker], partition, true)
        break
      case 'online':
        if (partition.statusOf(broker) === 'new') {
          if (!partition.replicas.includes(broker)) partition.replicas = [...partition.replicas, broker]
        } else if (partition.leadership !== null) {
          batch.addLeaderAndIsr([broker], partition, false)
        }
        break
      case 'deletion-started':
        batch.addStopReplica(broker, partition, true)
        break
      case 'non-existent':
        partition.replicas = partition.replicas.filter(id => id !== broker)
        break
    }
    if (target === 'non-existent') partition.replicaStatus.delete(broker)
    else partition.replicaStatus.set(broker, target)
  }
}

/** Stops replicas and takes them out of the ISR; the last member stays, so that it alone may lead later. */
function* takeOffline(
  context: ControllerContext,
  batch: ControlBatch,
  replicas: readonly Replica[],
): Deciding<void> {
  const byBroker = new Map<number, ControlledPartition[]>()
  for (const { partition, broker } of replicas) {
    batch.addStopReplica(broker, partition, false)
    if (partition.leadership === null) {
      batch.addMetadata([partition])
      continue
    }
    const ofBroker = byBroker.get(broker)
    if (ofBroker === undefined) byBroker.set(broker, [partition])
    else ofBroker.push(partition)
  }
  for (const [broker, partitions] of byBroker) yield* leaveIsr(context, batch, broker, partitions)
}

function* leaveIsr(
  context: ControllerContext,
  batch: ControlBatch,
  broker: number,
  partitions: readonly ControlledPartition[],
): Deciding<void> {
  let left = partitions
  for (let round = 0; left.length > 0 && round < 10; round++) {
    const readable = yield* refresh(context, left)
    const members: ControlledPartition[] = []
    for (const partition of readable) {
      if (partition.leadership!.isr.includes(broker)) members.push(partition)
      else batch.addMetadata([partition])
    }
    const changes = members.map(partition => {
      const { leader, isr, leaderEpoch } = partition.leadership!
      const next = {
        ...partition.leadership!,
        leader: leader === broker ? -1 : leader,
        isr: isr.length === 1 ? isr : isr.filter(id => id !== broker),
        leaderEpoch: leaderEpoch + 1,
        controllerEpoch: context.epoch,
      }
      return { partition, next }
    })
    const codes = yield* storeLeaderships(changes)
    for (const [index, { partition }] of changes.entries()) {
      if (codes[index] !== znodeCode.OK) continue
      if (!context.isDeleting(partition.topic)) {
        const others = partition.replicas.filter(id => id !== broker)
        batch.addLeaderAndIsr(others, partition, false)
      }
      batch.addMetadata([partition])
    }
    left = members.filter((_, index) => codes[index] === znodeCode.BADVERSION)
  }
  for (const partition of left)
    context.note(`Replica ${broker} could not be taken out of the ISR of ${partition}`)
}

/** Every replica of these partitions. */
export function replicasOf(partitions: readonly ControlledPartition[]): Replica[] {
  return partitions.flatMap(partition => partition.replicas.map(broker => ({ partition, broker })))
}

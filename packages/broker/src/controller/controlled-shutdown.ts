import { errorCode } from '@vivarium/kafka-protocol'
import { ControlBatch } from './control-batch.ts'
import type { ControlledPartition, ControllerContext } from './controller-context.ts'
import type { Deciding } from './effects.ts'
import { bringOnline } from './partition-states.ts'
import { moveReplicas } from './replica-states.ts'

export interface ShutdownAnswer {
  errorCode: number
  /** Partitions the broker still leads. */
  remaining: readonly ControlledPartition[]
}

/** A broker is about to stop: its leaderships move away and its followers leave the ISR, before clients can notice. */
export function* shutDownBroker(
  context: ControllerContext,
  broker: number,
  brokerEpoch: number,
): Deciding<ShutdownAnswer> {
  const known = context.brokers.get(broker)
  if (known === undefined) return { errorCode: errorCode.BROKER_NOT_AVAILABLE, remaining: [] }
  if (brokerEpoch !== -1 && brokerEpoch < known.epoch) {
    return { errorCode: errorCode.STALE_BROKER_EPOCH, remaining: [] }
  }
  context.shuttingDown.add(broker)
  const partitions = context
    .partitionsOn(broker)
    .filter(
      ({ replicas, leadership, topic }) =>
        replicas.length > 1 && leadership !== null && !context.isDeleting(topic),
    )
  const isLed = (partition: ControlledPartition) => partition.leadership!.leader === broker
  const led = partitions.filter(isLed)
  const followed = partitions.filter(partition => !isLed(partition))
  const batch = new ControlBatch(context)
  yield* bringOnline(context, batch, led, { kind: 'controlled-shutdown' })
  yield* batch.flush()
  for (const partition of followed) batch.addStopReplica(broker, partition, false)
  yield* batch.flush()
  yield* moveReplicas(
    context,
    batch,
    followed.map(partition => ({ partition, broker })),
    'offline',
  )
  yield* batch.flush()
  return { errorCode: errorCode.NONE, remaining: partitions.filter(isLed) }
}

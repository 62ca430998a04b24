import { config } from '@vivarium/platform'

/** Source: Kafka 3.9's configuration. */
export const transactionsKeys = {
  'transaction.state.log.num.partitions': config.int({ default: 50, min: 1, about: 'Partitions.' }),
  'transaction.state.log.replication.factor': config.int({ default: 3, min: 1, about: 'RF.' }),
  'transaction.state.log.min.isr': config.int({ default: 2, min: 1, about: 'Min ISR.' }),
  'transaction.state.log.segment.bytes': config.int({ default: 104857600, min: 1, about: 'Segment.' }),
  'transaction.state.log.load.buffer.size': config.int({
    default: 5242880,
    min: 1,
    about: 'Load batch.',
    unsupported: 'it is not served yet',
  }),
  'transactional.id.expiration.ms': config.int({
    default: 604800000,
    min: 1,
    about: 'Idle ids.',
    unsupported: 'it is not served yet',
  }),
  'transaction.max.timeout.ms': config.int({
    default: 900000,
    min: 1,
    about: 'Client bound.',
    unsupported: 'it is not served yet',
  }),
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': config.int({
    default: 10000,
    min: 1,
    about: 'Task.',
    unsupported: 'it is not served yet',
  }),
  'transaction.remove.expired.transaction.cleanup.interval.ms': config.int({
    default: 3600000,
    min: 1,
    about: 'Task.',
    unsupported: 'it is not served yet',
  }),
  'transaction.partition.verification.enable': config.boolean({
    default: true,
    about: 'KIP-890 part 1.',
    dynamic: 'cluster-wide',
    unsupported: 'it is not served yet',
  }),
  'producer.id.expiration.ms': config.int({
    default: 86400000,
    min: 1,
    about: 'Idle producer state.',
    dynamic: 'cluster-wide',
  }),
  'producer.id.expiration.check.interval.ms': config.int({ default: 600000, min: 1, about: 'Task.' }),
} as const

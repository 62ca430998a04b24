import { config } from '@vivarium/platform'

/** Source: Kafka 3.9's configuration. */
export const groupsKeys = {
  'group.min.session.timeout.ms': config.int({ default: 6000, about: 'JoinGroup bound.' }),
  'group.max.session.timeout.ms': config.int({ default: 1800000, about: 'JoinGroup bound.' }),
  'group.initial.rebalance.delay.ms': config.int({ default: 3000, about: 'First join wait.' }),
  'group.max.size': config.int({ default: 2147483647, about: 'Members.' }),
  'offset.metadata.max.bytes': config.int({ default: 4096, about: 'Commit metadata.' }),
  'offsets.load.buffer.size': config.int({ default: 5242880, about: 'Load batch.' }),
  'offsets.topic.replication.factor': config.int({ default: 3, about: 'RF.' }),
  'offsets.topic.num.partitions': config.int({ default: 50, about: 'Partitions.' }),
  'offsets.topic.segment.bytes': config.int({ default: 104857600, about: 'Segment.' }),
  'offsets.topic.compression.codec': config.int({
    default: 0,
    about: '0 none.',
    unsupported: 'it is not served yet',
  }),
  'offsets.retention.minutes': config.int({ default: 10080, about: 'Retention.' }),
  'offsets.retention.check.interval.ms': config.long({ default: 600000, about: 'Task.' }),
  'offsets.commit.timeout.ms': config.int({ default: 5000, about: 'Append wait.' }),
  'offsets.commit.required.acks': config.int({
    default: -1,
    about: 'Deprecated.',
    unsupported: 'it is not served yet',
  }),
  'group.coordinator.new.enable': config.boolean({
    default: false,
    about: 'KRaft only in 3.9.',
    unsupported: 'it is not served yet',
  }),
  'group.coordinator.rebalance.protocols': config.list({
    default: ['classic'],
    about: 'Classic[,consumer][,share].',
    unsupported: 'it is not served yet',
  }),
  'group.consumer.session.timeout.ms': config.int({
    default: 45000,
    about: 'KIP-848.',
    unsupported: 'it is not served yet',
  }),
  'group.consumer.heartbeat.interval.ms': config.int({
    default: 5000,
    about: 'KIP-848.',
    unsupported: 'it is not served yet',
  }),
  'group.consumer.max.size': config.int({
    default: 2147483647,
    about: 'KIP-848.',
    unsupported: 'it is not served yet',
  }),
  'group.consumer.assignors': config.list({
    default: ['uniform', 'range class names'],
    about: 'Uniform, range.',
    unsupported: 'it is not served yet',
  }),
  'group.consumer.migration.policy': config.string({
    default: 'disabled',
    about: '3.9 disabled; 4.0 bidirectional.',
    unsupported: 'it is not served yet',
  }),
} as const

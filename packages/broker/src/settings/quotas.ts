import { config } from '@vivarium/platform'

/** Source: Kafka 3.9's configuration. */
export const quotasKeys = {
  'quota.window.num': config.int({
    default: 11,
    min: 1,
    about: 'Samples.',
    unsupported: 'it is not served yet',
  }),
  'quota.window.size.seconds': config.int({
    default: 1,
    min: 1,
    about: 'Sample.',
    unsupported: 'it is not served yet',
  }),
  'controller.quota.window.num': config.int({
    default: 11,
    min: 1,
    about: 'Samples.',
    unsupported: 'it is not served yet',
  }),
  'controller.quota.window.size.seconds': config.int({
    default: 1,
    min: 1,
    about: 'Sample.',
    unsupported: 'it is not served yet',
  }),
  'replication.quota.window.num': config.int({
    default: 11,
    min: 1,
    about: 'Samples.',
    unsupported: 'it is not served yet',
  }),
  'replication.quota.window.size.seconds': config.int({
    default: 1,
    min: 1,
    about: 'Sample.',
    unsupported: 'it is not served yet',
  }),
  'alter.log.dirs.replication.quota.window.num': config.int({
    default: 11,
    min: 1,
    about: 'Samples.',
    unsupported: 'it is not served yet',
  }),
  'alter.log.dirs.replication.quota.window.size.seconds': config.int({
    default: 1,
    min: 1,
    about: 'Sample.',
    unsupported: 'it is not served yet',
  }),
  'client.quota.callback.class': config.string({
    default: null,
    about: 'Custom.',
    unsupported: 'it is not served yet',
  }),
  'leader.replication.throttled.rate': config.long({
    default: Number.MAX_SAFE_INTEGER,
    about: 'Dynamic only, bytes/s.',
    dynamic: 'cluster-wide',
    unsupported: 'it is not served yet',
  }),
  'follower.replication.throttled.rate': config.long({
    default: Number.MAX_SAFE_INTEGER,
    about: 'Dynamic only.',
    dynamic: 'cluster-wide',
    unsupported: 'it is not served yet',
  }),
  'replica.alter.log.dirs.io.max.bytes.per.second': config.long({
    default: Number.MAX_SAFE_INTEGER,
    about: 'Dynamic only.',
    dynamic: 'cluster-wide',
    unsupported: 'it is not served yet',
  }),
} as const

import { config } from '@vivarium/platform'

/** Source: Kafka 3.9's configuration. */
export const tieredStorageKeys = {
  'remote.log.storage.system.enable': config.boolean({
    default: false,
    about: 'Turn on.',
    unsupported: 'it is not served yet',
  }),
  'remote.log.storage.manager.class.name': config.string({
    default: null,
    about: 'Plugin.',
    unsupported: 'it is not served yet',
  }),
  'remote.log.metadata.manager.class.name': config.string({
    default: 'org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteL',
    about: 'Plugin.',
    unsupported: 'it is not served yet',
  }),
  'remote.log.metadata.manager.listener.name': config.string({
    default: null,
    about: 'Internal client listener.',
    unsupported: 'it is not served yet',
  }),
  'remote.log.manager.thread.pool.size': config.int({
    default: 10,
    about: 'Threads.',
    unsupported: 'it is not served yet',
  }),
  'remote.log.manager.task.interval.ms': config.long({
    default: 30000,
    about: 'Copy task.',
    unsupported: 'it is not served yet',
  }),
  'remote.log.reader.threads': config.int({
    default: 10,
    about: 'Readers.',
    unsupported: 'it is not served yet',
  }),
  'remote.log.reader.max.pending.tasks': config.int({
    default: 100,
    about: 'Queue.',
    unsupported: 'it is not served yet',
  }),
  'remote.log.index.file.cache.total.size.bytes': config.long({
    default: 1073741824,
    about: 'Cache.',
    dynamic: 'cluster-wide',
    unsupported: 'it is not served yet',
  }),
  'remote.log.manager.copy.max.bytes.per.second': config.long({
    default: Number.MAX_SAFE_INTEGER,
    about: 'Quota.',
    dynamic: 'cluster-wide',
    unsupported: 'it is not served yet',
  }),
  'remote.log.manager.fetch.max.bytes.per.second': config.long({
    default: Number.MAX_SAFE_INTEGER,
    about: 'Quota.',
    dynamic: 'cluster-wide',
    unsupported: 'it is not served yet',
  }),
  'remote.fetch.max.wait.ms': config.int({
    default: 500,
    about: 'Wait.',
    dynamic: 'cluster-wide',
    unsupported: 'it is not served yet',
  }),
  'log.local.retention.ms': config.long({
    default: -2,
    about: 'Local.retention.ms.',
    dynamic: 'cluster-wide',
    unsupported: 'it is not served yet',
  }),
  'log.local.retention.bytes': config.long({
    default: -2,
    about: 'Local.retention.bytes.',
    dynamic: 'cluster-wide',
    unsupported: 'it is not served yet',
  }),
} as const

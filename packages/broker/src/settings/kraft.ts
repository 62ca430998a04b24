import { config } from '@vivarium/platform'

/** Keys that mean something only to brokers without ZooKeeper. Source: Kafka 3.9's configuration. */
export const kraftKeys = {
  'broker.heartbeat.interval.ms': config.int({
    default: 2000,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'broker.session.timeout.ms': config.int({
    default: 9000,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'controller.listener.names': config.string({
    default: null,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'controller.quorum.append.linger.ms': config.int({
    default: 25,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'controller.quorum.bootstrap.servers': config.list({
    default: [],
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'controller.quorum.election.backoff.max.ms': config.int({
    default: 1000,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'controller.quorum.election.timeout.ms': config.int({
    default: 1000,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'controller.quorum.fetch.timeout.ms': config.int({
    default: 2000,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'controller.quorum.request.timeout.ms': config.int({
    default: 2000,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'controller.quorum.retry.backoff.ms': config.int({
    default: 20,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'controller.quorum.voters': config.list({
    default: [],
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'eligible.leader.replicas.enable': config.boolean({
    default: false,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'initial.broker.registration.timeout.ms': config.int({
    default: 60000,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'metadata.log.dir': config.string({
    default: null,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'metadata.log.max.record.bytes.between.snapshots': config.long({
    default: 20971520,
    min: 1,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'metadata.log.max.snapshot.interval.ms': config.long({
    default: 3600000,
    min: 0,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'metadata.log.segment.bytes': config.int({
    default: 1073741824,
    min: 12,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'metadata.log.segment.min.bytes': config.int({
    default: 8388608,
    min: 12,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'metadata.log.segment.ms': config.long({
    default: 604800000,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'metadata.max.idle.interval.ms': config.int({
    default: 500,
    min: 0,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'metadata.max.retention.bytes': config.long({
    default: 104857600,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'metadata.max.retention.ms': config.long({
    default: 604800000,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'node.id': config.int({
    default: -1,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'process.roles': config.list({
    oneOf: ['broker', 'controller'],
    default: [],
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'server.max.startup.time.ms': config.long({
    default: Number.MAX_SAFE_INTEGER,
    min: 0,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'unclean.leader.election.interval.ms': config.long({
    default: 300000,
    min: 1,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'unstable.feature.versions.enable': config.boolean({
    default: false,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
  'zookeeper.metadata.migration.min.batch.size': config.int({
    default: 200,
    min: 1,
    about: 'Of clusters without ZooKeeper.',
    unsupported: 'the metadata of this broker lives in ZooKeeper',
  }),
} as const

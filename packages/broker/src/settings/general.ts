import { config } from '@vivarium/platform'

/** Source: Kafka 3.9's configuration. */
export const generalKeys = {
  'broker.id': config.int({ default: -1, about: 'Own id; -1 = generate.' }),
  'broker.id.generation.enable': config.boolean({ default: true, about: 'Allow generated ids.' }),
  'reserved.broker.max.id': config.int({ default: 1000, about: 'Largest id usable by hand.' }),
  'broker.rack': config.string({ default: null, about: 'Rack name.' }),
  'zookeeper.connect': config.string({ default: null, about: 'Host:port list + chroot.' }),
  'zookeeper.session.timeout.ms': config.int({ default: 18000, about: 'Session timeout.' }),
  'zookeeper.connection.timeout.ms': config.int({ default: null, about: 'Null = session timeout.' }),
  'zookeeper.set.acl': config.boolean({
    default: false,
    about: 'Secure znodes.',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.max.in.flight.requests': config.int({
    default: 10,
    about: 'Pipelining to ZooKeeper.',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.metadata.migration.enable': config.boolean({
    default: false,
    about: 'ZK to KRaft migration mode.',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.ssl.client.enable': config.boolean({
    default: false,
    about: 'TLS to ZooKeeper.',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.clientCnxnSocket': config.string({
    default: null,
    about: 'Java class; Netty one needed for TLS.',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.ssl.keystore.location': config.string({
    default: null,
    about: 'Client key store.',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.ssl.keystore.password': config.password({
    default: null,
    about: 'Its password.',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.ssl.keystore.type': config.string({
    default: null,
    about: 'JKS/PKCS12/PEM by extension.',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.ssl.truststore.location': config.string({
    default: null,
    about: 'Trust store.',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.ssl.truststore.password': config.password({
    default: null,
    about: 'Its password.',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.ssl.truststore.type': config.string({
    default: null,
    about: 'Type.',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.ssl.protocol': config.string({
    default: 'TLSv1.2',
    about: 'TLS version.',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.ssl.enabled.protocols': config.list({
    default: [],
    about: 'Allowed versions.',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.ssl.cipher.suites': config.list({
    default: [],
    about: 'Allowed suites.',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.ssl.endpoint.identification.algorithm': config.string({
    default: 'HTTPS',
    about: 'Hostname check (upper case).',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.ssl.crl.enable': config.boolean({
    default: false,
    about: 'CRL check.',
    unsupported: 'it is not served yet',
  }),
  'zookeeper.ssl.ocsp.enable': config.boolean({
    default: false,
    about: 'OCSP check.',
    unsupported: 'it is not served yet',
  }),
  'inter.broker.protocol.version': config.string({
    default: '3.9-IV0',
    about: 'IBP; default latest (3.9-IV0).',
  }),
  'auto.create.topics.enable': config.boolean({ default: true, about: 'Create on Metadata.' }),
  'delete.topic.enable': config.boolean({ default: true, about: 'Allow deletion.' }),
  'num.partitions': config.int({ default: 1, about: 'Default partitions.' }),
  'default.replication.factor': config.int({ default: 1, about: 'Default RF.' }),
  'background.threads': config.int({
    default: 10,
    about: 'Scheduler threads.',
    dynamic: 'cluster-wide',
    unsupported: 'this broker has no such threads, queues or buffers',
  }),
  'num.io.threads': config.int({
    default: 8,
    about: 'Request handlers.',
    dynamic: 'cluster-wide',
    unsupported: 'this broker has no such threads, queues or buffers',
  }),
  'num.network.threads': config.int({
    default: 3,
    about: 'Processors per listener.',
    dynamic: 'cluster-wide',
    unsupported: 'this broker has no such threads, queues or buffers',
  }),
  'num.recovery.threads.per.data.dir': config.int({
    default: 1,
    about: 'Load/flush threads per dir.',
    dynamic: 'cluster-wide',
    unsupported: 'this broker has no such threads, queues or buffers',
  }),
  'num.replica.fetchers': config.int({
    default: 1,
    about: 'Fetcher threads per source.',
    dynamic: 'cluster-wide',
    unsupported: 'this broker has no such threads, queues or buffers',
  }),
  'num.replica.alter.log.dirs.threads': config.int({
    default: null,
    about: 'Null = number of dirs.',
    unsupported: 'it is not served yet',
  }),
  'request.timeout.ms': config.int({ default: 30000, about: 'Outgoing request timeout.' }),
  'message.max.bytes': config.int({
    default: 1048588,
    about: 'Largest batch (topic max.message.bytes).',
    dynamic: 'cluster-wide',
  }),
  'fetch.max.bytes': config.int({ default: 57671680, about: 'Cap of a consumer Fetch response, min 1024.' }),
  'max.incremental.fetch.session.cache.slots': config.int({ default: 1000, about: 'Fetch sessions.' }),
  'max.request.partition.size.limit': config.int({
    default: 2000,
    about: 'DescribeTopicPartitions page cap.',
    unsupported: 'it is not served yet',
  }),
  'queued.max.requests': config.int({
    default: 500,
    about: 'Request queue length.',
    unsupported: 'this broker has no such threads, queues or buffers',
  }),
  'queued.max.request.bytes': config.long({
    default: -1,
    about: 'Request memory pool.',
    unsupported: 'this broker has no such threads, queues or buffers',
  }),
  'unstable.api.versions.enable': config.boolean({
    default: false,
    about: 'Expose unstable APIs.',
    unsupported: 'it is not served yet',
  }),
  'create.topic.policy.class.name': config.string({
    default: null,
    about: 'Policy.',
    unsupported: 'it is not served yet',
  }),
  'alter.config.policy.class.name': config.string({
    default: null,
    about: 'Policy.',
    unsupported: 'it is not served yet',
  }),
  'metric.reporters': config.list({
    default: [],
    about: 'Metric reporter classes.',
    dynamic: 'cluster-wide',
    unsupported: 'it is not served yet',
  }),
  'metrics.num.samples': config.int({
    default: 2,
    about: 'Samples per metric.',
    unsupported: 'it is not served yet',
  }),
  'metrics.sample.window.ms': config.long({
    default: 30000,
    about: 'Window.',
    unsupported: 'it is not served yet',
  }),
  'metrics.recording.level': config.string({
    default: 'INFO',
    about: 'INFO/DEBUG/TRACE.',
    unsupported: 'it is not served yet',
  }),
  'auto.include.jmx.reporter': config.boolean({
    default: true,
    about: 'JMX always on.',
    unsupported: 'it is not served yet',
  }),
} as const

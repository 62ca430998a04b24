import { config } from '@vivarium/platform'

/** Source: Kafka 3.9's configuration. */
export const listenersKeys = {
  listeners: config.string({ default: 'PLAINTEXT://:9092', about: 'Bind addresses.', dynamic: 'per-broker' }),
  'advertised.listeners': config.string({
    default: null,
    about: 'Published addresses.',
    dynamic: 'per-broker',
  }),
  'listener.security.protocol.map': config.string({
    default: null,
    about: 'Name to protocol.',
    dynamic: 'per-broker',
  }),
  'inter.broker.listener.name': config.string({ default: null, about: 'Inter-broker listener.' }),
  'security.inter.broker.protocol': config.string({
    oneOf: ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'],
    default: 'PLAINTEXT',
    about: 'Alternative to name.',
  }),
  'control.plane.listener.name': config.string({
    default: null,
    about: 'Controller requests listener.',
    unsupported: 'it is not served yet',
  }),
  'early.start.listeners': config.string({
    default: null,
    about: 'KRaft only.',
    unsupported: 'it is not served yet',
  }),
  'socket.send.buffer.bytes': config.int({
    default: 102400,
    about: 'SO_SNDBUF, -1 OS.',
    unsupported: 'this broker has no such threads, queues or buffers',
  }),
  'socket.receive.buffer.bytes': config.int({
    default: 102400,
    about: 'SO_RCVBUF, -1 OS.',
    unsupported: 'this broker has no such threads, queues or buffers',
  }),
  'socket.request.max.bytes': config.int({ default: 104857600, min: 1, about: 'Largest request.' }),
  'socket.listen.backlog.size': config.int({
    default: 50,
    min: 1,
    about: 'Accept backlog.',
    unsupported: 'this broker has no such threads, queues or buffers',
  }),
  'max.connections.per.ip': config.int({
    default: 2147483647,
    min: 0,
    about: 'Limit.',
    dynamic: 'cluster-wide',
  }),
  'max.connections.per.ip.overrides': config.string({
    default: '',
    about: 'Host:count list.',
    dynamic: 'cluster-wide',
    unsupported: 'it is not served yet',
  }),
  'max.connections': config.int({
    default: 2147483647,
    min: 0,
    about: 'Broker/listener limit.',
    dynamic: 'cluster-wide',
  }),
  'max.connection.creation.rate': config.int({
    default: 2147483647,
    min: 0,
    about: 'Per s.',
    dynamic: 'cluster-wide',
    unsupported: 'it is not served yet',
  }),
  'connections.max.idle.ms': config.long({ default: 600000, about: 'Idle close.' }),
  'connection.failed.authentication.delay.ms': config.int({
    default: 100,
    min: 0,
    about: 'Delay on auth failure.',
    unsupported: 'it is not served yet',
  }),
  'socket.connection.setup.timeout.ms': config.long({
    default: 10000,
    about: 'Outgoing connect.',
    unsupported: 'it is not served yet',
  }),
  'socket.connection.setup.timeout.max.ms': config.long({
    default: 30000,
    about: 'Max backoff.',
    unsupported: 'it is not served yet',
  }),
} as const

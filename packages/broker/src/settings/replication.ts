import { config } from '@vivarium/platform'

/** Source: Kafka 3.9's configuration. */
export const replicationKeys = {
  'replica.lag.time.max.ms': config.long({ default: 30000, about: 'ISR lag limit.' }),
  'replica.socket.timeout.ms': config.int({
    default: 30000,
    about: 'Fetch socket; >= wait max.',
    unsupported: 'it is not served yet',
  }),
  'replica.socket.receive.buffer.bytes': config.int({
    default: 65536,
    about: 'Buffer.',
    unsupported: 'it is not served yet',
  }),
  'replica.fetch.max.bytes': config.int({ default: 1048576, min: 0, about: 'Per partition.' }),
  'replica.fetch.wait.max.ms': config.int({ default: 500, about: 'Long poll.' }),
  'replica.fetch.backoff.ms': config.int({ default: 1000, min: 0, about: 'After error.' }),
  'replica.fetch.min.bytes': config.int({ default: 1, about: 'Min bytes.' }),
  'replica.fetch.response.max.bytes': config.int({ default: 10485760, min: 0, about: 'Whole response.' }),
  'replica.high.watermark.checkpoint.interval.ms': config.long({ default: 5000, about: 'HW file.' }),
  'replica.selector.class': config.string({
    default: null,
    about: 'Follower fetching.',
    unsupported: 'it is not served yet',
  }),
  'fetch.purgatory.purge.interval.requests': config.int({
    default: 1000,
    about: 'Purge.',
    unsupported: 'it is not served yet',
  }),
  'producer.purgatory.purge.interval.requests': config.int({
    default: 1000,
    about: 'Purge.',
    unsupported: 'it is not served yet',
  }),
  'delete.records.purgatory.purge.interval.requests': config.int({
    default: 1,
    about: 'Purge.',
    unsupported: 'it is not served yet',
  }),
} as const

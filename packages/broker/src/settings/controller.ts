import { config } from '@vivarium/platform'

/** Source: Kafka 3.9's configuration. */
export const controllerKeys = {
  'controlled.shutdown.enable': config.boolean({ default: true, about: 'Do it at stop.' }),
  'controlled.shutdown.max.retries': config.int({ default: 3, about: 'Tries.' }),
  'controlled.shutdown.retry.backoff.ms': config.long({ default: 5000, about: 'Pause.' }),
  'controller.socket.timeout.ms': config.int({ default: 30000, about: 'Controller channel.' }),
  'auto.leader.rebalance.enable': config.boolean({ default: true, about: 'Preferred election task.' }),
  'leader.imbalance.per.broker.percentage': config.int({ default: 10, about: 'Threshold.' }),
  'leader.imbalance.check.interval.seconds': config.long({ default: 300, min: 1, about: 'Period.' }),
} as const

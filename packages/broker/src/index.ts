export type { BrokerWorld } from './broker.ts'
export { KafkaBroker } from './kafka-broker.ts'
export { type BrokerSettings, readSettings } from './settings.ts'

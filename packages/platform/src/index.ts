export { AssertionError, assert, unreachable } from './assert.ts'
export { background } from './background.ts'
export type { Clock, Timer } from './clock.ts'
export * as config from './config.ts'
export {
  ConfigError,
  type ConfigKey,
  type ConfigKeys,
  type ConfigValues,
  nearest,
  type ReadConfig,
  readConfig,
} from './config.ts'
export type { Disk, DiskFile } from './disk.ts'
export { Fifo } from './fifo.ts'
export { type JvmFlags, readJvmFlags } from './jvm-flags.ts'
export {
  createLog,
  jsonLayout,
  kafkaLayout,
  type Level,
  type Log,
  type LogEvent,
  type LogLayout,
  silentLog,
  zookeeperLayout,
} from './log.ts'
export {
  type Address,
  type Connection,
  formatAddress,
  isWildcard,
  type Listener,
  type Network,
} from './network.ts'
export { type Property, parseProperties } from './properties.ts'
export type { Random } from './random.ts'

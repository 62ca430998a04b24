export { Monitor, type MonitorWorld } from './monitor.ts'
export {
  type AlertRecord,
  type AlertState,
  type DeadLetter,
  type LogRecord,
  type MetricsRecord,
  type ServerRole,
  type Severity,
  topics,
} from './records.ts'

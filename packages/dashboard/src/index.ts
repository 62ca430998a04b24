export type {
  BrokerView,
  LogEntry,
  PartitionView,
  Sample,
  ServerView,
  Snapshot,
  ThroughputSample,
  TopicView,
  TopologyView,
  Update,
} from './api.ts'
export { Dashboard } from './server/dashboard.ts'

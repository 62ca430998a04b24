import type { AlertRecord, LogRecord, MetricsRecord } from '@vivarium/monitor'

// The one contract between the server and the page: GET /api/events sends a Snapshot as event `snapshot`, then Updates as
// event `update`, a few a second at most.

export interface ServerView {
  name: string
  address: string
  /** The newest look at it; null until there is one. */
  metrics: MetricsRecord | null
}

export interface BrokerView {
  id: number
  address: string
  isController: boolean
  /** Partitions it leads, and partitions it holds a copy of. */
  leads: number
  holds: number
}

export interface PartitionView {
  partition: number
  leader: number
  replicas: number[]
  isr: number[]
  /** −1 while it is not known. */
  endOffset: number
}

/** A topic that people made; the brokers' own ones are left out. */
export interface TopicView {
  name: string
  partitions: PartitionView[]
}

/** What the brokers said last; `error` when they do not answer. */
export interface TopologyView {
  clusterId: string
  brokers: BrokerView[]
  topics: TopicView[]
  error: string | null
}

export interface LogEntry extends LogRecord {
  /** Rises by one with every entry this page is sent. */
  seq: number
}

/** One point of every chart. */
export interface Sample {
  ts: number
  server: string
  avgLatency: number
  connections: number
  outstanding: number
  /** Requests per second since the sample before. */
  requests: number
}

export interface ThroughputSample {
  ts: number
  recordsPerSecond: number
}

export interface Snapshot {
  cluster: string
  nowMs: number
  servers: ServerView[]
  topology: TopologyView
  logs: LogEntry[]
  alerts: AlertRecord[]
  history: AlertRecord[]
  samples: Sample[]
  throughput: ThroughputSample[]
}

/** What changed since the message before. */
export interface Update {
  nowMs: number
  servers?: ServerView[]
  topology?: TopologyView
  logs?: LogEntry[]
  alerts?: AlertRecord[]
  history?: AlertRecord[]
  samples?: Sample[]
  throughput?: ThroughputSample[]
}

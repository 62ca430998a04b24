/** The records this package publishes, and their topics. Everything that reads the topics may rely on these shapes. */

export const topics = {
  logs: 'zookeeper-logs',
  metrics: 'zookeeper-metrics',
  alerts: 'alerts',
  history: 'alerts-history',
  deadLetters: 'monitor-dlq',
} as const

/** One entry of a coordination server's log. Topic `zookeeper-logs`, key: the server's name. */
export interface LogRecord {
  /** Milliseconds since the Unix epoch, as the server wrote it. */
  ts: number
  server: string
  /** The server's own number; null where the line leaves it empty. */
  myid: number | null
  cluster: string
  level: string
  thread: string
  class: string
  line: number
  message: string
  /** The lines that followed without a time of their own. */
  stack?: string
  /** Hash of the message without its numbers, addresses and paths: equal for messages of one kind. */
  template: string
  /** What was taken out of the message to make the template, in order. */
  params: string[]
  source: { kind: 'file'; file: string; offset: number }
  /** The entry was longer than 64 KiB and is cut. */
  truncated?: true
}

export type ServerRole = 'leader' | 'follower' | 'observer' | 'standalone' | 'read-only' | 'looking' | 'down'

/** One look at one server. Topic `zookeeper-metrics`, key: the server's name. */
export interface MetricsRecord {
  /** When the look began: milliseconds since the Unix epoch. */
  ts: number
  server: string
  cluster: string
  /** `looking`: it answers but serves nobody; `down`: it does not answer. */
  role: ServerRole
  /** Keys of `mntr` without `zk_`, plus zxid_epoch and zxid_counter. Empty when the server is down. */
  values: Record<string, number>
  /** How long the server took to answer, in milliseconds. */
  scrapeMs: number
  /** Why there is no answer, or why it is not whole. */
  error?: string
}

/** A line nothing could be made of. Topic `monitor-dlq`, key: the server's name. */
export interface DeadLetter {
  ts: number
  server: string
  cluster: string
  reason: string
  raw: string
  source: { kind: 'file'; file: string; offset: number }
}

export type Severity = 'info' | 'warning' | 'critical'
export type AlertState = 'pending' | 'firing' | 'resolved' | 'inactive'

/** An alert after a change of its state. Topics `alerts` (the newest of each) and `alerts-history` (all); key: fingerprint. */
export interface AlertRecord {
  /** Names this transition for ever: receivers may drop a second one with the same id. */
  id: string
  /** Hash of rule and labels: names the alert. */
  fingerprint: string
  rule: string
  state: AlertState
  severity: Severity
  labels: Record<string, string>
  annotations: { summary: string; runbook: string }
  /** What the rule measured, where it measures something. */
  value: number | null
  /** When this transition happened: milliseconds since the Unix epoch. */
  ts: number
  /** When the condition became true. */
  startsAt: number
  /** When the alert first fired in this episode; null while pending. */
  firedAt: number | null
  /** When it ended; null while it has not. */
  endsAt: number | null
}

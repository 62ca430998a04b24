import type { LogRecord, MetricsRecord } from '../records.ts'

/** Log events of one kind and server that are remembered: enough for every threshold. */
const maxRemembered = 100

/** What rules look at: the ensemble as the topics tell it. Plain data, so that it can be saved and restored as it is. */
export interface View {
  cluster: string
  /** Servers that should be there. */
  expected: string[]
  /** The newest look at each. */
  servers: Record<string, MetricsRecord>
  /** Who led last, and who led before that. */
  leader: string | null
  leaderChange: { from: string; to: string; ts: number } | null
  /** Since when the ensemble has been whole: a leader, and everybody there. */
  wholeSince: number | null
  /** Times of remarkable log entries, by `kind server`. */
  events: Record<string, number[]>
  /** The newest time any record told. */
  nowMs: number
}

export function emptyView(cluster: string, expected: readonly string[]): View {
  return {
    cluster,
    expected: [...expected],
    servers: {},
    leader: null,
    leaderChange: null,
    wholeSince: null,
    events: {},
    nowMs: 0,
  }
}

/** Messages that mean something by themselves. */
const logKinds: readonly { kind: string; pattern: RegExp }[] = [
  { kind: 'fsync', pattern: /^fsync-ing the write ahead log/ },
  { kind: 'expiry', pattern: /^Expiring session 0x/ },
]

export function applyLog(view: View, record: LogRecord): void {
  view.nowMs = Math.max(view.nowMs, record.ts)
  for (const { kind, pattern } of logKinds)
    if (pattern.test(record.message)) remember(view, `${kind} ${record.server}`, record.ts)
  if (record.level === 'ERROR' || record.level === 'FATAL')
    remember(view, `error ${record.server}`, record.ts)
}

function remember(view: View, key: string, ts: number): void {
  const times = view.events[key] ?? []
  times.push(ts)
  view.events[key] = times.slice(-maxRemembered)
}

export function applyMetrics(view: View, record: MetricsRecord): void {
  const known = view.servers[record.server]
  if (known !== undefined && record.ts < known.ts) return
  view.servers[record.server] = record
  view.nowMs = Math.max(view.nowMs, record.ts)
  if (record.role === 'leader' && record.server !== view.leader) {
    if (view.leader !== null) {
      view.leaderChange = { from: view.leader, to: record.server, ts: record.ts }
      view.wholeSince = null
    }
    view.leader = record.server
  }
  const isWhole =
    view.expected.every(name => isServing(view.servers[name])) &&
    leaders(view).length === (view.expected.length > 1 ? 1 : 0)
  if (!isWhole) view.wholeSince = null
  else view.wholeSince ??= record.ts
}

export function isServing(record: MetricsRecord | undefined): boolean {
  return record !== undefined && record.role !== 'down' && record.role !== 'looking'
}

export function leaders(view: View): string[] {
  return Object.values(view.servers)
    .filter(record => record.role === 'leader')
    .map(record => record.server)
}

/** How many events of a kind a server had in the last `windowMs`. */
export function countRecent(view: View, kind: string, server: string, windowMs: number): number {
  return (view.events[`${kind} ${server}`] ?? []).filter(ts => view.nowMs - ts < windowMs).length
}

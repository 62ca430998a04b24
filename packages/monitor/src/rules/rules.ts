import type { Severity } from '../records.ts'
import { countRecent, isServing, leaders, type View } from './view.ts'

/** Something a rule finds true at the moment. */
export interface Finding {
  /** Tells findings of one rule apart; the cluster is added to all. */
  labels: Record<string, string>
  summary: string
  value: number | null
}

/** One rule: what to look for, how long it must hold, how grave it is. */
export interface Rule {
  readonly name: string
  readonly severity: Severity
  /** How long a finding must hold before it is an alert. */
  readonly forMs: number
  /** What to do about it: a section of docs/operations.md. */
  readonly runbook: string
  find(view: View): Finding[]
}

const minuteMs = 60_000
/** An ensemble that has been whole for so long has got over a change of leaders. */
const settledMs = 5_000

/** The rules, with the thresholds operators use; `docs/operations.md` says what each means. */
export const rules: readonly Rule[] = [
  {
    name: 'ServerDown',
    severity: 'critical',
    // Three looks without an answer: a restart of a second does not wake anyone.
    forMs: 3_000,
    runbook: 'docs/operations.md#serverdown',
    find: view =>
      view.expected
        .filter(server => view.servers[server]?.role === 'down')
        .map(server => ({
          labels: { server },
          summary: `${server} does not answer: ${view.servers[server]!.error ?? 'no connection'}`,
          value: null,
        })),
  },
  {
    name: 'LeaderChanged',
    severity: 'warning',
    forMs: 0,
    runbook: 'docs/operations.md#leaderchanged',
    find: ({ leaderChange, wholeSince, nowMs }) => {
      if (leaderChange === null) return []
      if (wholeSince !== null && nowMs - Math.max(wholeSince, leaderChange.ts) >= settledMs) return []
      const { from, to } = leaderChange
      return [{ labels: { from, to }, summary: `${to} leads now; before it was ${from}`, value: null }]
    },
  },
  {
    name: 'NoLeader',
    severity: 'critical',
    forMs: 5_000,
    runbook: 'docs/operations.md#noleader',
    find: view => {
      if (
        view.expected.length < 2 ||
        leaders(view).length > 0 ||
        Object.keys(view.servers).length < view.expected.length
      )
        return []
      return [{ labels: {}, summary: 'No server leads: nothing can be written', value: 0 }]
    },
  },
  {
    name: 'QuorumAtRisk',
    severity: 'critical',
    forMs: 3_000,
    runbook: 'docs/operations.md#quorumatrisk',
    find: view => {
      const { expected } = view
      const up = expected.filter(server => isServing(view.servers[server])).length
      const needed = Math.floor(expected.length / 2) + 1
      if (expected.length < 3 || up > needed || Object.keys(view.servers).length < expected.length) return []
      return [
        {
          labels: {},
          summary: `${up} of ${expected.length} servers are up and ${needed} are needed: one more failure stops all writes`,
          value: up,
        },
      ]
    },
  },
  {
    name: 'FsyncSlow',
    severity: 'warning',
    forMs: 0,
    runbook: 'docs/operations.md#fsyncslow',
    find: view =>
      counted(
        view,
        'fsync',
        1,
        (server, count) => `${server} waited over a second for its disk, ${count} times in the last minute`,
      ),
  },
  {
    name: 'SessionExpiryBurst',
    severity: 'warning',
    forMs: 0,
    runbook: 'docs/operations.md#sessionexpiryburst',
    find: view =>
      counted(
        view,
        'expiry',
        3,
        (server, count) => `${server} gave up ${count} client sessions in the last minute`,
      ),
  },
  {
    name: 'ErrorBurst',
    severity: 'warning',
    forMs: 0,
    runbook: 'docs/operations.md#errorburst',
    find: view =>
      counted(view, 'error', 5, (server, count) => `${server} logged ${count} errors in the last minute`),
  },
  {
    name: 'OutstandingRequests',
    severity: 'warning',
    forMs: 10_000,
    runbook: 'docs/operations.md#outstandingrequests',
    find: view =>
      Object.values(view.servers)
        .filter(record => (record.values.outstanding_requests ?? 0) > 10)
        .map(record => ({
          labels: { server: record.server },
          summary: `${record.server} has ${record.values.outstanding_requests} requests waiting`,
          value: record.values.outstanding_requests ?? null,
        })),
  },
]

function counted(
  view: View,
  kind: string,
  threshold: number,
  summary: (server: string, count: number) => string,
): Finding[] {
  return view.expected.flatMap(server => {
    const count = countRecent(view, kind, server, minuteMs)
    return count < threshold ? [] : [{ labels: { server }, summary: summary(server, count), value: count }]
  })
}

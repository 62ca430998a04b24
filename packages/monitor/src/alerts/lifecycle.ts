import type { AlertRecord, AlertState } from '../records.ts'
import type { Finding, Rule } from '../rules/rules.ts'

/** An alert that is not over. Plain data, so that it can be saved. */
export interface OpenAlert {
  rule: string
  labels: Record<string, string>
  state: 'pending' | 'firing'
  startsAt: number
  firedAt: number | null
}

export type OpenAlerts = Record<string, OpenAlert>

/** Names things the same way on every run. */
export type HashOf = (text: string) => string

/**
 * inactive → pending → firing → resolved: compares what rules find with the alerts that are open. Gives the transitions,
 * and leaves `open` as it is now. Pure; `nowMs` is the time the records told, so that the same records give the same
 * transitions with the same ids, however often they are read.
 */
export function step(
  open: OpenAlerts,
  found: readonly { rule: Rule; findings: readonly Finding[] }[],
  nowMs: number,
  cluster: string,
  hashOf: HashOf,
): AlertRecord[] {
  const transitions: AlertRecord[] = []
  const seen = new Set<string>()
  for (const { rule, findings } of found) {
    for (const finding of findings) {
      const labels = { cluster, ...finding.labels }
      const fingerprint = hashOf(`${rule.name} ${JSON.stringify(Object.entries(labels).sort())}`)
      seen.add(fingerprint)
      const alert: OpenAlert = open[fingerprint] ?? {
        rule: rule.name,
        labels,
        state: 'pending',
        startsAt: nowMs,
        firedAt: null,
      }
      const isNew = open[fingerprint] === undefined
      open[fingerprint] = alert
      if (alert.state === 'pending' && nowMs - alert.startsAt >= rule.forMs) {
        alert.state = 'firing'
        alert.firedAt = nowMs
        transitions.push(transition(fingerprint, alert, 'firing', rule, finding, nowMs, hashOf))
      } else if (isNew) {
        transitions.push(transition(fingerprint, alert, 'pending', rule, finding, nowMs, hashOf))
      }
    }
  }
  for (const [fingerprint, alert] of Object.entries(open)) {
    if (seen.has(fingerprint)) continue
    delete open[fingerprint]
    const rule = found.find(one => one.rule.name === alert.rule)?.rule
    if (rule === undefined) continue
    const state: AlertState = alert.state === 'firing' ? 'resolved' : 'inactive'
    const finding = { labels: alert.labels, summary: 'It is over', value: null }
    transitions.push(transition(fingerprint, alert, state, rule, finding, nowMs, hashOf))
  }
  return transitions
}

function transition(
  fingerprint: string,
  alert: OpenAlert,
  state: AlertState,
  rule: Rule,
  finding: Finding,
  nowMs: number,
  hashOf: HashOf,
): AlertRecord {
  const isOver = state === 'resolved' || state === 'inactive'
  return {
    id: hashOf(`${fingerprint} ${alert.startsAt} ${state}`),
    fingerprint,
    rule: rule.name,
    state,
    severity: rule.severity,
    labels: alert.labels,
    annotations: { summary: finding.summary, runbook: rule.runbook },
    value: finding.value,
    ts: nowMs,
    startsAt: alert.startsAt,
    firedAt: alert.firedAt,
    endsAt: isOver ? nowMs : null,
  }
}

import type { Snapshot } from '../../api.ts'
import { span, time } from '../format.ts'
import { firing, history, nowMs, pending } from '../store.ts'

type Alert = Snapshot['alerts'][number]

const signs: Record<string, string> = { firing: '▲', pending: '△', resolved: '✓', inactive: '–' }

export function AlertList() {
  const open = [...firing.value, ...pending.value].sort((a, b) => b.startsAt - a.startsAt)
  return (
    <section id="alerts" aria-labelledby="alerts-title">
      <div class="head">
        <h2 id="alerts-title">Alerts</h2>
        <p class="muted" aria-live="polite">
          {firing.value.length === 0 ? 'Nothing is firing.' : `${firing.value.length} firing`}
        </p>
      </div>
      <ul class="alerts">
        {open.map(alert => (
          <Open key={alert.fingerprint} alert={alert} />
        ))}
      </ul>
      <h3>History</h3>
      {history.value.length === 0 ? (
        <p class="muted">
          Nothing has happened yet. To see a failover and its alert: <code>bin/vivarium kill leader</code>
        </p>
      ) : (
        <ol class="history">
          {history.value.slice(0, 30).map(alert => (
            <li key={alert.id} class={`state-${alert.state}`}>
              <time>{time(alert.ts)}</time>
              <span class="what">
                <span aria-hidden="true">{signs[alert.state]}</span> {alert.state}
              </span>
              <strong>{alert.rule}</strong>
              <span class="summary">
                {alert.state === 'resolved' && alert.firedAt !== null
                  ? `after ${span(alert.ts - alert.firedAt)}`
                  : alert.annotations.summary}
              </span>
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}

function Open({ alert }: { alert: Alert }) {
  return (
    <li class={`alert severity-${alert.severity} state-${alert.state}`}>
      <p>
        <span class="badge">
          <span aria-hidden="true">{signs[alert.state]}</span> {alert.state} · {alert.severity}
        </span>{' '}
        <strong>{alert.rule}</strong>
      </p>
      <p>{alert.annotations.summary}</p>
      <p class="muted small">
        for {span(nowMs.value - alert.startsAt)} · what to do: <code>{alert.annotations.runbook}</code>
      </p>
    </li>
  )
}

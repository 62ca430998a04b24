import type { ServerView } from '../../api.ts'
import { count, ms, span } from '../format.ts'
import { nowMs, servers } from '../store.ts'

const signs: Record<string, string> = {
  leader: '★',
  follower: '●',
  observer: '◎',
  standalone: '●',
  looking: '◌',
  down: '✕',
}

export function Ensemble() {
  return (
    <section id="ensemble" aria-labelledby="ensemble-title">
      <div class="head">
        <h2 id="ensemble-title">Ensemble</h2>
        <p class="muted" aria-live="polite">
          {quorumInWords(servers.value)}
        </p>
      </div>
      <div class="cards">
        {servers.value.map(server => (
          <Card key={server.name} server={server} />
        ))}
      </div>
    </section>
  )
}

function quorumInWords(all: readonly ServerView[]): string {
  const voters = all.filter(server => server.metrics?.role !== 'observer')
  if (voters.every(server => server.metrics === null)) return 'Waiting for the first look at the servers …'
  const up = voters.filter(
    ({ metrics }) => metrics !== null && metrics.role !== 'down' && metrics.role !== 'looking',
  ).length
  if (voters.length === 1)
    return up === 1 ? 'One server alone: it can lose none.' : 'The one server does not serve.'
  const spare = up - (Math.floor(voters.length / 2) + 1)
  if (spare < 0) return `${up} of ${voters.length} serve: there is no quorum, nothing can be written.`
  return `${up} of ${voters.length} serve; it can lose ${spare === 0 ? 'none' : `${spare} more`}.`
}

function Card({ server }: { server: ServerView }) {
  const { metrics } = server
  const role = metrics?.role ?? 'unknown'
  const values = metrics?.values ?? {}
  const zxid =
    values.zxid_epoch === undefined
      ? '–'
      : `0x${values.zxid_epoch.toString(16)}·${(values.zxid_counter ?? 0).toString(16)}`
  return (
    <article class={`card role-${role}`}>
      <h3>
        {server.name} <span class="muted mono">{server.address}</span>
      </h3>
      <p class="role">
        <span aria-hidden="true">{signs[role] ?? '?'}</span> {role}
        {metrics !== null && role !== 'down' && values.uptime !== undefined ? (
          <span class="muted"> for {span(values.uptime)}</span>
        ) : null}
      </p>
      {role === 'down' ? (
        <p class="problem">{metrics?.error ?? 'It does not answer.'}</p>
      ) : (
        <dl>
          <Fact name="epoch · zxid" value={zxid} />
          <Fact name="latency avg" value={ms(values.avg_latency)} />
          <Fact name="latency max" value={ms(values.max_latency)} />
          <Fact name="connections" value={count(values.num_alive_connections)} />
          <Fact name="sessions" value={count(values.global_sessions)} />
          <Fact name="znodes" value={count(values.znode_count)} />
          <Fact name="watches" value={count(values.watch_count)} />
          <Fact name="outstanding" value={count(values.outstanding_requests)} />
        </dl>
      )}
      <p class="muted small">
        {metrics === null ? 'not looked at yet' : `seen ${span(nowMs.value - metrics.ts)} ago`}
      </p>
    </article>
  )
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  )
}

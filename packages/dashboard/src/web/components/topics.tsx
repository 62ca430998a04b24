import { signal } from '@preact/signals'
import type { TopicView } from '../../api.ts'
import { count } from '../format.ts'
import { topology } from '../store.ts'

const filter = signal('')

export function Topics() {
  const all = topology.value?.topics ?? []
  const shown = all.filter(topic => topic.name.includes(filter.value.trim()))
  return (
    <section id="topics" aria-labelledby="topics-title">
      <div class="head">
        <h2 id="topics-title">Topics</h2>
        <p class="muted">
          {shown.length} of {all.length}
        </p>
      </div>
      <div class="tools">
        <input
          type="search"
          placeholder="filter"
          aria-label="Filter topics"
          value={filter.value}
          onInput={event => (filter.value = event.currentTarget.value)}
        />
      </div>
      {all.length === 0 ? (
        <p class="muted">
          There is no topic yet. To make one:{' '}
          <code>bin/kafka-topics.sh --create --bootstrap-server 127.0.0.1:9092 --topic orders</code>
        </p>
      ) : (
        <ul class="topics">
          {shown.map(topic => (
            <Topic key={topic.name} topic={topic} />
          ))}
        </ul>
      )}
    </section>
  )
}

function Topic({ topic }: { topic: TopicView }) {
  const { partitions } = topic
  const records = partitions.every(p => p.endOffset >= 0)
    ? partitions.reduce((sum, p) => sum + p.endOffset, 0)
    : undefined
  const offline = partitions.filter(p => p.leader < 0).length
  const behind = partitions.filter(p => p.isr.length < p.replicas.length).length
  return (
    <li>
      <details>
        <summary>
          <span class="name">{topic.name}</span>
          <span class="facts">
            {offline > 0 ? <span class="badge bad">✕ {offline} without leader</span> : null}
            {behind > 0 ? <span class="badge warn">△ {behind} not in sync</span> : null}
            <span class="muted">
              {partitions.length} {partitions.length === 1 ? 'partition' : 'partitions'} ×{' '}
              {partitions[0]?.replicas.length ?? 0}
            </span>
            <span class="number mono" title="records written">
              {count(records)}
            </span>
          </span>
        </summary>
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th class="number">partition</th>
                <th class="number">leader</th>
                <th>replicas</th>
                <th>in sync</th>
                <th class="number">end offset</th>
              </tr>
            </thead>
            <tbody>
              {partitions.map(p => (
                <tr key={p.partition}>
                  <td class="number">{p.partition}</td>
                  <td class="number">{p.leader < 0 ? 'none' : p.leader}</td>
                  <td class="mono">{p.replicas.join(' ')}</td>
                  <td class="mono">{p.isr.join(' ')}</td>
                  <td class="number mono">{count(p.endOffset < 0 ? undefined : p.endOffset)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </li>
  )
}

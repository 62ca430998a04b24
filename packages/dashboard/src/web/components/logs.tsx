import { signal } from '@preact/signals'
import type { LogEntry } from '../../api.ts'
import { time } from '../format.ts'
import { logs } from '../store.ts'

const filter = signal('')
const level = signal('INFO')
/** While paused: what is shown; new entries are only counted. */
const paused = signal<LogEntry[] | null>(null)

const ranks: Record<string, number> = { TRACE: 0, DEBUG: 1, INFO: 2, WARN: 3, ERROR: 4, FATAL: 5 }
const shownAtMost = 300

function matches(entry: LogEntry): boolean {
  if ((ranks[entry.level] ?? 5) < ranks[level.value]!) return false
  const wanted = filter.value.trim().toLowerCase()
  return wanted === '' || `${entry.server} ${entry.class} ${entry.message}`.toLowerCase().includes(wanted)
}

export function Logs() {
  const source = paused.value ?? logs.value
  const shown = source.filter(matches).slice(-shownAtMost).reverse()
  const newest = paused.value?.at(-1)?.seq ?? 0
  const missed = paused.value === null ? 0 : logs.value.filter(entry => entry.seq > newest).length
  return (
    <section id="logs" aria-labelledby="logs-title">
      <div class="head">
        <h2 id="logs-title">Logs</h2>
        <p class="muted">
          topic <code>zookeeper-logs</code>, newest first
        </p>
      </div>
      <div class="tools">
        <input
          type="search"
          placeholder="filter by server, class, message"
          aria-label="Filter logs"
          value={filter.value}
          onInput={event => (filter.value = event.currentTarget.value)}
        />
        <select
          aria-label="Lowest level"
          value={level.value}
          onChange={event => (level.value = event.currentTarget.value)}
        >
          {['INFO', 'WARN', 'ERROR'].map(name => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <button
          type="button"
          aria-pressed={paused.value !== null}
          onClick={() => (paused.value = paused.value === null ? logs.value : null)}
        >
          {paused.value === null ? 'pause' : `go on${missed > 0 ? ` (${missed} new)` : ''}`}
        </button>
      </div>
      {logs.value.length === 0 ? (
        <p class="muted">No log line has come yet; the monitor sends them as the servers write them.</p>
      ) : null}
      <ol class="log">
        {shown.map(entry => (
          <li key={entry.seq} class={`level-${entry.level}`}>
            <time class="muted">{time(entry.ts)}</time>
            <span class="server">{entry.server}</span>
            <span class="level">{entry.level}</span>
            <span class="class muted">{entry.class}</span>
            <span class="message">
              {entry.message}
              {entry.stack ? <pre>{entry.stack}</pre> : null}
            </span>
          </li>
        ))}
      </ol>
    </section>
  )
}

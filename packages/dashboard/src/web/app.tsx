import { AlertList } from './components/alerts.tsx'
import { Brokers } from './components/brokers.tsx'
import { Charts } from './components/charts.tsx'
import { Ensemble } from './components/ensemble.tsx'
import { Logs } from './components/logs.tsx'
import { ThemeSwitch } from './components/theme.tsx'
import { Topics } from './components/topics.tsx'
import { cluster, firing, isLive } from './store.ts'

const sections = [
  ['ensemble', 'Ensemble'],
  ['alerts', 'Alerts'],
  ['charts', 'Charts'],
  ['brokers', 'Brokers'],
  ['topics', 'Topics'],
  ['logs', 'Logs'],
] as const

/** One page: everything an operator looks at, worst news first. */
export function App() {
  const count = firing.value.length
  document.title = count > 0 ? `(${count}) Vivarium` : 'Vivarium'
  return (
    <>
      <header class="top">
        <div class="brand">
          <img src="/icon.svg" alt="" width="22" height="22" />
          <strong>Vivarium</strong>
          <span class="muted">{cluster}</span>
        </div>
        <nav aria-label="Sections">
          {sections.map(([id, name]) => (
            <a key={id} href={`#${id}`}>
              {name}
              {id === 'alerts' && count > 0 ? <span class="count">{count}</span> : null}
            </a>
          ))}
        </nav>
        <div class="status">
          <output class={isLive.value ? 'live' : 'live stale'}>
            {isLive.value ? '● live' : '◌ no data: what you see is old'}
          </output>
          <ThemeSwitch />
        </div>
      </header>
      <main>
        <Ensemble />
        <AlertList />
        <Charts />
        <div class="two">
          <Brokers />
          <Topics />
        </div>
        <Logs />
      </main>
    </>
  )
}

import { computed, type Signal, signal } from '@preact/signals'
import type {
  LogEntry,
  Sample,
  ServerView,
  Snapshot,
  ThroughputSample,
  TopologyView,
  Update,
} from '../api.ts'

type Alert = Snapshot['alerts'][number]

const maxLogs = 500
const maxSamples = 5400
/** The server is heard from every two seconds at least; silence for longer means that what is shown is old. */
const staleMs = 4500

export const cluster: Signal<string> = signal('')
export const servers: Signal<ServerView[]> = signal([])
export const topology: Signal<TopologyView | null> = signal(null)
export const logs: Signal<LogEntry[]> = signal([])
export const alerts: Signal<Alert[]> = signal([])
export const history: Signal<Alert[]> = signal([])
export const samples: Signal<Sample[]> = signal([])
export const throughput: Signal<ThroughputSample[]> = signal([])
export const isLive: Signal<boolean> = signal(false)
export const nowMs: Signal<number> = signal(Date.now())

export const firing = computed(() => alerts.value.filter(alert => alert.state === 'firing'))
export const pending = computed(() => alerts.value.filter(alert => alert.state === 'pending'))

function takeSnapshot(snapshot: Snapshot): void {
  cluster.value = snapshot.cluster
  servers.value = snapshot.servers
  topology.value = snapshot.topology
  logs.value = snapshot.logs
  alerts.value = snapshot.alerts
  history.value = snapshot.history
  samples.value = snapshot.samples
  throughput.value = snapshot.throughput
  nowMs.value = snapshot.nowMs
}

function takeUpdate(update: Update): void {
  if (update.servers) servers.value = update.servers
  if (update.topology) topology.value = update.topology
  if (update.logs) logs.value = [...logs.value, ...update.logs].slice(-maxLogs)
  if (update.alerts) alerts.value = update.alerts
  if (update.history) history.value = update.history
  if (update.samples) samples.value = [...samples.value, ...update.samples].slice(-maxSamples)
  if (update.throughput) throughput.value = [...throughput.value, ...update.throughput].slice(-maxSamples)
  nowMs.value = update.nowMs
}

/** Follows the stream of changes; the browser opens it again by itself when it breaks. */
export function connect(): void {
  const events = new EventSource('/api/events')
  let heardMs = performance.now()
  const heard = () => {
    heardMs = performance.now()
    isLive.value = true
  }
  events.addEventListener('snapshot', event => {
    takeSnapshot(JSON.parse(event.data))
    heard()
  })
  events.addEventListener('update', event => {
    takeUpdate(JSON.parse(event.data))
    heard()
  })
  events.addEventListener('beat', event => {
    nowMs.value = Number(event.data)
    heard()
  })
  setInterval(() => {
    if (performance.now() - heardMs > staleMs) isLive.value = false
  }, 500)
}

import type { AlertRecord, LogRecord, MetricsRecord } from '@vivarium/monitor'
import type { LogEntry, Sample, Snapshot, ThroughputSample, TopologyView, Update } from '../api.ts'

const maxLogs = 500
const maxHistory = 200
/** Half an hour of looks at three servers, one a second. */
const maxSamples = 5400
const maxThroughput = 1800

/**
 * What the page shows, as of now: fed with records and topologies, asked for all of it or for what changed. Pure.
 */
export class DashboardState {
  readonly #cluster: string
  readonly #servers: Map<string, { name: string; address: string; metrics: MetricsRecord | null }>
  #topology: TopologyView = {
    clusterId: '',
    brokers: [],
    topics: [],
    error: 'The brokers have not answered yet.',
  }
  #logs: LogEntry[] = []
  #nextSeq = 0
  readonly #alerts = new Map<string, AlertRecord>()
  #history: AlertRecord[] = []
  #samples: Sample[] = []
  #throughput: ThroughputSample[] = []
  #endOffsets: { ts: number; sum: number } | null = null
  #changed: Update = { nowMs: 0 }

  constructor(cluster: string, servers: readonly { name: string; address: string }[]) {
    this.#cluster = cluster
    this.#servers = new Map(servers.map(({ name, address }) => [name, { name, address, metrics: null }]))
  }

  addLog(record: LogRecord): void {
    const entry = { ...record, seq: this.#nextSeq++ }
    this.#logs.push(entry)
    if (this.#logs.length > maxLogs * 2) this.#logs = this.#logs.slice(-maxLogs)
    this.#changed.logs = [...(this.#changed.logs ?? []), entry].slice(-maxLogs)
  }

  addMetrics(record: MetricsRecord): void {
    const server = this.#servers.get(record.server) ?? { name: record.server, address: '', metrics: null }
    const before = server.metrics
    if (before !== null && record.ts <= before.ts) return
    server.metrics = record
    this.#servers.set(record.server, server)
    this.#changed.servers = [...this.#servers.values()]
    if (record.role === 'down') return
    const {
      avg_latency = 0,
      num_alive_connections = 0,
      outstanding_requests = 0,
      packets_received = 0,
    } = record.values
    const seconds = before === null ? 0 : (record.ts - before.ts) / 1000
    // A server that started anew counts from zero: what it lost is no rate.
    const received =
      before === null
        ? 0
        : Math.max(0, packets_received - (before.values.packets_received ?? packets_received))
    const sample: Sample = {
      ts: record.ts,
      server: record.server,
      avgLatency: avg_latency,
      connections: num_alive_connections,
      outstanding: outstanding_requests,
      requests: seconds > 0 ? received / seconds : 0,
    }
    this.#samples.push(sample)
    if (this.#samples.length > maxSamples * 1.2) this.#samples = this.#samples.slice(-maxSamples)
    this.#changed.samples = [...(this.#changed.samples ?? []), sample]
  }

  /** The newest state of an alert; null takes it away. */
  setAlert(fingerprint: string, alert: AlertRecord | null): void {
    if (alert === null) this.#alerts.delete(fingerprint)
    else this.#alerts.set(fingerprint, alert)
    this.#changed.alerts = [...this.#alerts.values()]
  }

  addHistory(alert: AlertRecord): void {
    if (this.#history.some(known => known.id === alert.id)) return
    this.#history.push(alert)
    this.#history.sort((a, b) => b.ts - a.ts)
    this.#history.length = Math.min(this.#history.length, maxHistory)
    this.#changed.history = this.#history
  }

  setTopology(topology: TopologyView, nowMs: number): void {
    this.#topology = topology
    this.#changed.topology = topology
    const sum = topology.topics
      .flatMap(topic => topic.partitions)
      .reduce((total, partition) => total + Math.max(0, partition.endOffset), 0)
    const before = this.#endOffsets
    this.#endOffsets = { ts: nowMs, sum }
    if (before === null || nowMs <= before.ts) return
    const sample = {
      ts: nowMs,
      recordsPerSecond: Math.max(0, (sum - before.sum) / ((nowMs - before.ts) / 1000)),
    }
    this.#throughput.push(sample)
    if (this.#throughput.length > maxThroughput) this.#throughput.shift()
    this.#changed.throughput = [...(this.#changed.throughput ?? []), sample]
  }

  /** The brokers do not answer: what they said last stays, with the reason beside it. */
  topologyFailed(error: string): void {
    if (this.#topology.error === error) return
    this.#topology = { ...this.#topology, error }
    this.#changed.topology = this.#topology
  }

  snapshot(nowMs: number): Snapshot {
    return {
      cluster: this.#cluster,
      nowMs,
      servers: [...this.#servers.values()],
      topology: this.#topology,
      logs: this.#logs.slice(-maxLogs),
      alerts: [...this.#alerts.values()],
      history: this.#history,
      samples: this.#samples,
      throughput: this.#throughput,
    }
  }

  /** What changed since this was called last; null if nothing did. */
  takeUpdate(nowMs: number): Update | null {
    const changed = this.#changed
    this.#changed = { nowMs: 0 }
    return Object.keys(changed).length === 1 ? null : { ...changed, nowMs }
  }
}

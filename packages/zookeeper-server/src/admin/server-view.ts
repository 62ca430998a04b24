import { arch, homedir, hostname, platform, release, userInfo } from 'node:os'
import type { ClientConnection } from '../connection.ts'
import type { Database } from '../database.ts'
import type { QuorumPeer } from '../quorum/quorum-peer.ts'
import type { ReadOnlyServing } from '../read-only-serving.ts'
import type { Serving } from '../serving.ts'
import type { ServerSettings } from '../settings.ts'
import type { ServerStats, Summary } from '../stats.ts'
import type { Watches } from '../watches.ts'
import { decimal } from './four-letter-words.ts'
import { versionText } from './version.ts'
import type { AdminView } from './view.ts'

interface Parts {
  database: Database
  serving: Serving | ReadOnlyServing | null
  peer: QuorumPeer | null
  settings: ServerSettings
  stats: ServerStats
  connections: ClientConnection[]
  outstanding: number
  uptimeMs: number
}

/** What operators see of a server, read off it at the moment they ask. */
export class ServerView implements AdminView {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  isServing(): boolean {
    return this.#parts.serving !== null
  }

  connections(): ClientConnection[] {
    return this.#parts.connections
  }

  watches(): Watches {
    return this.#parts.database.watches
  }

  summary(): ReturnType<AdminView['summary']> {
    const { stats, database, serving, connections, outstanding, peer } = this.#parts
    return {
      latency: stats.latencyMs,
      received: stats.packetsReceived,
      sent: stats.packetsSent,
      connections: connections.length,
      outstanding,
      zxid: database.tree.lastProcessedZxid,
      mode: serving?.role ?? 'looking',
      nodeCount: database.tree.nodeCount,
      proposalSizes: peer?.proposalSizes ?? { last: -1, min: -1, max: -1 },
    }
  }

  monitor(): [string, string | number][] {
    const { stats, database, serving, connections, outstanding, uptimeMs, peer } = this.#parts
    const { latencyMs } = stats
    const { tree, syncTimes } = database
    const rows: [string, string | number][] = [
      ['version', versionText],
      ['server_state', serving?.role ?? 'looking'],
    ]
    if (peer !== null) rows.push(['peer_state', peer.stateText])
    const observerMaster = peer?.observerMaster ?? null
    if (observerMaster !== null) rows.push(['observer_master_id', String(observerMaster)])
    rows.push(
      ['ephemerals_count', tree.ephemeralCount],
      ['num_alive_connections', connections.length],
      ['avg_latency', decimal(latencyMs.average)],
      ['min_latency', Math.round(latencyMs.min)],
      ['max_latency', Math.round(latencyMs.max)],
      ['outstanding_requests', outstanding],
      ['znode_count', tree.nodeCount],
      ['watch_count', database.watches.count],
      ['global_sessions', database.sessions.size],
      ['local_sessions', 0],
      ['packets_sent', stats.packetsSent],
      ['packets_received', stats.packetsReceived],
      ['bytes_received_count', stats.bytesReceived],
      ['approximate_data_size', tree.dataSizeBytes],
      ['open_file_descriptor_count', openDescriptors()],
      ['max_file_descriptor_count', maxDescriptors()],
      ['uptime', Math.round(uptimeMs)],
      ['last_client_response_size', stats.lastResponseBytes],
      ['max_client_response_size', stats.responseBytes.count === 0 ? -1 : stats.responseBytes.max],
      ['min_client_response_size', stats.responseBytes.count === 0 ? -1 : stats.responseBytes.min],
      ['response_bytes', stats.responseBytes.sum],
      ['auth_failed_count', stats.authFailures],
      ['connection_request_count', stats.connectionRequests],
      ['connection_rejected', stats.connectionsRejected],
      ['connection_drop_count', stats.connectionsDropped],
      ['sessionless_connections_expired', stats.sessionlessExpired],
      ['stale_sessions_expired', stats.staleSessionsExpired],
      ['large_requests_rejected', stats.oversizedRequests],
      ['request_throttle_wait_count', stats.requestsThrottled],
      ['throttled_ops', stats.throttledOperations],
      ['stale_requests', stats.staleRequests],
      ['stale_requests_dropped', stats.staleRequestsDropped],
      ['commit_count', stats.commits],
      ['looking_count', stats.lookings],
      ['digest_mismatches_count', stats.digestMismatches],
      ['snap_count', stats.snapshots],
      ['snapshot_error_count', stats.snapshotErrors],
      ['unrecoverable_error_count', stats.unrecoverableErrors],
      ['event_loop_heap_used', process.memoryUsage().heapUsed],
    )
    if (peer !== null) rows.push(...peer.monitor())
    rows.push(
      ...summaryRows('fsynctime', {
        count: syncTimes.count,
        sum: syncTimes.totalMs,
        min: 0,
        max: syncTimes.maxMs,
      }),
    )
    rows.push(...summaryRows('snapshottime', stats.snapshotMs))
    rows.push(...summaryRows('dbinittime', stats.loadMs))
    rows.push(...summaryRows('election_time', stats.electionMs))
    rows.push(...summaryRows('unavailable_time', stats.unavailableMs))
    return rows
  }

  async configuration(): Promise<[string, string | number][]> {
    const { settings, database, peer } = this.#parts
    const { values, client, quorum } = settings
    const { data, log } = await database.sizesBytes()
    const rows: [string, string | number][] = [
      ['clientPort', peer?.own.client?.port ?? client?.port ?? -1],
      ['secureClientPort', -1],
      ['dataDir', database.folders.snapshots],
      ['dataDirSize', data],
      ['dataLogDir', database.folders.logs],
      ['dataLogSize', log],
      ['tickTime', values.tickTime],
      ['maxClientCnxns', values.maxClientCnxns],
      ['minSessionTimeout', settings.minSessionTimeoutMs],
      ['maxSessionTimeout', settings.maxSessionTimeoutMs],
      ['clientPortListenBacklog', values.clientPortListenBacklog],
      ['serverId', Number(quorum?.sid ?? 0n)],
    ]
    if (peer === null) return rows
    const { own } = peer
    return [
      ...rows,
      ['initLimit', values.initLimit!],
      ['syncLimit', values.syncLimit!],
      ['electionAlg', values.electionAlg],
      ['electionPort', own.endpoints[0]!.electionPort],
      ['quorumPort', own.endpoints[0]!.quorumPort],
      ['peerType', own.isObserver ? 1 : 0],
    ]
  }

  membership(): string {
    const { peer } = this.#parts
    return peer === null ? '' : `membership: \n${peer.membership.text}`
  }

  sessions(): ReturnType<AdminView['sessions']> {
    const { serving, database, connections } = this.#parts
    let expiring: Map<string, bigint[]> | null = null
    if (serving?.tracker != null) {
      expiring = new Map()
      const offsetMs = Date.now() - performance.now()
      for (const session of serving.tracker.all()) {
        const at = new Date(offsetMs + session.expiresAtMs).toString()
        const together = expiring.get(at)
        if (together === undefined) expiring.set(at, [session.id])
        else together.push(session.id)
      }
    }
    return { expiring, sessions: database.sessions, ephemerals: database.tree.ephemerals, connections }
  }

  dataSizes(): Promise<{ data: number; log: number }> {
    return this.#parts.database.sizesBytes()
  }

  resetStats(): void {
    this.#parts.stats.reset()
  }

  environment(): [string, string][] {
    const { rss } = process.memoryUsage()
    return [
      ['zookeeper.version', versionText],
      ['host.name', hostname()],
      ['java.version', `none (Node ${process.version})`],
      ['os.name', platform()],
      ['os.arch', arch()],
      ['os.version', release()],
      ['user.name', userInfo().username],
      ['user.home', homedir()],
      ['user.dir', process.cwd()],
      ['os.memory.total', `${Math.round(rss / 1024 / 1024)}MB`],
    ]
  }
}

function summaryRows(
  name: string,
  summary: Pick<Summary, 'count' | 'sum' | 'min' | 'max'>,
): [string, string | number][] {
  const average = summary.count === 0 ? 0 : summary.sum / summary.count
  return [
    [`avg_${name}`, decimal(average)],
    [`min_${name}`, Math.round(summary.min)],
    [`max_${name}`, Math.round(summary.max)],
    [`cnt_${name}`, summary.count],
    [`sum_${name}`, Math.round(summary.sum)],
  ]
}

/** −1 where the system does not tell. */
function openDescriptors(): number {
  try {
    return process.getBuiltinModule('node:fs').readdirSync('/proc/self/fd').length
  } catch {
    return -1
  }
}

function maxDescriptors(): number {
  try {
    const limits = process.getBuiltinModule('node:fs').readFileSync('/proc/self/limits', 'utf8')
    return Number(/^Max open files\s+(\d+)/m.exec(limits)?.[1] ?? -1)
  } catch {
    return -1
  }
}

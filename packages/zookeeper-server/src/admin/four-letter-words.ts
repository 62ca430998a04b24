import { formatZxid } from '@vivarium/zookeeper-protocol'
import type { ClientConnection } from '../connection.ts'
import type { Watcher } from '../watches.ts'
import { versionText } from './version.ts'
import type { AdminView } from './view.ts'

type Word = (view: AdminView) => string | Promise<string>

const notServing = 'This ZooKeeper instance is not currently serving requests\n'

/** Words that are answered even by a server that serves nobody. */
const always: Record<string, Word> = {
  ruok: () => 'imok',
  isro: view => {
    const { mode } = view.summary()
    return mode === 'read-only' ? 'ro' : mode === 'looking' ? 'null' : 'rw'
  },
  envi: view =>
    `Environment:\n${view
      .environment()
      .map(([key, value]) => `${key}=${value}\n`)
      .join('')}`,
}

const whileServing: Record<string, Word> = {
  srvr: view => `${head(view)}${summary(view)}`,
  stat: view =>
    `${head(view)}Clients:\n${view
      .connections()
      .map(c => ` ${brief(c)}\n`)
      .join('')}\n${summary(view)}`,
  mntr: view =>
    view
      .monitor()
      .map(([key, value]) => `zk_${key}\t${value}\n`)
      .join(''),
  conf: async view => {
    const rows = await view.configuration()
    return rows.map(([key, value]) => `${key}=${value}\n`).join('') + view.membership()
  },
  cons: view =>
    `${view
      .connections()
      .map(c => ` ${detailed(c)}\n`)
      .join('')}\n`,
  dump: view => dump(view),
  wchs: view => {
    const { data } = view.watches()
    return `${data.watchers.size} connections watching ${data.pathCount} paths\nTotal watches:${data.count}\n`
  },
  wchc: view => {
    const rows = [...view.watches().data.watchers].map(
      ([watcher, paths]) => `${sessionOf(watcher)}\n${[...paths].map(p => `\t${p}\n`).join('')}`,
    )
    return `${rows.join('')}\n`
  },
  wchp: view => {
    const rows = [...view.watches().data.paths].map(
      ([path, watchers]) => `${path}\n${[...watchers.keys()].map(w => `\t${sessionOf(w)}\n`).join('')}`,
    )
    return `${rows.join('')}\n`
  },
  dirs: async view => {
    const { data, log } = await view.dataSizes()
    return `datadir_size: ${data}\nlogdir_size: ${log}\n`
  },
  srst: view => {
    view.resetStats()
    return 'Server stats reset.\n'
  },
  crst: view => {
    for (const connection of view.connections()) connection.resetStats()
    return 'Connection stats reset.\n'
  },
}

const known = new Set([...Object.keys(always), ...Object.keys(whileServing), 'gtmk', 'stmk', 'hash'])

export function isFourLetterWord(word: string): boolean {
  return known.has(word)
}

/** The answer to a word, `whitelist` (null: all) permitting. */
export function answerWord(
  word: string,
  view: AdminView,
  whitelist: ReadonlySet<string> | null,
): string | Promise<string> {
  if (whitelist !== null && !whitelist.has(word))
    return `${word} is not executed because it is not in the whitelist.\n`
  const answer = always[word] ?? (view.isServing() ? whileServing[word] : () => notServing)
  return answer === undefined ? `${word} is not served by this server.\n` : answer(view)
}

function head(view: AdminView): string {
  const isReadOnly = view.summary().mode === 'read-only'
  return `Zookeeper version: ${versionText}\n${isReadOnly ? 'READ-ONLY mode; serving only read-only clients\n' : ''}`
}

function summary(view: AdminView): string {
  const { latency, received, sent, connections, outstanding, zxid, mode, nodeCount, proposalSizes } =
    view.summary()
  const lines = [
    `Latency min/avg/max: ${Math.round(latency.min)}/${decimal(latency.average)}/${Math.round(latency.max)}`,
    `Received: ${received}`,
    `Sent: ${sent}`,
    `Connections: ${connections}`,
    `Outstanding: ${outstanding}`,
    `Zxid: 0x${formatZxid(zxid)}`,
    `Mode: ${mode}`,
    `Node count: ${nodeCount}`,
  ]
  if (mode === 'leader')
    lines.push(`Proposal sizes last/min/max: ${proposalSizes.last}/${proposalSizes.min}/${proposalSizes.max}`)
  return `${lines.join('\n')}\n`
}

function brief(c: ClientConnection): string {
  return `${c.remoteText}[${c.isReadable ? 1 : 0}](queued=${c.outstanding},recved=${c.received},sent=${c.sent})`
}

function detailed(c: ClientConnection): string {
  const counts = `${c.remoteText}[${c.isReadable ? 1 : 0}](queued=${c.outstanding},recved=${c.received},sent=${c.sent}`
  if (!c.hasSession) return `${counts})`
  const { latencyMs, lastXid, lastZxid, lastMs, lastLatencyMs, lastOperation } = c.answers
  const xid = lastXid >= 0 ? `,lcxid=0x${lastXid.toString(16)}` : ''
  const latencies = `llat=${Math.round(lastLatencyMs)},minlat=${Math.round(latencyMs.min)},avglat=${Math.round(latencyMs.average)},maxlat=${Math.round(latencyMs.max)}`
  return (
    `${counts},sid=0x${formatZxid(c.sessionId)},lop=${lastOperation},est=${c.establishedWallMs},to=${c.sessionTimeoutMs}${xid}` +
    `,lzxid=0x${formatZxid(lastZxid)},lresp=${Math.round(lastMs)},${latencies})`
  )
}

function dump(view: AdminView): string {
  const { expiring, sessions, ephemerals, connections } = view.sessions()
  let text = 'SessionTracker dump:\n'
  if (expiring !== null) {
    const count = [...expiring.values()].reduce((sum, ids) => sum + ids.length, 0)
    text += `Session Sets (${expiring.size})/(${count}):\n`
    for (const [expiresAt, ids] of expiring)
      text += `${ids.length} expire at ${expiresAt}:\n${ids.map(hexLine).join('')}`
  } else {
    text += `Global Sessions(${sessions.size}):\n`
    for (const [id, timeoutMs] of sessions) text += `0x${formatZxid(id)}\t${timeoutMs}ms\n`
  }
  text += `ephemeral nodes dump:\nSessions with Ephemerals (${ephemerals.size}):\n`
  for (const [id, paths] of ephemerals)
    text += `0x${formatZxid(id)}:\n${[...paths].map(path => `\t${path}\n`).join('')}`
  return `${text}Connections dump:\nConnections Sets (1)/(${connections.length}):\n${connections.map(c => `\t${c.remoteText}\n`).join('')}`
}

function hexLine(id: bigint): string {
  return `\t0x${formatZxid(id)}\n`
}

function sessionOf(watcher: Watcher): string {
  return `0x${formatZxid((watcher as ClientConnection).sessionId)}`
}

/** At most four decimals, at least one: `0.0`, `6.6193`. */
export function decimal(value: number): string {
  const text = String(Math.round(value * 10_000) / 10_000)
  return text.includes('.') ? text : `${text}.0`
}

/** Reads the answers of coordination servers to `mntr` and `srvr`. */
import type { MetricsRecord, ServerRole } from '../records.ts'

export interface ScrapeAnswers {
  srvr: string
  mntr: string
}

const notServing = /not currently serving requests/
const notAllowed = /^\w{4} is not executed because it is not in the whitelist/

/** Role, numbers and what is missing, out of both answers. */
export function readAnswers({ srvr, mntr }: ScrapeAnswers): Pick<MetricsRecord, 'role' | 'values' | 'error'> {
  if (notServing.test(srvr) || notServing.test(mntr)) return { role: 'looking', values: {} }
  const server = readSrvr(srvr)
  const values = readMntr(mntr)
  const state = /^zk_server_state\t(\S+)$/m.exec(mntr)?.[1]
  const role = asRole(server.mode ?? state)
  if (server.zxid !== null) {
    values.zxid_epoch = Number(server.zxid >> 32n)
    values.zxid_counter = Number(server.zxid & 0xffffffffn)
  }
  const problems: string[] = []
  for (const [word, answer] of [
    ['srvr', srvr],
    ['mntr', mntr],
  ] as const) {
    if (notAllowed.test(answer)) problems.push(`${word} is not in 4lw.commands.whitelist of this server`)
    else if (answer.trim() === '') problems.push(`an empty answer to ${word}`)
  }
  if (role === null) problems.push('no role in the answers')
  return {
    role: role ?? 'looking',
    values,
    ...(problems.length === 0 ? {} : { error: problems.join('; ') }),
  }
}

export interface SrvrAnswer {
  version: string | null
  mode: string | null
  zxid: bigint | null
  connections: number | null
  nodeCount: number | null
}

/** Fields of a `srvr` answer; null for each that is not there. */
export function readSrvr(text: string): SrvrAnswer {
  const field = (name: string) => new RegExp(`^${name}: (\\S+)`, 'm').exec(text)?.[1] ?? null
  const number = (name: string) => {
    const value = field(name)
    return value === null ? null : Number(value)
  }
  const zxid = field('Zxid')
  return {
    version: /^Zookeeper version: ([^,\n]+)/m.exec(text)?.[1] ?? null,
    mode: field('Mode'),
    zxid: zxid !== null && /^0x[0-9a-f]{1,16}$/i.test(zxid) ? BigInt(zxid) : null,
    connections: number('Connections'),
    nodeCount: number('Node count'),
  }
}

/**
 * Numbers of a `mntr` answer, without `zk_`. Left out: summaries that never had a sample, their medians and minima, and
 * the sets per namespace. What remains is a fifth of the answer and all that a chart or a rule asks for.
 */
export function readMntr(text: string): Record<string, number> {
  const all = new Map<string, number>()
  for (const line of text.split('\n')) {
    const tab = line.indexOf('\t')
    if (tab < 0 || !line.startsWith('zk_')) continue
    const value = Number(line.slice(tab + 1))
    if (Number.isFinite(value)) all.set(line.slice(3, tab), value)
  }
  const values: Record<string, number> = {}
  for (const [name, value] of all) {
    if (name.endsWith('_per_namespace')) continue
    const summary = /^(avg|min|max|cnt|sum|p50|p95|p99|p999)_(.+)$/.exec(name)
    if (summary !== null && all.has(`cnt_${summary[2]}`)) {
      if (all.get(`cnt_${summary[2]}`) === 0) continue
      if (summary[1] === 'min' || summary[1] === 'p50' || summary[1] === 'p999') continue
    }
    values[name] = value
  }
  return values
}

function asRole(mode: string | null | undefined): ServerRole | null {
  switch (mode) {
    case 'leader':
    case 'follower':
    case 'observer':
    case 'standalone':
    case 'read-only':
      return mode
    default:
      return null
  }
}

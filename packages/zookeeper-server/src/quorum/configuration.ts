import { type Address, ConfigError, formatAddress, type Property, parseProperties } from '@vivarium/platform'
import { hierarchical, majority, type QuorumRule, type Sid } from '@vivarium/zab/quorum'
import { formatZxid, opCode } from '@vivarium/zookeeper-protocol'
import { decodeEntry } from '../txn.ts'

/** One `server.N` line. */
export interface Peer {
  sid: Sid
  /** Where it is found by the others: at least one, in the order of the hosts (`multiAddress.enabled`). */
  endpoints: readonly Endpoint[]
  isObserver: boolean
  /** null when the client port stands in a line of its own. */
  client: Address | null
}

export interface Endpoint {
  host: string
  quorumPort: number
  electionPort: number
}

export function quorumAddresses({ endpoints }: Peer): Address[] {
  return endpoints.map(({ host, quorumPort }) => ({ host, port: quorumPort }))
}

export function electionAddresses({ endpoints }: Peer): Address[] {
  return endpoints.map(({ host, electionPort }) => ({ host, port: electionPort }))
}

/** The members of an ensemble, and how they decide. */
export interface Configuration {
  /** zxid of the transaction that made it; 0 for one that people wrote and no ensemble has agreed on. */
  version: bigint
  peers: readonly Peer[]
  /** Members of each group; empty for plain majorities. */
  groups: ReadonlyMap<bigint, readonly Sid[]>
  weights: ReadonlyMap<Sid, number>
}

/** Whether a line of a configuration file is about the members. */
export function isMemberKey(key: string): boolean {
  return /^(server|group|weight)\.\d+$/.test(key)
}

export function peerOf(configuration: Configuration, sid: Sid): Peer | null {
  return configuration.peers.find(peer => peer.sid === sid) ?? null
}

/** Whether who leads cannot go on in another configuration: not as a voter, or not where its learners are connected. */
export function isDisplaced(before: Peer | null, after: Peer | null): boolean {
  if (before === null || after === null || after.isObserver) return true
  const listens = (peer: Peer) => quorumAddresses(peer).map(formatAddress).join()
  return listens(after) !== listens(before)
}

export function votersOf(configuration: Configuration): Peer[] {
  return configuration.peers.filter(peer => !peer.isObserver)
}

export function ruleOf(configuration: Configuration): QuorumRule {
  const { groups, weights } = configuration
  return groups.size > 0
    ? hierarchical(groups.values(), weights)
    : majority(votersOf(configuration).map(peer => peer.sid))
}

/** Whether one configuration follows another, with other members. One that only got its first number is no other. */
export function isSuccessor(next: Configuration, current: Configuration): boolean {
  return next.version > current.version && memberLines(next).join() !== memberLines(current).join()
}

/** The members as clients read them, in the order of their numbers. Source: QuorumVerifier.toString. */
export function configurationText(configuration: Configuration): string {
  return [...memberLines(configuration), `version=${formatZxid(configuration.version)}`].join('\n')
}

export function memberLines({ peers, groups, weights }: Configuration): string[] {
  const lines = [...peers].sort((a, b) => (a.sid < b.sid ? -1 : 1)).map(peerLine)
  for (const [group, members] of groups) lines.push(`group.${group}=${members.join(':')}`)
  for (const [sid, weight] of weights) lines.push(`weight.${sid}=${weight}`)
  return lines
}

function peerLine({ sid, endpoints, isObserver, client }: Peer): string {
  const where = endpoints.map(
    ({ host, quorumPort, electionPort }) => `${formatAddress({ host, port: quorumPort })}:${electionPort}`,
  )
  const role = isObserver ? 'observer' : 'participant'
  return `server.${sid}=${where.join('|')}:${role}${client === null ? '' : `;${formatAddress(client)}`}`
}

/** Reads what `configurationText` wrote. Throws ConfigError. */
export function parseConfiguration(text: string, where = 'configuration'): Configuration {
  const properties = parseProperties(text, where)
  const version = properties.get('version')
  if (version !== undefined && !/^[0-9a-f]{1,16}$/i.test(version.value)) {
    throw new ConfigError({
      key: 'version',
      ...version,
      problem: 'is not a hexadecimal number',
      fix: 'restore the file',
    })
  }
  return readConfiguration(properties, version === undefined ? 0n : BigInt(`0x${version.value}`), where)
}

/** Whether a transaction's bytes are those of a reconfiguration. */
export function isReconfiguration(entry: Buffer): boolean {
  return entry.length >= 32 && entry.readInt32BE(28) === opCode.reconfig
}

/** The configuration that a reconfiguration's transaction makes. Throws ConfigError. */
export function configurationIn(entry: Buffer): Configuration {
  const { header, txn } = decodeEntry(entry)
  const text = txn.type === 'setData' ? (txn.data?.toString('utf8') ?? '') : ''
  return parseConfiguration(text, `transaction 0x${formatZxid(header.zxid)}`)
}

/** Reads the members from `server.N`, `group.N` and `weight.N` lines. Throws ConfigError naming line, problem and fix. */
export function readConfiguration(
  properties: ReadonlyMap<string, Property>,
  version: bigint,
  file: string,
): Configuration {
  const peers = [...properties]
    .filter(([key]) => key.startsWith('server.'))
    .map(([key, property]) => parsePeer(key, property))
  if (peers.length > 0 && peers.every(peer => peer.isObserver)) {
    throw new ConfigError({
      key: 'server.N',
      where: file,
      problem: 'lines name observers only',
      fix: 'name at least one participant',
    })
  }
  const groups = new Map<bigint, bigint[]>()
  const weights = new Map<bigint, number>()
  for (const [key, { value, where }] of properties) {
    const [kind] = key.split('.')
    if (kind === 'group') {
      if (!/^\s*\d{1,18}(\s*:\s*\d{1,18})*\s*$/.test(value))
        throw new ConfigError({
          key,
          value,
          where,
          problem: "is not a list of servers' numbers",
          fix: `write them with colons between, like ${key}=1:2:3`,
        })
      groups.set(
        numberOf(key, where),
        value.split(':').map(member => BigInt(member.trim())),
      )
    }
    if (kind === 'weight') {
      if (!/^\d{1,9}$/.test(value))
        throw new ConfigError({ key, value, where, problem: 'is not a weight', fix: 'give a whole number' })
      weights.set(numberOf(key, where), Number(value))
    }
  }
  const grouped = [...groups.values()].flat()
  const stranger = peers.find(
    peer => !peer.isObserver && grouped.filter(member => member === peer.sid).length !== 1,
  )
  if (groups.size > 0 && stranger !== undefined) {
    throw new ConfigError({
      key: `server.${stranger.sid}`,
      where: file,
      problem: 'is not in exactly one group',
      fix: 'name every participant in one group.N line',
    })
  }
  return { version, peers, groups, weights }
}

/** The N of `server.N`, `group.N` and `weight.N`. */
function numberOf(key: string, where: string): bigint {
  const [kind, number = ''] = key.split('.')
  if (!/^\d{1,18}$/.test(number))
    throw new ConfigError({ key, where, problem: 'has no number', fix: `write ${kind}.1, ${kind}.2 …` })
  return BigInt(number)
}

/** `host:quorumPort:electionPort[|host:…][:role][;[clientHost:]clientPort]` */
export function parsePeer(key: string, { value, where }: Property): Peer {
  const fail = (problem: string) =>
    new ConfigError({
      key,
      value,
      where,
      problem,
      fix: 'write host:quorumPort:electionPort[|host:quorumPort:electionPort …][:participant|:observer][;[clientHost:]clientPort]',
    })
  const [servers = '', client] = value.split(';')
  const roles = new Set<string>()
  const endpoints = servers.split('|').map((address): Endpoint => {
    const match = /^(\[[^\]]+\]|[^:]+):(\d+):(\d+)(?::(participant|observer))?$/i.exec(address.trim())
    if (match === null) throw fail('is not a server address')
    const [, host, quorumPort, electionPort, role] = match
    if (role !== undefined) roles.add(role.toLowerCase())
    return { host: plainHost(host!), quorumPort: Number(quorumPort), electionPort: Number(electionPort) }
  })
  if (roles.size > 1) throw fail('gives its addresses different roles')
  const clientMatch = client === undefined ? null : /^(?:(\[[^\]]+\]|[^:]+):)?(\d+)$/.exec(client.trim())
  if (client !== undefined && clientMatch === null) throw fail('has a client address that cannot be read')
  const peer: Peer = {
    sid: numberOf(key, where),
    endpoints: endpoints.sort((a, b) => (a.host < b.host ? -1 : 1)),
    isObserver: roles.has('observer'),
    client:
      clientMatch === null
        ? null
        : { host: plainHost(clientMatch[1] ?? '0.0.0.0'), port: Number(clientMatch[2]) },
  }
  const addresses = [...quorumAddresses(peer), ...electionAddresses(peer)]
  const ports = [...addresses, peer.client ?? { port: 1 }].map(({ port }) => port)
  if (ports.some(port => port < 1 || port > 65535)) throw fail('names a port outside 1..65535')
  if (new Set(addresses.map(formatAddress)).size < addresses.length) throw fail('has the same port twice')
  return peer
}

/** Whether some server is found at more than one address. */
export function hasSeveralAddresses({ peers }: Configuration): boolean {
  return peers.some(({ endpoints }) => endpoints.length > 1)
}

function plainHost(host: string): string {
  return host.replace(/^\[|\]$/g, '')
}

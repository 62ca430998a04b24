import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import {
  ConfigError,
  type ConfigValues,
  type Disk,
  type JvmFlags,
  type Property,
  parseProperties,
  readConfig,
} from '@vivarium/platform'
import { keys } from './settings-keys.ts'

/** One `server.N` line. */
export interface PeerAddress {
  sid: bigint
  host: string
  quorumPort: number
  electionPort: number
  isObserver: boolean
  /** null when the client port stands in a line of its own. */
  client: { host: string; port: number } | null
}

/** What a coordination server is to do, read and checked. */
export interface ServerSettings {
  /** Where it was read, for messages. */
  file: string
  values: ConfigValues<typeof keys>
  /** Folders, absolute. */
  dataDir: string
  dataLogDir: string
  client: { host: string; port: number; key: string } | null
  /** null for a server on its own. */
  quorum: {
    sid: bigint
    peers: readonly PeerAddress[]
    /** Group of each server and its weight; empty for plain majorities. */
    groups: ReadonlyMap<bigint, readonly bigint[]>
    weights: ReadonlyMap<bigint, number>
  } | null
  minSessionTimeoutMs: number
  maxSessionTimeoutMs: number
  /** Words answered; null: all. */
  fourLetterWords: ReadonlySet<string> | null
  /** One sentence for each key that was set and has no effect. */
  warnings: string[]
}

/**
 * Reads `zoo.cfg` and what it points to (dynamic configuration, myid). What was passed to the JVM that this server does not
 * need stands in for keys the file leaves out. Rejects with ConfigError naming file, line, key, problem and fix.
 */
export async function readSettings(
  disk: Disk,
  path: string,
  jvm: JvmFlags = { properties: new Map(), notes: [] },
): Promise<ServerSettings> {
  const file = basename(path)
  const properties = parseProperties(await readText(disk, path), file)
  const dynamic = properties.get('dynamicConfigFile')
  if (dynamic !== undefined) {
    const dynamicPath = isAbsolute(dynamic.value) ? dynamic.value : join(dirname(path), dynamic.value)
    for (const [key, property] of parseProperties(await readText(disk, dynamicPath), basename(dynamicPath))) {
      if (properties.has(key)) {
        throw new ConfigError({
          key,
          where: properties.get(key)!.where,
          problem: 'stands in the dynamic file too',
          fix: 'keep one of the two',
        })
      }
      properties.set(key, property)
    }
  }
  const settings = await checkSettings(
    disk,
    file,
    new Map([...withoutPrefix(jvm.properties), ...withoutPrefix(properties)]),
  )
  settings.warnings.unshift(...jvm.notes)
  return settings
}

async function checkSettings(
  disk: Disk,
  file: string,
  properties: ReadonlyMap<string, Property>,
): Promise<ServerSettings> {
  const isMember = (key: string) => /^(server|group|weight)\.\d+$/.test(key) || key === 'version'
  const { values, warnings } = readConfig(keys, properties, { isKnownOtherwise: isMember })
  const admin = properties.get('admin.enableServer')
  if (admin !== undefined && values['admin.enableServer'])
    warnings.push(`${admin.where}: admin.enableServer has no effect: the AdminServer is not served yet`)
  if (values.dataDir === null) {
    throw new ConfigError({
      key: 'dataDir',
      where: file,
      problem: 'is missing',
      fix: 'add dataDir=/some/folder',
    })
  }
  const dataDir = resolve(values.dataDir)
  const peers = [...properties]
    .filter(([key]) => key.startsWith('server.'))
    .map(([key, property]) => parsePeer(key, property))
  const voters = peers.filter(peer => !peer.isObserver)
  const isEnsemble = voters.length > 1 || (peers.length > 0 && !values.standaloneEnabled)
  if (peers.length > 0 && voters.length === 0) {
    throw new ConfigError({
      key: 'server.N',
      where: file,
      problem: 'lines name observers only',
      fix: 'name at least one participant',
    })
  }
  if (peers.length > 0 && !isEnsemble)
    warnings.push(`${file}: one server line alone: this server runs on its own, without a quorum`)
  const minSessionTimeoutMs = values.minSessionTimeout === -1 ? values.tickTime * 2 : values.minSessionTimeout
  const maxSessionTimeoutMs =
    values.maxSessionTimeout === -1 ? values.tickTime * 20 : values.maxSessionTimeout
  if (minSessionTimeoutMs > maxSessionTimeoutMs) {
    throw new ConfigError({
      key: 'minSessionTimeout',
      value: minSessionTimeoutMs,
      where: properties.get('minSessionTimeout')?.where ?? file,
      problem: `is larger than maxSessionTimeout (${maxSessionTimeoutMs})`,
      fix: 'lower it, or raise maxSessionTimeout',
    })
  }
  const quorum = isEnsemble ? await readQuorum(disk, file, dataDir, peers, values, properties) : null
  const own = quorum?.peers.find(peer => peer.sid === quorum.sid)
  return {
    file,
    values,
    dataDir,
    dataLogDir: values.dataLogDir === null ? dataDir : resolve(values.dataLogDir),
    client: clientAddress(values, own ?? null, properties),
    quorum,
    minSessionTimeoutMs,
    maxSessionTimeoutMs,
    fourLetterWords: parseWords(values['4lw.commands.whitelist'], values['readonlymode.enabled']),
    warnings,
  }
}

async function readQuorum(
  disk: Disk,
  file: string,
  dataDir: string,
  peers: PeerAddress[],
  values: ConfigValues<typeof keys>,
  properties: ReadonlyMap<string, Property>,
): Promise<NonNullable<ServerSettings['quorum']>> {
  for (const key of ['initLimit', 'syncLimit'] as const) {
    if (values[key] === null)
      throw new ConfigError({
        key,
        where: file,
        problem: 'is missing, and an ensemble needs it',
        fix: `add ${key}=10 (ticks)`,
      })
  }
  const myidFile = join(dataDir, 'myid')
  let text: string
  try {
    text = (await disk.readFile(myidFile)).toString('utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new ConfigError({
      key: 'myid',
      where: myidFile,
      problem: 'file is missing',
      fix: `write this server's number into it, one of ${peers.map(p => p.sid).join(', ')}`,
    })
  }
  if (!/^\d{1,18}$/.test(text)) {
    throw new ConfigError({
      key: 'myid',
      value: text,
      where: myidFile,
      problem: 'is not a number',
      fix: "write this server's number into it",
    })
  }
  const sid = BigInt(text)
  if (!peers.some(peer => peer.sid === sid)) {
    throw new ConfigError({
      key: 'myid',
      value: text,
      where: myidFile,
      problem: `names a server that ${file} does not list: this data directory belongs to another server, or a line is missing`,
      fix: `use the data directory of one of ${peers.map(p => p.sid).join(', ')}, or add a server.${sid} line`,
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
  return { sid, peers, groups, weights }
}

/** The N of `server.N`, `group.N` and `weight.N`. */
function numberOf(key: string, where: string): bigint {
  const [kind, number = ''] = key.split('.')
  if (!/^\d{1,18}$/.test(number))
    throw new ConfigError({ key, where, problem: 'has no number', fix: `write ${kind}.1, ${kind}.2 …` })
  return BigInt(number)
}

/** `host:quorumPort:electionPort[:role][;[clientHost:]clientPort]` */
function parsePeer(key: string, { value, where }: Property): PeerAddress {
  const fail = (problem: string) =>
    new ConfigError({
      key,
      value,
      where,
      problem,
      fix: 'write host:quorumPort:electionPort[:participant|:observer][;[clientHost:]clientPort]',
    })
  if (value.includes('|')) throw fail('names several addresses, which are not served yet')
  const [address = '', client] = value.split(';')
  const match = /^(\[[^\]]+\]|[^:]+):(\d+):(\d+)(?::(participant|observer))?$/i.exec(address.trim())
  if (match === null) throw fail('is not a server address')
  const [, host, quorumPort, electionPort, role] = match
  const clientMatch = client === undefined ? null : /^(?:(\[[^\]]+\]|[^:]+):)?(\d+)$/.exec(client.trim())
  if (client !== undefined && clientMatch === null) throw fail('has a client address that cannot be read')
  const peer: PeerAddress = {
    sid: numberOf(key, where),
    host: plainHost(host!),
    quorumPort: Number(quorumPort),
    electionPort: Number(electionPort),
    isObserver: role?.toLowerCase() === 'observer',
    client:
      clientMatch === null
        ? null
        : { host: plainHost(clientMatch[1] ?? '0.0.0.0'), port: Number(clientMatch[2]) },
  }
  const ports = [peer.quorumPort, peer.electionPort, peer.client?.port ?? 1]
  if (ports.some(port => port < 1 || port > 65535)) throw fail('names a port outside 1..65535')
  if (peer.quorumPort === peer.electionPort) throw fail('has the same port twice')
  return peer
}

function clientAddress(
  values: ConfigValues<typeof keys>,
  own: PeerAddress | null,
  properties: ReadonlyMap<string, Property>,
): ServerSettings['client'] {
  if (own?.client != null) {
    const given = properties.get('clientPort')
    if (given !== undefined && values.clientPort !== own.client.port) {
      throw new ConfigError({
        key: 'clientPort',
        value: given.value,
        where: given.where,
        problem: `differs from the ${own.client.port} of the server.${own.sid} line`,
        fix: 'name the port once',
      })
    }
    return { ...own.client, key: `server.${own.sid}` }
  }
  if (values.clientPort === null) return null
  return { host: values.clientPortAddress ?? '0.0.0.0', port: values.clientPort, key: 'clientPort' }
}

/** Clients that look for a server with a quorum ask `isro`. */
function parseWords(list: string, isReadOnlyMode: boolean): ReadonlySet<string> | null {
  const words = list.split(',').map(word => word.trim())
  return words.includes('*') ? null : new Set(['srvr', ...(isReadOnlyMode ? ['isro'] : []), ...words])
}

/** Keys may be given as the system properties they become. */
function withoutPrefix(properties: ReadonlyMap<string, Property>): Map<string, Property> {
  return new Map([...properties].map(([key, property]) => [key.replace(/^zookeeper\./, ''), property]))
}

async function readText(disk: Disk, path: string): Promise<string> {
  try {
    return (await disk.readFile(path)).toString('utf8')
  } catch (error) {
    throw new ConfigError({
      key: path,
      problem: `cannot be read: ${(error as Error).message}`,
      fix: 'give the path of a configuration file',
    })
  }
}

function plainHost(host: string): string {
  return host.replace(/^\[|\]$/g, '')
}

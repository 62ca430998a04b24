import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import {
  assert,
  ConfigError,
  type ConfigValues,
  type Disk,
  type JvmFlags,
  type Property,
  parseProperties,
  readConfig,
} from '@vivarium/platform'
import {
  type Configuration,
  hasSeveralAddresses,
  isMemberKey,
  type Peer,
  peerOf,
  readConfiguration,
  votersOf,
} from './quorum/configuration.ts'
import { ConfigurationFiles, versionInName } from './quorum/configuration-files.ts'
import { keys } from './settings-keys.ts'

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
    members: Configuration
    /** A configuration that was proposed and not agreed on when this server ended; `members` if there is none. */
    lastSeen: Configuration
    /** Where changes of the members are written down; null: they do not change (`reconfigEnabled=false`). */
    files: ConfigurationFiles | null
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
  let version = 0n
  if (dynamic !== undefined) {
    const dynamicPath = isAbsolute(dynamic.value) ? dynamic.value : join(dirname(path), dynamic.value)
    version = versionInName(dynamicPath)
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
    { path, name: file },
    version,
    new Map([...withoutPrefix(jvm.properties), ...withoutPrefix(properties)]),
  )
  settings.warnings.unshift(...jvm.notes)
  return settings
}

async function checkSettings(
  disk: Disk,
  { path, name: file }: { path: string; name: string },
  version: bigint,
  properties: ReadonlyMap<string, Property>,
): Promise<ServerSettings> {
  const { values, warnings } = readConfig(keys, properties, { isKnownOtherwise: isMemberKey })
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
  const members = readConfiguration(properties, version, file)
  const { peers } = members
  if (hasSeveralAddresses(members) && !values['multiAddress.enabled']) {
    throw new ConfigError({
      key: 'multiAddress.enabled',
      value: 'false',
      where: file,
      problem: 'does not allow the several addresses of a server line',
      fix: 'set multiAddress.enabled=true on every server, or name one address',
    })
  }
  const isEnsemble = votersOf(members).length > 1 || (peers.length > 0 && !values.standaloneEnabled)
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
  const quorum = isEnsemble ? await readQuorum(disk, { path, name: file }, dataDir, members, values) : null
  const own = quorum === null ? null : ownPeer(quorum)
  return {
    file,
    values,
    dataDir,
    dataLogDir: values.dataLogDir === null ? dataDir : resolve(values.dataLogDir),
    client: clientAddress(values, own, properties),
    quorum,
    minSessionTimeoutMs,
    maxSessionTimeoutMs,
    fourLetterWords: parseWords(values['4lw.commands.whitelist'], values['readonlymode.enabled']),
    warnings,
  }
}

async function readQuorum(
  disk: Disk,
  { path, name: file }: { path: string; name: string },
  dataDir: string,
  members: Configuration,
  values: ConfigValues<typeof keys>,
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
      fix: `write this server's number into it, one of ${members.peers.map(p => p.sid).join(', ')}`,
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
  const files = values.reconfigEnabled ? new ConfigurationFiles(disk, resolve(path), sid) : null
  const proposed = (await files?.readProposed()) ?? null
  const lastSeen = proposed !== null && proposed.version > members.version ? proposed : members
  if (peerOf(members, sid) === null && peerOf(lastSeen, sid) === null) {
    throw new ConfigError({
      key: 'myid',
      value: text,
      where: myidFile,
      problem: `names a server that ${file} does not list: this data directory belongs to another server, or a line is missing`,
      fix: `use the data directory of one of ${members.peers.map(p => p.sid).join(', ')}, or add a server.${sid} line`,
    })
  }
  return { sid, members, lastSeen, files }
}

/** The line of a server itself. One that was about to join when it ended may be needed for that. */
export function ownPeer({ sid, members, lastSeen }: NonNullable<ServerSettings['quorum']>): Peer {
  const own = peerOf(members, sid) ?? peerOf(lastSeen, sid)
  assert(own !== null, 'the settings were checked')
  return own
}

function clientAddress(
  values: ConfigValues<typeof keys>,
  own: Peer | null,
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

import { basename, dirname } from 'node:path'
import { ConfigError, type Disk, parseProperties } from '@vivarium/platform'
import type { Sid } from '@vivarium/zab'
import { formatZxid } from '@vivarium/zookeeper-protocol'
import {
  type Configuration,
  configurationText,
  isMemberKey,
  memberLines,
  parseConfiguration,
  peerOf,
} from './configuration.ts'

/**
 * Where a server keeps who its peers are, in Apache's files beside `zoo.cfg`: `zoo.cfg.dynamic.<version>` is what was agreed
 * on, named by `dynamicConfigFile` in `zoo.cfg`; `zoo.cfg.dynamic.next` was proposed and not yet agreed on; `zoo.cfg.bak` is
 * what a person wrote first. Source: QuorumPeerConfig and QuorumPeer.setQuorumVerifier.
 */
export class ConfigurationFiles {
  readonly #disk: Disk
  readonly #path: string
  readonly #myId: Sid

  /** `path`: the absolute path of zoo.cfg. */
  constructor(disk: Disk, path: string, myId: Sid) {
    this.#disk = disk
    this.#path = path
    this.#myId = myId
  }

  get #nextPath(): string {
    return `${this.#path}.dynamic.next`
  }

  /** What was proposed and not agreed on when this server ended; null if nothing was. Throws ConfigError. */
  async readProposed(): Promise<Configuration | null> {
    let text: string
    try {
      text = (await this.#disk.readFile(this.#nextPath)).toString('utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
    return parseConfiguration(text, basename(this.#nextPath))
  }

  async propose(configuration: Configuration): Promise<void> {
    await this.#replace(this.#nextPath, configurationText(configuration))
  }

  /** `isLast`: nothing newer has been proposed. */
  async activate(configuration: Configuration, isLast: boolean): Promise<void> {
    const dynamicPath = `${this.#path}.dynamic.${formatZxid(configuration.version)}`
    await this.#replace(dynamicPath, memberLines(configuration).join('\n'))
    const before = (await this.#disk.readFile(this.#path)).toString('utf8')
    const properties = parseProperties(before, basename(this.#path))
    if (!properties.has('dynamicConfigFile') && (await this.#disk.stat(`${this.#path}.bak`)) === null)
      await this.#replace(`${this.#path}.bak`, before)
    const namesClients = peerOf(configuration, this.#myId)?.client != null
    await this.#replace(this.#path, pointingTo(dynamicPath, before, namesClients))
    if (!isLast) return
    await this.#disk.remove(this.#nextPath)
    await this.#disk.syncDirectory(dirname(this.#path))
  }

  async #replace(path: string, text: string): Promise<void> {
    try {
      await this.#disk.replaceFile(path, text)
    } catch (error) {
      throw new ConfigError({
        key: 'reconfigEnabled',
        value: 'true',
        where: basename(this.#path),
        problem: `needs ${path}, which cannot be written: ${(error as Error).message}`,
        fix: `let this user write in ${dirname(path)}, or set reconfigEnabled=false`,
      })
    }
  }
}

/** The text of zoo.cfg with its members in another file. */
function pointingTo(dynamicPath: string, text: string, namesClients: boolean): string {
  const moved = new Set(['peerType', 'dynamicConfigFile'])
  if (namesClients) for (const key of ['clientPort', 'clientPortAddress']) moved.add(key)
  // A backslash at its end continues a line.
  const kept = text.split(/(?<!\\)\r?\n/).filter(line => {
    const [key] = parseProperties(line, '').keys()
    return key === undefined || !(isMemberKey(key) || moved.has(key))
  })
  while (kept.at(-1) === '') kept.pop()
  return `${[...kept, `dynamicConfigFile=${dynamicPath}`].join('\n')}\n`
}

/** The version at the end of a dynamic file's name, as Apache reads it; 0 if there is none. */
export function versionInName(path: string): bigint {
  const [, version] = /\.([0-9a-f]{1,16})$/i.exec(basename(path)) ?? []
  return version === undefined ? 0n : BigInt(`0x${version}`)
}

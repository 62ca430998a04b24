import { readFile } from 'node:fs/promises'
import { parseProperties } from '@vivarium/platform'
import type { CommandIo } from '../io.ts'
import { Cluster } from './cluster.ts'
import { UsageError } from './options.ts'
import { ToolError } from './tool.ts'

/** Client properties by key, from a file and from `key=value` words; the words win. */
export async function clientProperties(
  file: string | null,
  words: readonly string[] = [],
): Promise<Map<string, string>> {
  const properties = new Map<string, string>()
  if (file !== null) {
    let text: string
    try {
      text = await readFile(file, 'utf8')
    } catch (error) {
      throw new ToolError(`Cannot read ${file}: ${(error as Error).message}`)
    }
    for (const [key, { value }] of parseProperties(text, file)) properties.set(key, value)
  }
  for (const word of words) {
    for (const [key, value] of keyValues(word)) properties.set(key, value)
  }
  const protocol = properties.get('security.protocol') ?? 'PLAINTEXT'
  if (protocol !== 'PLAINTEXT')
    throw new ToolError(
      `security.protocol=${protocol} is not supported by this tool yet: it speaks PLAINTEXT only`,
    )
  return properties
}

/** `key=value`; commas do not separate, since values hold them. */
export function keyValues(word: string): [string, string][] {
  const at = word.indexOf('=')
  if (at < 1) throw new UsageError(`${word} is not of the form key=value`)
  return [[word.slice(0, at).trim(), word.slice(at + 1)]]
}

/** Says on stderr which of the keys given mean nothing here. */
export function warnOfUnused(
  properties: ReadonlyMap<string, string>,
  used: readonly string[],
  io: CommandIo,
): void {
  for (const key of properties.keys())
    if (!used.includes(key)) io.stderr.write(`WARNING: ${key} has no effect on this tool\n`)
}

const adminKeys = [
  'bootstrap.servers',
  'client.id',
  'default.api.timeout.ms',
  'request.timeout.ms',
  'security.protocol',
]

/** Connects with the settings of `--command-config`. */
export async function connect(
  bootstrapServers: string,
  commandConfig: string | null,
  io: CommandIo,
  totalTimeoutMs?: number,
): Promise<Cluster> {
  const properties = await clientProperties(commandConfig)
  warnOfUnused(properties, adminKeys, io)
  return Cluster.connect(bootstrapServers, {
    clientId: properties.get('client.id') ?? 'vivarium-admin',
    requestTimeoutMs: milliseconds(properties, 'request.timeout.ms', 30_000),
    totalTimeoutMs: totalTimeoutMs ?? milliseconds(properties, 'default.api.timeout.ms', 60_000),
  })
}

export function milliseconds(properties: ReadonlyMap<string, string>, key: string, fallback: number): number {
  const text = properties.get(key)
  if (text === undefined) return fallback
  if (!/^\d{1,9}$/.test(text.trim())) throw new ToolError(`${key}=${text} is not a number of milliseconds`)
  return Number(text)
}

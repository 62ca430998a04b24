import type { Property } from './properties.ts'

/** A setting that cannot be used: names the key, the place, the problem and the fix. */
export class ConfigError extends Error {
  override name = 'ConfigError'
  readonly key: string

  constructor(e: { key: string; value?: unknown; where?: string; problem: string; fix: string }) {
    const place = e.where === undefined ? '' : `${e.where}: `
    const setting = e.value === undefined ? e.key : `${e.key}=${String(e.value)}`
    super(`${place}${setting} ${e.problem}. Fix: ${e.fix}`)
    this.key = e.key
  }
}

/** How a key's text becomes a value. `parse` throws a plain Error whose message continues «key=value …». */
export interface ConfigKey<T> {
  readonly type: 'boolean' | 'int' | 'long' | 'double' | 'string' | 'list' | 'password'
  readonly parse: (text: string) => T
  /** The value when the key is absent. */
  readonly default: T
  /** One sentence for `docs/configuration.md`. */
  readonly about: string
  /** Why the key has no effect yet; such a key is named at start whenever it is set. */
  readonly unsupported?: string
  /** Where Kafka allows a change at run time. */
  readonly dynamic?: 'per-broker' | 'cluster-wide'
  /** The per-topic key that overrides it. */
  readonly topicKey?: string
}

type Extra<T> = {
  default: T
  about: string
  unsupported?: string
  dynamic?: 'per-broker' | 'cluster-wide'
  topicKey?: string
}

export function boolean(extra: Extra<boolean>): ConfigKey<boolean> {
  return { type: 'boolean', parse: parseBoolean, ...extra }
}

export function int<D extends number | null>(
  extra: Extra<D> & { min?: number; max?: number },
): ConfigKey<number | D> {
  const { min = -(2 ** 31), max = 2 ** 31 - 1, ...rest } = extra
  return { type: 'int', parse: text => parseInteger(text, min, max), ...rest }
}

/** A 64-bit number, read as a JavaScript number: Java's Long.MAX_VALUE becomes 2⁵³−1. */
export function long<D extends number | null>(
  extra: Extra<D> & { min?: number; max?: number },
): ConfigKey<number | D> {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER, ...rest } = extra
  return {
    type: 'long',
    parse: text => parseInteger(text === '9223372036854775807' ? String(2 ** 53 - 1) : text, min, max),
    ...rest,
  }
}

export function double(extra: Extra<number> & { min?: number; max?: number }): ConfigKey<number> {
  const { min = -Infinity, max = Infinity, ...rest } = extra
  return {
    type: 'double',
    parse: text => {
      const value = Number(text)
      if (text === '' || Number.isNaN(value)) throw new Error('is not a number')
      if (value < min || value > max) throw new Error(`is outside ${min}..${max}`)
      return value
    },
    ...rest,
  }
}

export function string<D extends string | null>(
  extra: Extra<D> & { oneOf?: readonly string[] },
): ConfigKey<string | D> {
  const { oneOf, ...rest } = extra
  return {
    type: 'string',
    parse: text => {
      if (oneOf !== undefined && !oneOf.includes(text)) throw new Error(`is not one of ${oneOf.join(', ')}`)
      return text
    },
    ...rest,
  }
}

/** Comma-separated, blanks trimmed, empty entries dropped. */
export function list(
  extra: Extra<readonly string[]> & { oneOf?: readonly string[] },
): ConfigKey<readonly string[]> {
  const { oneOf, ...rest } = extra
  return {
    type: 'list',
    parse: text => {
      const entries = text
        .split(',')
        .map(entry => entry.trim())
        .filter(entry => entry !== '')
      const stranger = oneOf && entries.find(entry => !oneOf.includes(entry))
      if (stranger !== undefined)
        throw new Error(`holds ${stranger}, which is not one of ${oneOf!.join(', ')}`)
      return entries
    },
    ...rest,
  }
}

export function password(extra: Extra<string | null>): ConfigKey<string | null> {
  return { type: 'password', parse: text => text, ...extra }
}

export type ConfigKeys = Record<string, ConfigKey<unknown>>
export type ConfigValues<K extends ConfigKeys> = {
  readonly [N in keyof K]: K[N] extends ConfigKey<infer T> ? T : never
}

/** What reading a configuration gave: typed values, and what the person who wrote it should be told. */
export interface ReadConfig<K extends ConfigKeys> {
  values: ConfigValues<K>
  /** Keys that were set, with their text and place. */
  given: ReadonlyMap<string, Property>
  /** One sentence for each key that was set and has no effect: unknown ones with the nearest known name, unsupported ones with the reason. */
  warnings: string[]
}

/** Reads `properties` against the declarations. Throws ConfigError for the first value that cannot be used. */
export function readConfig<K extends ConfigKeys>(
  keys: K,
  properties: ReadonlyMap<string, Property>,
  options: { isKnownOtherwise?: (key: string) => boolean } = {},
): ReadConfig<K> {
  const values: Record<string, unknown> = {}
  const warnings: string[] = []
  for (const [name, key] of Object.entries(keys)) {
    const given = properties.get(name)
    values[name] = given === undefined ? key.default : parse(name, key, given)
    if (given !== undefined && key.unsupported !== undefined) {
      warnings.push(`${given.where}: ${name} has no effect: ${key.unsupported}`)
    }
  }
  for (const [name, given] of properties) {
    if (name in keys || options.isKnownOtherwise?.(name)) continue
    const near = nearest(name, Object.keys(keys))
    warnings.push(
      `${given.where}: ${name} is unknown and has no effect${near === null ? '' : `; did you mean ${near}?`}`,
    )
  }
  return { values: values as ConfigValues<K>, given: properties, warnings }
}

const inWords: Record<ConfigKey<unknown>['type'], string> = {
  boolean: 'true or false',
  int: 'a whole number',
  long: 'a whole number',
  double: 'a number',
  string: 'another value',
  list: 'a list like a,b,c',
  password: 'another value',
}

function parse(name: string, key: ConfigKey<unknown>, given: Property): unknown {
  try {
    return key.parse(given.value.trim())
  } catch (error) {
    const value = key.type === 'password' ? '***' : given.value
    const otherwise = key.default === null ? '' : ` for the default (${String(key.default)})`
    const fix = `give ${inWords[key.type]}, or remove the line${otherwise}`
    throw new ConfigError({ key: name, value, where: given.where, problem: (error as Error).message, fix })
  }
}

function parseBoolean(text: string): boolean {
  const word = text.toLowerCase()
  if (word !== 'true' && word !== 'false') throw new Error('is neither true nor false')
  return word === 'true'
}

function parseInteger(text: string, min: number, max: number): number {
  if (!/^[+-]?\d+$/.test(text)) throw new Error('is not a whole number')
  const value = Number(text)
  if (value < min || value > max) throw new Error(`is outside ${min}..${max}`)
  return value
}

/** The known name at most a third of its letters away, or null. */
export function nearest(name: string, known: readonly string[]): string | null {
  let best: string | null = null
  let bestDistance = Math.floor(name.length / 3) + 1
  for (const candidate of known) {
    const distance = editDistance(name, candidate)
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, substitution))
    }
    row = next
  }
  return row[b.length]!
}

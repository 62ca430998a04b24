import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { apis, errorCode, type Fields, retriableErrors } from '../src/index.ts'
import type { Field } from '../src/schema.ts'

const factsFile = fileURLToPath(new URL('../../../../shared/reference/kafka-messages.json', import.meta.url))
const skip = existsSync(factsFile) ? false : 'the facts are not at hand'
const facts = skip === false ? JSON.parse(readFileSync(factsFile, 'utf8')) : null

interface FieldFact {
  name: string
  type: string
  versions: string
  nullableVersions?: string
  taggedVersions?: string
  tag?: number
  default?: unknown
  ignorable?: boolean
  fields?: FieldFact[]
}

/** Whether `version` lies in `a`, `a-b`, `a+` or none. */
function isIn(range: string | undefined, version: number): boolean {
  const match = /^(\d+)(\+|-(\d+))?$/.exec(range ?? 'none')
  if (match === null) return false
  const first = Number(match[1])
  const last = match[2] === undefined ? first : match[3] === undefined ? Infinity : Number(match[3])
  return version >= first && version <= last
}

/** Each field as one line, in the order of the wire: what both sides must agree on in one version. */
function declaredLines(fields: Fields, version: number, path = ''): string[] {
  const lines: string[] = []
  for (const [name, field] of Object.entries(fields) as [string, Field<unknown>][]) {
    const { since = 0, until = Infinity, tag, taggedSince = Infinity } = field.options
    if (version < since || version > until) continue
    const { nullableSince = Infinity, nullableUntil = Infinity } = field.options
    const isNullable = version >= nullableSince && version <= nullableUntil
    const isTagged = version >= taggedSince
    lines.push(
      `${path}${name} ${typeOf(field)}${isNullable ? ' or null' : ''}${isTagged ? ` tag ${tag}` : ''}`,
    )
    const inner = field.kind === 'array' ? field.element! : field
    if (inner.kind === 'struct') lines.push(...declaredLines(inner.fields!, version, `${path}${name}.`))
  }
  return lines
}

function typeOf(field: Field<unknown>): string {
  if (field.kind === 'array') return `[]${typeOf(field.element!)}`
  return field.kind
}

const primitives = new Set([
  'bool',
  'int8',
  'int16',
  'int32',
  'int64',
  'float64',
  'string',
  'uuid',
  'bytes',
  'records',
])

function factLines(fields: readonly FieldFact[], version: number, path = ''): string[] {
  const lines: string[] = []
  for (const fact of fields) {
    if (!isIn(fact.versions, version)) continue
    const name = fact.name[0]!.toLowerCase() + fact.name.slice(1)
    const isArray = fact.type.startsWith('[]')
    const base = isArray ? fact.type.slice(2) : fact.type
    const type = (isArray ? '[]' : '') + (primitives.has(base) ? base : 'struct')
    const isTagged = isIn(fact.taggedVersions, version)
    const isNullable = isIn(fact.nullableVersions, version)
    lines.push(`${path}${name} ${type}${isNullable ? ' or null' : ''}${isTagged ? ` tag ${fact.tag}` : ''}`)
    if (fact.fields !== undefined) lines.push(...factLines(fact.fields, version, `${path}${name}.`))
  }
  return lines
}

test('every message has Kafka’s fields, types, nulls and tags, in the same order, in every version', {
  skip,
}, () => {
  const messages = new Map<string, { fields: FieldFact[]; flexibleVersions: string }>(
    facts.messages.map((m: { name: string }) => [m.name, m]),
  )
  for (const api of apis.values()) {
    for (const [side, fields] of [
      ['Request', api.request],
      ['Response', api.response],
    ] as const) {
      const fact = messages.get(`${api.name}${side}`)
      assert.ok(fact, `${api.name}${side} is a message of Kafka’s`)
      for (let version = api.versions[0]; version <= api.versions[1]; version++) {
        const where = `${api.name}${side} v${version}`
        assert.deepEqual(declaredLines(fields, version), factLines(fact.fields, version), where)
        const isFlexible = api.flexibleFrom !== null && version >= api.flexibleFrom
        assert.equal(isFlexible, isIn(fact.flexibleVersions, version), `${where} is flexible`)
      }
    }
  }
})

/** What each field is where it does not stand or was left out; undefined if that is what its type is by itself. */
function defaultsOf(fields: Fields, path = ''): Map<string, unknown> {
  const found = new Map<string, unknown>()
  for (const [name, field] of Object.entries(fields) as [string, Field<unknown>][]) {
    found.set(`${path}${name}`, given(field.options.default))
    const inner = field.kind === 'array' ? field.element! : field
    if (inner.kind === 'struct')
      for (const [at, value] of defaultsOf(inner.fields!, `${path}${name}.`)) found.set(at, value)
  }
  return found
}

/** 0, false and '' are what a field is by itself. */
function given(value: unknown): unknown {
  return value === 0 || value === false || value === '' ? undefined : value
}

function factDefaultsOf(fields: readonly FieldFact[], path = ''): Map<string, unknown> {
  const found = new Map<string, unknown>()
  for (const fact of fields) {
    const name = `${path}${fact.name[0]!.toLowerCase()}${fact.name.slice(1)}`
    // 64-bit defaults are written as text where they are larger than a number can tell; here those are cut.
    const isText = fact.type === 'int64' && typeof fact.default === 'string'
    found.set(name, given(isText ? Math.min(Number(fact.default), Number.MAX_SAFE_INTEGER) : fact.default))
    for (const [at, value] of factDefaultsOf(fact.fields ?? [], `${name}.`)) found.set(at, value)
  }
  return found
}

test('what is left out is what Kafka takes it to be', { skip }, () => {
  const messages = new Map<string, { fields: FieldFact[] }>(
    facts.messages.map((m: { name: string }) => [m.name, m]),
  )
  for (const api of apis.values()) {
    assert.deepEqual(
      defaultsOf(api.request),
      factDefaultsOf(messages.get(`${api.name}Request`)!.fields),
      `${api.name}Request`,
    )
    assert.deepEqual(
      defaultsOf(api.response),
      factDefaultsOf(messages.get(`${api.name}Response`)!.fields),
      `${api.name}Response`,
    )
  }
})

test('every API of a broker in ZooKeeper mode is declared, under its key, in all its versions', {
  skip,
}, () => {
  for (const { apiKey, name, kafka39 } of facts.apis) {
    if (kafka39 === undefined || kafka39 === null || !kafka39.listeners?.includes('zkBroker')) continue
    const api = apis.get(apiKey)
    assert.ok(api, `${name} (${apiKey}) is declared`)
    assert.equal(api.name, name)
    const [first, last] = String(kafka39.validVersions).split('-').map(Number)
    assert.ok(api.versions[0] <= first! && api.versions[1] >= (last ?? first!), `${name} ${api.versions}`)
  }
})

test('error codes are Kafka’s, and so is what may be tried again', { skip }, () => {
  for (const { code, name, retriable } of facts.errorCodes) {
    assert.equal(errorCode[name as keyof typeof errorCode], code, name)
    assert.equal(retriableErrors.has(code), retriable === true, `${name} can be tried again`)
  }
})

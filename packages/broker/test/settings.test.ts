import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ConfigError, type ConfigKey } from '@vivarium/platform'
import fc from 'fast-check'
import { topicKeys } from '../src/metadata/topic-configs.ts'
import { brokerKeys, checkSettings } from '../src/settings.ts'

interface Fact {
  type: string
  default: string | null
  /** `[1,...]`, `[0,...,1]`, `[a, b]`, or words. */
  valid: string | null
}

// Printed by Kafka 3.9.1 itself, from KafkaConfig and LogConfig.
const facts = JSON.parse(
  readFileSync(new URL('fixtures/apache-3.9-config.json', import.meta.url), 'utf8'),
) as Record<'broker' | 'topic', Record<string, Fact>>

const keys: [string, ConfigKey<unknown> | undefined, Fact][] = [
  ...Object.entries(facts.broker).map(
    ([name, fact]) =>
      [name, (brokerKeys as Record<string, ConfigKey<unknown>>)[name], fact] as [
        string,
        ConfigKey<unknown>,
        Fact,
      ],
  ),
  ...Object.entries(facts.topic).map(
    ([name, fact]) => [name, topicKeys[name]?.key, fact] as [string, ConfigKey<unknown> | undefined, Fact],
  ),
]

test('every key of Kafka 3.9 is there, with its type', () => {
  const types: Record<string, string> = { class: 'string', short: 'int' }
  for (const [name, key, fact] of keys) {
    assert.ok(key !== undefined, `${name} is missing`)
    const type = fact.type.toLowerCase()
    assert.equal(key.type, types[type] ?? type, name)
  }
})

test('numbers are taken and refused where Kafka takes and refuses them', () => {
  let ranges = 0
  for (const [name, key, { valid }] of keys) {
    const [, min, max] = /^\[(-?[\d.]+),\.\.\.(?:,(-?[\d.]+))?\]$/.exec(valid ?? '') ?? []
    if (min === undefined) continue
    ranges++
    key!.parse(min)
    assert.throws(() => key!.parse(String(Number(min) - 1)), /is outside/, `${name} takes less than ${min}`)
    if (max === undefined) continue
    key!.parse(max)
    assert.throws(() => key!.parse(String(Number(max) + 1)), /is outside/, `${name} takes more than ${max}`)
  }
  assert.ok(ranges > 140, `${ranges} ranges`)
})

test('words are taken and refused where Kafka takes and refuses them', () => {
  for (const [name, key, { valid, type }] of keys) {
    const [, words] = /^\[([A-Za-z_]+(?:, [A-Za-z_]+)*)\]$/.exec(valid ?? '') ?? []
    if (words === undefined || !['STRING', 'LIST'].includes(type)) continue
    for (const word of words.split(', ')) key!.parse(word)
    assert.throws(() => key!.parse('nonsense'), /one of/, name)
  }
})

test('whatever a file says, the settings are read or refused with key, problem and fix', () => {
  const names = fc.constantFrom(...Object.keys(brokerKeys))
  const text = fc.oneof(
    fc.string({ maxLength: 12 }),
    fc.integer().map(String),
    fc.constantFrom(
      'PLAINTEXT://:9092',
      'SSL://a:1,PLAINTEXT://b:2',
      'true',
      '-1',
      'a:1,b',
      '[::1]:9',
      ',,',
      ':',
    ),
  )
  const lines = fc.dictionary(names, text, { maxKeys: 6 })
  fc.assert(
    fc.property(lines, given => {
      const entries = Object.entries({ 'zookeeper.connect': 'localhost:2181', ...given })
      const properties = new Map(
        entries.map(([key, value]) => [key, { value, where: 'server.properties:1' }]),
      )
      try {
        checkSettings('server.properties', properties)
      } catch (error) {
        assert.ok(error instanceof ConfigError, String((error as Error).stack))
        assert.match(error.message, / Fix: ./)
      }
    }),
    { numRuns: 3000 },
  )
})

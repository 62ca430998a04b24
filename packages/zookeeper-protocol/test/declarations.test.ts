import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import * as protocol from '../src/index.ts'

const factsFile = fileURLToPath(
  new URL('../../../../shared/reference/zookeeper-records.json', import.meta.url),
)
const skip = existsSync(factsFile) ? false : 'the facts are not at hand'

/** The facts' spelling of a type: `vector<ustring>`, `Stat`. */
function typeName(type: protocol.Type<unknown>): string {
  const known = new Map<unknown, string>([
    [protocol.int, 'int'],
    [protocol.long, 'long'],
    [protocol.boolean, 'boolean'],
    [protocol.ustring, 'ustring'],
    [protocol.nullableString, 'ustring'],
    [protocol.buffer, 'buffer'],
  ])
  return known.get(type) ?? (type as { name?: string }).name ?? 'vector'
}

test('every record has the fields of ZooKeeper’s, in the same order', { skip }, () => {
  const facts = JSON.parse(readFileSync(factsFile, 'utf8')).records as Record<
    string,
    { fields: [string, string][] }
  >
  const declared = new Map<string, protocol.JuteRecord<Record<string, protocol.Type<unknown>>>>()
  for (const value of Object.values(protocol)) {
    if (typeof value === 'object' && 'fields' in value && 'name' in value)
      declared.set(value.name as string, value as never)
  }
  for (const [name, { fields }] of Object.entries(facts)) {
    const record = declared.get(name)
    assert.ok(record, `${name} is declared`)
    const own = Object.entries(record.fields).map(([field, type]) => [field, typeName(type)])
    assert.deepEqual(
      own,
      fields.map(([field, type]) => [field, type.startsWith('vector') ? 'vector' : type]),
      name,
    )
  }
})

test('opcodes, errors and packet types are ZooKeeper’s', { skip }, () => {
  const facts = JSON.parse(readFileSync(factsFile, 'utf8'))
  for (const { name, code } of facts.opcodes)
    assert.equal(protocol.opCode[name as keyof typeof protocol.opCode], code)
  for (const { name, code } of facts.errorCodes) assert.equal(protocol.errorName(code), name)
  for (const { name, type } of facts.quorumPackets)
    assert.equal(protocol.packetType[name as keyof typeof protocol.packetType], type)
})

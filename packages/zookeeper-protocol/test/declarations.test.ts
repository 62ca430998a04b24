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
function typeName({ shape }: protocol.Type<unknown>): string {
  switch (shape.kind) {
    case 'string':
    case 'nullable string':
      return 'ustring'
    case 'vector':
    case 'nullable vector':
      return `vector<${typeName(shape.element)}>`
    case 'record':
      return shape.name
    default:
      return shape.kind
  }
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
    assert.deepEqual(own, fields, name)
  }
})

test('opcodes, errors and packet types are ZooKeeper’s', { skip }, () => {
  const facts = JSON.parse(readFileSync(factsFile, 'utf8'))
  for (const { name, code } of facts.opcodes)
    assert.equal(protocol.opCode[name as keyof typeof protocol.opCode], code)
  for (const { name, code } of facts.errorCodes) assert.equal(protocol.errorName(code), name)
  for (const { name, type } of facts.quorumPackets)
    assert.equal(protocol.packetType[name as keyof typeof protocol.packetType], type)
  assert.equal(facts.opcodes.length, Object.keys(protocol.opCode).length)
  assert.equal(facts.errorCodes.length, Object.keys(protocol.errorCode).length)
  assert.equal(facts.quorumPackets.length, Object.keys(protocol.packetType).length)
  for (const { code, statsOpName } of facts.opcodes) {
    assert.equal(protocol.operationNames[code] ?? null, statsOpName, `operation ${code}`)
  }
})

test('events, states, watcher types, create modes and permissions are ZooKeeper’s', { skip }, () => {
  const facts = JSON.parse(readFileSync(factsFile, 'utf8'))
  assert.deepEqual(protocol.specialXid, facts.specialXids)
  assert.deepEqual(protocol.eventType, facts.eventTypes)
  assert.deepEqual(protocol.keeperState, facts.keeperStates)
  assert.deepEqual(protocol.watcherType, facts.watcherTypes)
  assert.deepEqual(protocol.addWatchMode, facts.addWatchModes)
  assert.deepEqual(protocol.createMode, facts.createModes)
  assert.deepEqual(protocol.permission, facts.perms)
})

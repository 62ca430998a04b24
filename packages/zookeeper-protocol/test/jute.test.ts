import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteReader, ByteWriter, MalformedBytesError } from '@vivarium/bytes'
import fc from 'fast-check'
import * as protocol from '../src/index.ts'

// biome-ignore lint/suspicious/noExplicitAny: records of any kind.
type AnyRecord = protocol.JuteRecord<any>

const records = Object.values(protocol).filter(
  (value): value is AnyRecord => typeof value === 'object' && 'fields' in value && 'shape' in value,
)

/** Any value of a type. */
function anyValue({ shape }: protocol.Type<unknown>): fc.Arbitrary<unknown> {
  switch (shape.kind) {
    case 'int':
      return fc.integer()
    case 'long':
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    case 'boolean':
      return fc.boolean()
    case 'buffer':
      return fc.option(fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes)))
    case 'string':
      return fc.string({ unit: 'binary', maxLength: 20 })
    case 'nullable string':
      return fc.option(fc.string({ unit: 'binary', maxLength: 20 }))
    case 'vector':
      return fc.array(anyValue(shape.element), { maxLength: 4 })
    case 'nullable vector':
      return fc.option(fc.array(anyValue(shape.element), { maxLength: 4 }))
    case 'record':
      return fc.record(
        Object.fromEntries(Object.entries(shape.fields).map(([field, type]) => [field, anyValue(type)])),
        { noNullPrototype: true },
      )
  }
}

test('every record is read as it was written, by compiled and plain code alike', () => {
  assert.ok(records.length > 60)
  for (const record of records) {
    const plain = protocol.interpreted(record)
    fc.assert(
      fc.property(anyValue(record), value => {
        const bytes = protocol.encode(record, value)
        assert.deepEqual(protocol.encode(plain, value), bytes, record.name)
        assert.deepEqual(protocol.decode(record, bytes), value, record.name)
        assert.deepEqual(protocol.decode(plain, bytes), value, record.name)
        assert.ok(bytes.length >= record.minBytes, record.name)
      }),
      { numRuns: 30 },
    )
  }
})

test('arbitrary bytes give a value or an error that says so, the same by both', () => {
  const outcome = (record: AnyRecord, bytes: Buffer) => {
    const reader = new ByteReader(bytes)
    try {
      return { value: record.read(reader), position: reader.position }
    } catch (error) {
      if (error instanceof MalformedBytesError) return null
      throw error
    }
  }
  const smallWord = fc.integer({ min: -2, max: 12 }).map(n => {
    const word = Buffer.alloc(4)
    word.writeInt32BE(n)
    return word
  })
  // Words that look like lengths, among noise: most of it gets past the first field.
  const bytes = fc
    .array(fc.oneof(smallWord, fc.uint8Array({ maxLength: 6 })), { maxLength: 30 })
    .map(parts => Buffer.concat(parts))
  for (const record of records) {
    const plain = protocol.interpreted(record)
    fc.assert(
      fc.property(bytes, input =>
        assert.deepEqual(outcome(record, input), outcome(plain, input), record.name),
      ),
      { numRuns: 40 },
    )
  }
})

test('a hostile length or count is refused before it takes memory', () => {
  const lengths = [0x7fff_ffff, 0x0fff_ffff, 0x0010_0000, -2, -0x8000_0000]
  const fieldsOf = (type: protocol.Type<unknown>): protocol.Type<unknown>[] =>
    type.shape.kind === 'record' ? Object.values(type.shape.fields).flatMap(fieldsOf) : [type]
  for (const record of records) {
    const leaves = fieldsOf(record)
    leaves.forEach((leaf, index) => {
      if (['int', 'long', 'boolean'].includes(leaf.shape.kind)) return
      const writer = new ByteWriter()
      // Every field before it is as short as it can be.
      for (const before of leaves.slice(0, index)) writer.bytes(Buffer.alloc(before.minBytes))
      const at = writer.reserve(4)
      writer.bytes(Buffer.alloc(64))
      for (const length of lengths) {
        writer.patchInt32(at, length)
        const bytes = Buffer.from(writer.written())
        const usedBefore = process.memoryUsage().heapUsed
        assert.throws(() => protocol.decode(record, bytes), MalformedBytesError, `${record.name} ${length}`)
        assert.ok(process.memoryUsage().heapUsed - usedBefore < 8 * 1024 * 1024, record.name)
      }
    })
  }
})

test('null and empty are told apart', () => {
  for (const data of [null, Buffer.alloc(0)]) {
    const request = { path: '/a', data, version: 0 }
    const bytes = protocol.encode(protocol.setDataRequest, request)
    assert.deepEqual(protocol.decode(protocol.setDataRequest, bytes), request)
  }
  for (const acl of [null, []]) {
    const bytes = protocol.encode(protocol.setAclRequest, { path: '/a', acl, version: 0 })
    assert.deepEqual(protocol.decode(protocol.setAclRequest, bytes).acl, acl)
  }
})

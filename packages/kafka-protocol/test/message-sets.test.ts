import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32, gzipSync, zstdCompressSync } from 'node:zlib'
import { crc32c } from '@vivarium/bytes/crc32c'
import {
  batchFromMessageSet,
  buildBatch,
  CorruptBatchError,
  decodeRecords,
  messageSetFromBatches,
} from '../src/index.ts'

const text = (value: string | null) => (value === null ? null : Buffer.from(value))

function batch(baseOffset: number, values: (string | null)[], options: { isControl?: boolean } = {}): Buffer {
  const records = values.map((value, i) => ({
    key: i % 2 === 0 ? null : Buffer.from(`k${i}`),
    value: text(value),
    timestampMs: 1_000 + i,
    headers: [{ key: 'h', value: Buffer.from('lost') }],
  }))
  return buildBatch({ baseOffset, records, ...options })
}

/** The batch with its records compressed: attributes, length and checksum as a producer would set them. */
function compressed(plain: Buffer, type: number, compress: (bytes: Buffer) => Buffer): Buffer {
  const bytes = Buffer.concat([plain.subarray(0, 61), compress(plain.subarray(61))])
  bytes.writeInt32BE(bytes.length - 12, 8)
  bytes.writeInt16BE(type, 21)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return bytes
}

/** Offset, format, timestamp, key and value of every message, checksums verified. */
function messages(set: Buffer): unknown[] {
  const found: unknown[] = []
  for (let at = 0; at < set.length; ) {
    const end = at + 12 + set.readInt32BE(at + 8)
    assert.equal(crc32(set.subarray(at + 16, end)), set.readUInt32BE(at + 12))
    const format = set[at + 16]
    const field = (from: number) => {
      const length = set.readInt32BE(from)
      return length < 0
        ? { value: null, end: from + 4 }
        : { value: set.toString('utf8', from + 4, from + 4 + length), end: from + 4 + length }
    }
    const key = field(at + (format === 1 ? 26 : 18))
    const value = field(key.end)
    assert.equal(value.end, end)
    const timestampMs = format === 1 ? Number(set.readBigInt64BE(at + 18)) : null
    found.push([Number(set.readBigInt64BE(at)), timestampMs, key.value, value.value])
    at = end
  }
  return found
}

test('a batch becomes messages of the old formats: with times in format 1, without in format 0', () => {
  const stored = [batch(5, ['a', 'b', null])]
  assert.deepEqual(messages(messageSetFromBatches(stored, { format: 1, fromOffset: 5, maxBytes: 10_000 })), [
    [5, 1_000, null, 'a'],
    [6, 1_001, 'k1', 'b'],
    [7, 1_002, null, null],
  ])
  assert.deepEqual(messages(messageSetFromBatches(stored, { format: 0, fromOffset: 6, maxBytes: 10_000 })), [
    [6, null, 'k1', 'b'],
    [7, null, null, null],
  ])
})

test('compressed batches come out plain, control batches not at all', () => {
  const stored = [
    compressed(batch(0, ['a']), 1, gzipSync),
    Buffer.concat([
      batch(1, ['marker'], { isControl: true }),
      compressed(batch(2, ['c']), 4, zstdCompressSync),
    ]),
  ]
  assert.deepEqual(messages(messageSetFromBatches(stored, { format: 0, fromOffset: 0, maxBytes: 10_000 })), [
    [0, null, null, 'a'],
    [2, null, null, 'c'],
  ])
})

test('a set ends before the limit, but never before its first message', () => {
  const stored = [batch(0, ['a'.repeat(100), 'b', 'c'])]
  const set = (maxBytes: number) =>
    messages(messageSetFromBatches(stored, { format: 0, fromOffset: 0, maxBytes })).length
  assert.deepEqual([1, 126, 160, 10_000].map(set), [1, 1, 2, 3])
})

test('what became messages becomes the same records again', () => {
  const set = messageSetFromBatches([batch(0, ['a', 'b', null])], {
    format: 1,
    fromOffset: 0,
    maxBytes: 10_000,
  })
  const again = [...decodeRecords(batchFromMessageSet(set, 10_000))]
  assert.deepEqual(
    again.map(({ offset, timestampMs, key, value }) => [offset, timestampMs, `${key}`, `${value}`]),
    [
      [0, 1_000, 'null', 'a'],
      [1, 1_001, 'k1', 'b'],
      [2, 1_002, 'null', 'null'],
    ],
  )
})

test('a message set that is cut or altered anywhere is refused', () => {
  const set = messageSetFromBatches([batch(0, ['a', 'b'])], { format: 1, fromOffset: 0, maxBytes: 10_000 })
  for (let length = 1; length < set.length; length++) {
    const cut = set.subarray(0, length)
    if (length === 12 + set.readInt32BE(8)) continue
    assert.throws(() => batchFromMessageSet(cut, 10_000), CorruptBatchError, `cut at ${length}`)
  }
  for (let at = 8; at < set.length; at++) {
    // The offset a producer sends (8 bytes before each size) means nothing and is not covered.
    const first = 12 + set.readInt32BE(8)
    if (at >= first && at < first + 8) continue
    const altered = Buffer.from(set)
    altered[at]! ^= 0x40
    assert.throws(() => batchFromMessageSet(altered, 10_000), CorruptBatchError, `altered at ${at}`)
  }
})

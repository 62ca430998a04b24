import { crc32 } from 'node:zlib'
import { decompress } from '../compression/compression.ts'
import { CorruptBatchError } from './batch.ts'
import { buildBatch, type RecordToWrite } from './records.ts'

/** Offset and size in front of each message. */
const overheadBytes = 12
/** Checksum, magic, attributes, and the lengths of key and value. */
const smallestMessageBytes = 14

/**
 * A message set (formats 0 and 1, from before Kafka 0.11) as one record batch of format 2, uncompressed, with base offset 0.
 * What compressed messages hold may come to `maxBytes` in all. Throws CorruptBatchError for a wrong checksum or size.
 */
export function batchFromMessageSet(bytes: Buffer, maxBytes: number): Buffer {
  const records: RecordToWrite[] = []
  let left = maxBytes
  const read = (set: Buffer, isInner: boolean): void => {
    for (let at = 0; at < set.length; ) {
      const end = messageEnd(set, at)
      const magic = set[at + 16]!
      const codec = set[at + 17]! & 7
      const timestampMs = magic === 1 ? Number(set.readBigInt64BE(at + 18)) : -1
      const key = field(set, at + (magic === 1 ? 26 : 18), end)
      const value = field(set, key.end, end)
      if (codec === 0) {
        records.push({ key: key.bytes, value: value.bytes, timestampMs, headers: [] })
      } else {
        if (isInner || value.bytes === null || codec > 3)
          throw new CorruptBatchError(`a compressed message that cannot be, at position ${at}`)
        const inner = decompress(codec, value.bytes, left)
        left -= inner.length
        read(inner, true)
      }
      at = end
    }
  }
  read(bytes, false)
  if (records.length === 0) throw new CorruptBatchError('a message set without messages')
  return buildBatch({ baseOffset: 0, records })
}

/** Where the message at `at` ends, its checksum verified. */
function messageEnd(set: Buffer, at: number): number {
  const size = set.length - at < overheadBytes ? -1 : set.readInt32BE(at + 8)
  const end = at + overheadBytes + size
  if (size < smallestMessageBytes || end > set.length)
    throw new CorruptBatchError(`a message of ${size} bytes at position ${at}`)
  const magic = set[at + 16]!
  if (magic > 1) throw new CorruptBatchError(`a message of format ${magic} at position ${at}`)
  if (magic === 1 && size < smallestMessageBytes + 8)
    throw new CorruptBatchError(`a message of ${size} bytes at position ${at}`)
  if (crc32(set.subarray(at + 16, end)) !== set.readUInt32BE(at + 12))
    throw new CorruptBatchError(`the checksum of the message at position ${at} does not match`)
  return end
}

/** A key or value: a length, −1 for null, and as many bytes. */
function field(set: Buffer, at: number, limit: number): { bytes: Buffer | null; end: number } {
  const length = at + 4 > limit ? -2 : set.readInt32BE(at)
  if (length === -1) return { bytes: null, end: at + 4 }
  if (length < 0 || at + 4 + length > limit)
    throw new CorruptBatchError(`a field of ${length} bytes at position ${at}`)
  return { bytes: set.subarray(at + 4, at + 4 + length), end: at + 4 + length }
}

import { crc32 } from 'node:zlib'
import { decompress } from '../compression/compression.ts'
import { BatchCursor, CorruptBatchError } from './batch.ts'
import { buildBatch, type DecodedRecord, decodeRecords, type RecordToWrite } from './records.ts'

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

/**
 * Record batches as a message set of format 0 or 1, for consumers from before Kafka 0.11: from `fromOffset` on, one message
 * at least and no more than `maxBytes` otherwise. Messages are not compressed, so that the set can end after any of them;
 * headers, producers and control batches have no place in it.
 */
export function messageSetFromBatches(
  batches: readonly Buffer[],
  { format, fromOffset, maxBytes }: { format: 0 | 1; fromOffset: number; maxBytes: number },
): Buffer {
  const messages: Buffer[] = []
  let left = maxBytes
  for (const bytes of batches) {
    const batch = new BatchCursor(bytes)
    while (batch.next()) {
      if (batch.isControl || batch.lastOffset < fromOffset) continue
      for (const record of decodeRecords(bytes.subarray(batch.start, batch.position))) {
        if (record.offset < fromOffset) continue
        const message = messageOf(record, format, batch.isLogAppendTime)
        left -= message.length
        if (left < 0 && messages.length > 0) return Buffer.concat(messages)
        messages.push(message)
      }
    }
  }
  return Buffer.concat(messages)
}

function messageOf(record: DecodedRecord, format: 0 | 1, isLogAppendTime: boolean): Buffer {
  const { key, value } = record
  const keyAt = format === 1 ? 26 : 18
  const valueAt = keyAt + 4 + (key?.length ?? 0)
  const message = Buffer.alloc(valueAt + 4 + (value?.length ?? 0))
  message.writeBigInt64BE(BigInt(record.offset), 0)
  message.writeInt32BE(message.length - overheadBytes, 8)
  message[16] = format
  message[17] = format === 1 && isLogAppendTime ? 8 : 0
  if (format === 1) message.writeBigInt64BE(BigInt(record.timestampMs), 18)
  message.writeInt32BE(key?.length ?? -1, keyAt)
  key?.copy(message, keyAt + 4)
  message.writeInt32BE(value?.length ?? -1, valueAt)
  value?.copy(message, valueAt + 4)
  message.writeUInt32BE(crc32(message.subarray(16)), 12)
  return message
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

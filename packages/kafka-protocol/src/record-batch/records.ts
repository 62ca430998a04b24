import { ByteReader, ByteWriter, MalformedBytesError } from '@vivarium/bytes'
import { crc32c } from '@vivarium/bytes/crc32c'
import { decompress } from '../compression/compression.ts'
import { BatchCursor, batchHeaderBytes, batchOverheadBytes } from './batch.ts'

export interface RecordHeader {
  key: string
  value: Buffer | null
}

export interface RecordToWrite {
  key: Buffer | null
  value: Buffer | null
  timestampMs: number
  headers?: readonly RecordHeader[]
}

export interface DecodedRecord {
  offset: number
  timestampMs: number
  key: Buffer | null
  value: Buffer | null
  headers: RecordHeader[]
}

const maxUncompressedBytes = 256 * 1024 * 1024
const maxHeaders = 10_000

/** One uncompressed batch. Offsets are relative to `baseOffset`, which the log replaces. */
export function buildBatch(options: {
  records: readonly RecordToWrite[]
  baseOffset?: number
  partitionLeaderEpoch?: number
  producerId?: number
  producerEpoch?: number
  baseSequence?: number
  isTransactional?: boolean
  isControl?: boolean
}): Buffer {
  const {
    records,
    baseOffset = 0,
    partitionLeaderEpoch = -1,
    producerId = -1,
    producerEpoch = -1,
    baseSequence = -1,
  } = options
  const baseTimestampMs = records[0]?.timestampMs ?? -1
  const out = new ByteWriter(batchHeaderBytes + records.length * 64)
  out.safeInt64(baseOffset)
  out.int32(0)
  out.int32(partitionLeaderEpoch)
  out.int8(2)
  out.int32(0)
  out.int16((options.isTransactional ? 16 : 0) | (options.isControl ? 32 : 0))
  out.int32(records.length - 1)
  out.safeInt64(baseTimestampMs)
  out.safeInt64(records.reduce((max, record) => Math.max(max, record.timestampMs), -1))
  out.safeInt64(producerId)
  out.int16(producerEpoch)
  out.int32(baseSequence)
  out.int32(records.length)
  const body = new ByteWriter(256)
  for (const [index, record] of records.entries()) {
    body.reset()
    body.int8(0)
    body.varlong(record.timestampMs - baseTimestampMs)
    body.varint(index)
    writeBytes(body, record.key)
    writeBytes(body, record.value)
    const headers = record.headers ?? []
    body.varint(headers.length)
    for (const { key, value } of headers) {
      writeBytes(body, Buffer.from(key))
      writeBytes(body, value)
    }
    out.varint(body.length)
    out.bytes(body.written())
  }
  const batch = out.written()
  batch.writeInt32BE(batch.length - batchOverheadBytes, 8)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

function writeBytes(out: ByteWriter, bytes: Buffer | null): void {
  if (bytes === null) return out.varint(-1)
  out.varint(bytes.length)
  out.bytes(bytes)
}

/** Every record of every batch in `buffer`, decompressed as needed. For coordinators and tools; not for the hot path. */
export function* decodeRecords(buffer: Buffer): Generator<DecodedRecord> {
  const batch = new BatchCursor(buffer)
  while (batch.next()) {
    const { baseOffset, baseTimestampMs, isLogAppendTime, maxTimestampMs, recordCount } = batch
    const stored = buffer.subarray(batch.start + batchHeaderBytes, batch.start + batch.sizeBytes)
    const reader = new ByteReader(decompress(batch.compression, stored, maxUncompressedBytes))
    for (let i = 0; i < recordCount; i++)
      yield decodeRecord(reader, baseOffset, isLogAppendTime ? maxTimestampMs : null, baseTimestampMs)
  }
}

function decodeRecord(
  reader: ByteReader,
  baseOffset: number,
  appendTimeMs: number | null,
  baseTimestampMs: number,
): DecodedRecord {
  const end = reader.varint() + reader.position
  reader.int8()
  const timestampMs = reader.varlong() + baseTimestampMs
  const offset = baseOffset + reader.varint()
  const key = readBytes(reader)
  const value = readBytes(reader)
  const count = reader.varint()
  if (count < 0 || count > maxHeaders) throw new MalformedBytesError(`a record with ${count} headers`)
  const headers: RecordHeader[] = []
  for (let i = 0; i < count; i++) {
    const name = readBytes(reader)
    if (name === null) throw new MalformedBytesError('a record header without key')
    headers.push({ key: name.toString('utf8'), value: readBytes(reader) })
  }
  if (reader.position !== end)
    throw new MalformedBytesError(`a record ends at ${reader.position}, its length says ${end}`)
  return { offset, timestampMs: appendTimeMs ?? timestampMs, key, value, headers }
}

function readBytes(reader: ByteReader): Buffer | null {
  const length = reader.varint()
  return length < 0 ? null : reader.slice(length)
}

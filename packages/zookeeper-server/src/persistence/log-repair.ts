import { dirname } from 'node:path'
import { ByteWriter } from '@vivarium/bytes'
import type { Disk, DiskFile } from '@vivarium/platform'
import { epochOf } from '@vivarium/zookeeper-protocol'
import { adler32 } from './adler32.ts'
import { DataError } from './data-error.ts'
import { listFiles, zxidIn } from './file-names.ts'
import { endOfRecord, recordOverheadBytes, writeRecord } from './txn-log.ts'
import {
  type DamagedLog,
  follows,
  namedBefore,
  nextRecord,
  readLog,
  recordHeadBytes,
  zxidAt,
} from './txn-log-reader.ts'

/** A stretch of a log file that holds no records any more. */
export interface LogDamage {
  readonly path: string
  /** From `start` to `end`, which is where the next record begins or where only padding follows. */
  readonly start: number
  readonly end: number
  /** Whether only padding follows: how long the records were may be among what is lost. */
  readonly isAtEnd: boolean
  /** The transaction before it, and the one behind it if there is one, in this file or the next. */
  readonly before: bigint
  readonly after: bigint | null
  /** The last one that is lost, if anything tells which that was. */
  readonly last: bigint | null
}

/** How much is looked at in one go. */
const chunkBytes = 1024 * 1024

/** How far the damage reaches that was met when the log was read. */
export async function damageOf(disk: Disk, met: DamagedLog): Promise<LogDamage> {
  const { path, position: start } = met
  const before = met.before ?? zxidIn(path)! - 1n
  const file = await disk.open(path, 'read')
  try {
    const sizeBytes = await file.size()
    const next = await nextRecord(file, sizeBytes, start, before)
    if (next !== null) {
      const { position: end, zxid: after } = next
      return { path, start, end, isAtEnd: false, before, after, last: lastBetween(before, after, 0n) }
    }
    const end = await endOfWritten(file, sizeBytes, start)
    const { after, named } = await beginOfNextFile(disk, path)
    return { path, start, end, isAtEnd: true, before, after, last: lastBetween(before, after, named) }
  } finally {
    await file.close()
  }
}

/** Within an epoch zxids are consecutive; where another begins, the file that begins with it may name what stood before. */
function lastBetween(before: bigint, after: bigint | null, named: bigint): bigint | null {
  const last = named === 0n && after !== null ? after - 1n : named
  return epochOf(last) === epochOf(before) && last > before ? last : null
}

/** The first transaction of the log file behind one, and the one before it that it names; null if there is no such file. */
async function beginOfNextFile(disk: Disk, path: string): Promise<{ after: bigint | null; named: bigint }> {
  const files = await listFiles(disk, dirname(path), 'log')
  const next = files.find(({ zxid }) => zxid > zxidIn(path)!)
  if (next === undefined) return { after: null, named: 0n }
  return { after: next.zxid, named: await namedBefore(disk, next) }
}

/** Behind it there are only zeros. */
async function endOfWritten(file: DiskFile, sizeBytes: number, start: number): Promise<number> {
  let end = start
  for (let at = start; at < sizeBytes; at += chunkBytes) {
    const chunk = Buffer.alloc(Math.min(chunkBytes, sizeBytes - at))
    await file.read(chunk, at)
    const last = chunk.findLastIndex(byte => byte !== 0)
    if (last !== -1) end = at + last + 1
  }
  return end
}

/** The records behind transaction `before` as they stand in a log, up to `maxBytes` of them, for a server that has lost its own. */
export async function recordsBehind(
  disk: Disk,
  folder: string,
  before: bigint,
  maxBytes: number,
): Promise<Buffer> {
  const out = new ByteWriter()
  let last = before
  try {
    for await (const { records, behind } of readLog(disk, folder, before + 1n)) {
      if (behind > last) break
      for (const { zxid, entry } of records) {
        const bytes = entry.length + recordOverheadBytes
        if (!follows(zxid, last) || out.length + bytes > maxBytes) return out.written()
        writeRecord(out, entry)
        last = zxid
      }
    }
  } catch (error) {
    // What stands before the damage in this log is good.
    if (!(error instanceof DataError)) throw error
  }
  return out.written()
}

/**
 * Puts records of another server's log in the place of damaged ones. False, and nothing is changed, unless it is certain
 * that these are the ones that stood there: then they fill the place exactly, if something stands behind it, and their zxids
 * are the only ones that fit between their neighbours, or what is left of each says so.
 */
export async function mendLog(disk: Disk, damage: LogDamage, records: Buffer): Promise<boolean> {
  const file = await disk.open(damage.path, 'read-write')
  try {
    const left = Buffer.alloc(damage.end - damage.start)
    await file.read(left, damage.start)
    const fitting = fittingRecords(damage, left, records)
    if (fitting === null) return false
    const rest = Buffer.alloc(Math.max(0, left.length - fitting.length))
    await file.writeDurably([fitting, rest], damage.start)
    return true
  } finally {
    await file.close()
  }
}

function fittingRecords(damage: LogDamage, left: Buffer, records: Buffer): Buffer | null {
  const { before, after, last, isAtEnd } = damage
  let newest = before
  let at = 0
  while (last !== null ? newest < last : at < left.length) {
    const record = recordAt(records, at)
    if (record === null) return null
    const zxid = record.readBigInt64BE(recordHeadBytes + zxidAt)
    if (!follows(zxid, newest)) return null
    if (last === null && !resembles(record, left.subarray(at, at + record.length))) return null
    newest = zxid
    at += record.length
  }
  if (last !== null ? newest !== last : after !== null && !follows(after, newest)) return null
  if (at === 0) return null
  if (!isAtEnd && at !== left.length) return null
  return records.subarray(0, at)
}

/** A whole record of another server; null if there is none, or one that is damaged itself. */
function recordAt(records: Buffer, at: number): Buffer | null {
  if (records.length - at < recordHeadBytes) return null
  const length = records.readInt32BE(at + 8)
  const end = at + recordHeadBytes + length + 1
  if (length < zxidAt + 8 || end > records.length || records[end - 1] !== endOfRecord) return null
  const entry = records.subarray(at + recordHeadBytes, end - 1)
  return adler32(entry) === records.readUInt32BE(at + 4) ? records.subarray(at, end) : null
}

/** Where the checksum and the zxid lie in a record. */
const checksum = [4, 8] as const
const zxidOf = [recordHeadBytes + zxidAt, recordHeadBytes + zxidAt + 8] as const
/** A bit has turned, or a few. */
const turnedBytes = 8

/**
 * Whether what is left of a record can only be of this one. Records of a kind look much alike: that few bytes differ says
 * nothing if the zxid and the checksum are among them.
 */
function resembles(record: Buffer, left: Buffer): boolean {
  const isSame = ([start, end]: readonly [number, number]) =>
    left.length >= end && record.compare(left, start, end, start, end) === 0
  if (isSame(checksum) && isSame(zxidOf)) return true
  if (!isSame(checksum) && !isSame(zxidOf)) return false
  let different = record.length - left.length
  for (let i = 0; i < left.length && different <= turnedBytes; i++) if (record[i] !== left[i]) different++
  return different <= turnedBytes
}

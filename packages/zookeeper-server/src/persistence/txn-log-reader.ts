import type { Disk, DiskFile } from '@vivarium/platform'
import { counterOf, epochOf } from '@vivarium/zookeeper-protocol'
import { adler32 } from './adler32.ts'
import { DataError, mendAlone } from './data-error.ts'
import { listFiles, type NamedFile } from './file-names.ts'
import { beforeAt, endOfRecord, logHeaderBytes, logMagic, logVersion } from './txn-log.ts'

const chunkBytes = 256 * 1024
/** No transaction is shorter than its header. */
const minEntryBytes = 32
/** Checksum and length. */
export const recordHeadBytes = 12
/** Larger than any transaction: jute.maxbuffer bounds a request to 1 MiB, a multi of such is refused. */
const maxEntryBytes = 256 * 1024 * 1024

const mendRecord = `${mendAlone}, or repair it with \`zkTxnLogToolkit.sh -r\`, which may lose that transaction`

/** What stands in a log from some position on is no record, and not the end of the log. */
export class DamagedLog extends DataError {
  readonly path: string
  readonly position: number
  /** The last transaction of the file before it; null if there is none. */
  readonly before: bigint | null

  constructor(path: string, position: number, before: bigint | null, what: string, fix = mendRecord) {
    super(path, `${what} at position ${position}`, fix)
    this.path = path
    this.position = position
    this.before = before
  }
}

/** One record of a log file. */
export interface LogRecord {
  zxid: bigint
  /** Header, body and digest; valid for as long as the caller keeps it. */
  entry: Buffer
  /** Position in the file behind the record. */
  end: number
}

/**
 * Reads the records of one log file in order, in batches of those that one read brought. Ends at padding, at the end of the file or at a torn last record. A record
 * that is complete and wrong, or has another behind it, is an error, since it may have been acknowledged.
 */
export async function* readLogFile(disk: Disk, path: string, isNewest: boolean): AsyncGenerator<LogRecord[]> {
  let batch: LogRecord[] = []
  let lastZxid = 0n
  const damaged = (position: number, what: string) =>
    new DamagedLog(path, position, lastZxid === 0n ? null : lastZxid, what)
  const file = await disk.open(path, 'read')
  try {
    const reader = new ChunkedReader(file, await file.size())
    const header = await reader.take(logHeaderBytes)
    if (header === null) {
      if (isNewest) return
      throw new DataError(path, 'the header is cut off', mendAlone)
    }
    if (header.readInt32BE(0) !== logMagic || header.readInt32BE(4) !== logVersion) {
      throw new DataError(
        path,
        'this is not a ZooKeeper transaction log',
        'move the file out of the data directory',
      )
    }
    for (;;) {
      // Before it is judged how the log ends: who reads it while it is written stops at what was there.
      if (batch.length > 0 && !reader.hasWholeRecord) {
        yield batch
        batch = []
      }
      const start = reader.position
      let head = reader.take(recordHeadBytes)
      if (head instanceof Promise) head = await head
      if (head === null) break
      const length = head.readInt32BE(8)
      if (length === 0) {
        // Also in an older file: where the next one begins with another epoch, it does not tell that some are missing.
        if (await reader.holdsRecordAfter(start, lastZxid))
          throw damaged(start, 'a record of no bytes, with others behind it')
        if (head.readUInt32BE(4) !== 0 && (await reader.holdsRecordAt(start)))
          throw damaged(start, 'a whole record whose length says that there is none')
        break
      }
      if (length < 0 || length > maxEntryBytes) throw damaged(start, `a record of ${length} bytes`)
      let record = reader.take(length + 1)
      if (record instanceof Promise) record = await record
      if (record === null || record[length] !== endOfRecord) {
        // Only what was never synced can be torn, and only at the very end.
        if (await reader.holdsRecordAfter(start, lastZxid))
          throw damaged(start, 'a record without end mark, with others behind it')
        if (await reader.holdsRecordAt(start))
          throw damaged(start, 'a whole record whose length or end mark is wrong')
        break
      }
      const entry = record.subarray(0, length)
      if (head.readUInt32BE(4) !== adler32(entry))
        throw damaged(start, 'a record whose checksum does not match')
      if (length < minEntryBytes) throw damaged(start, 'a record too short for a transaction')
      lastZxid = entry.readBigInt64BE(zxidAt)
      batch.push({ zxid: lastZxid, entry, end: reader.position })
    }
    if (batch.length > 0) yield batch
  } catch (error) {
    // What stands before the damage is good.
    if (error instanceof DamagedLog && batch.length > 0) yield batch
    throw error
  } finally {
    await file.close()
  }
}

/** What one read of a log file brought. */
export interface LogBatch {
  path: string
  records: LogRecord[]
  repeated: number
  newest: bigint
  end: number
  /** The transaction before the file, if this begins one that names it; 0n: nothing is known. */
  behind: bigint
}

/**
 * All transactions from `fromZxid` on, over all files, in batches. Each is handed out once: a follower of Apache's that
 * synchronises again logs again what it had logged already (ZOOKEEPER-4541), and says so in `repeated`. `newest` was read
 * so far, though it may be before `fromZxid`, and the batch ends at `end`. `isStart`: nobody writes the log yet.
 */
export async function* readLog(
  disk: Disk,
  folder: string,
  fromZxid: bigint,
  isStart = false,
): AsyncGenerator<LogBatch> {
  const files = await filesFrom(disk, folder, fromZxid, isStart)
  let newest = -1n
  for (const [index, file] of files.entries()) {
    const { path } = file
    let behind = await namedBefore(disk, file)
    for await (const batch of readLogFile(disk, path, index === files.length - 1)) {
      let repeated = 0
      const records = batch.filter(({ zxid }) => {
        const isNew = zxid > newest
        if (isNew) newest = zxid
        if (zxid < fromZxid) return false
        if (!isNew) repeated++
        return isNew
      })
      yield { path, records, repeated, newest, end: batch.at(-1)!.end, behind }
      behind = 0n
    }
    // It was begun just before a crash.
    if (behind !== 0n) yield { path, records: [], repeated: 0, newest, end: logHeaderBytes, behind }
  }
}

/** The newest transaction of the log; null if it holds none. */
export async function newestLogged(disk: Disk, folder: string): Promise<bigint | null> {
  const files = await listFiles(disk, folder, 'log')
  let newest: bigint | null = null
  // A file that was begun just before a crash may hold nothing: then the one before it tells.
  for (const [index, file] of [...files.entries()].reverse()) {
    for await (const batch of readLogFile(disk, file.path, index === files.length - 1))
      for (const { zxid } of batch) if (newest === null || zxid > newest) newest = zxid
    if (newest !== null) return newest
  }
  return null
}

/** Whether nothing can be missing between two transactions of a log: each takes the next zxid, an epoch begins with 1. */
export function follows(zxid: bigint, before: bigint): boolean {
  return zxid === before + 1n || (epochOf(zxid) > epochOf(before) && counterOf(zxid) === 1n)
}

/** The transaction that a log file names as the one before it; 0n if it names none. */
export async function namedBefore(disk: Disk, { path, zxid }: NamedFile): Promise<bigint> {
  const file = await disk.open(path, 'read')
  try {
    const header = Buffer.alloc(logHeaderBytes)
    await file.read(header, 0)
    const named = header.readBigInt64BE(beforeAt)
    return named > 0n && named < zxid ? named : 0n
  } finally {
    await file.close()
  }
}

/**
 * Files that can hold `fromZxid` or later ones. A newest file that is empty holds none: at the start a crash has left it at its
 * creation, and it is removed, since behind others it would be one whose header is lost; later it is being begun.
 */
async function filesFrom(
  disk: Disk,
  folder: string,
  fromZxid: bigint,
  isStart: boolean,
): Promise<NamedFile[]> {
  const files = await listFiles(disk, folder, 'log')
  const newest = files.at(-1)
  if (newest !== undefined && (await disk.stat(newest.path))?.sizeBytes === 0) {
    if (isStart) await disk.remove(newest.path)
    files.pop()
  }
  const first = files.findLastIndex(file => file.zxid <= fromZxid)
  return files.slice(Math.max(first, 0))
}

/** Where in the file the last record up to `zxid` ends, and whether it is that one. */
export async function endOfZxid(
  disk: Disk,
  path: string,
  zxid: bigint,
): Promise<{ end: number; isFound: boolean }> {
  let end = logHeaderBytes
  let isFound = false
  for await (const batch of readLogFile(disk, path, true)) {
    for (const record of batch) {
      if (record.zxid > zxid) return { end, isFound }
      end = record.end
      isFound ||= record.zxid === zxid
    }
  }
  return { end, isFound }
}

/** Takes bytes off a file in order, reading ahead in chunks. */
class ChunkedReader {
  readonly #file: DiskFile
  #buffer = Buffer.alloc(0)
  #offset = 0
  #filePosition = 0
  readonly #sizeBytes: number

  constructor(file: DiskFile, sizeBytes: number) {
    this.#file = file
    this.#sizeBytes = sizeBytes
  }

  get position(): number {
    return this.#filePosition - (this.#buffer.length - this.#offset)
  }

  /** Whether the next record has been read already, from its head to its end mark. */
  get hasWholeRecord(): boolean {
    const buffered = this.#buffer.length - this.#offset
    if (buffered < recordHeadBytes) return false
    const length = this.#buffer.readInt32BE(this.#offset + 8)
    const end = this.#offset + recordHeadBytes + length
    return length > 0 && end < this.#buffer.length && this.#buffer[end] === endOfRecord
  }

  /** The next `length` bytes, or null if the file ends before. Padding counts as bytes. */
  take(length: number): Buffer | null | Promise<Buffer | null> {
    if (this.#buffer.length - this.#offset < length) return this.#takeLater(length)
    const taken = this.#buffer.subarray(this.#offset, this.#offset + length)
    this.#offset += length
    return taken
  }

  async #takeLater(length: number): Promise<Buffer | null> {
    // A length that lies must not take memory for what is not there.
    if (length > this.#sizeBytes - this.position) {
      this.#skipToEnd()
      return null
    }
    while (this.#buffer.length - this.#offset < length) {
      const held = this.#buffer.subarray(this.#offset)
      const left = this.#sizeBytes - this.#filePosition
      const wanted = Math.min(Math.max(chunkBytes, length - held.length), left)
      const buffer = Buffer.allocUnsafe(held.length + wanted)
      held.copy(buffer)
      const count = await this.#file.read(buffer.subarray(held.length), this.#filePosition)
      if (count === 0) return null
      this.#filePosition += count
      this.#buffer = buffer.subarray(0, held.length + count)
      this.#offset = 0
    }
    return this.take(length)
  }

  #skipToEnd(): void {
    this.#offset = this.#buffer.length
    this.#filePosition = this.#sizeBytes
  }

  /** Whether a whole record begins at `position`, though its head says otherwise. Nothing can be taken afterwards. */
  async holdsRecordAt(position: number): Promise<boolean> {
    const bytes = Buffer.alloc(Math.min(searchedBytes, Math.max(0, this.#sizeBytes - position)))
    const count = await this.#file.read(bytes, position)
    return isWholeRecord(bytes.subarray(0, count))
  }

  /** Whether a whole record of a later transaction stands anywhere behind `position`. Nothing can be taken afterwards. */
  async holdsRecordAfter(position: number, zxid: bigint): Promise<boolean> {
    return (await nextRecord(this.#file, this.#sizeBytes, position, zxid)) !== null
  }
}

/** The first whole record of a later transaction than `zxid` anywhere behind `position`. */
export async function nextRecord(
  file: DiskFile,
  sizeBytes: number,
  position: number,
  zxid: bigint,
): Promise<{ position: number; zxid: bigint } | null> {
  let window = Buffer.alloc(0)
  for (let at = position + 1; at < sizeBytes; ) {
    const chunk = Buffer.allocUnsafe(Math.min(searchedBytes, sizeBytes - at))
    const count = await file.read(chunk, at)
    if (count === 0) return null
    at += count
    const isRestBlank = isBlank(chunk.subarray(0, count))
    if (isRestBlank && isBlank(window)) continue
    window = Buffer.concat([window, chunk.subarray(0, count)])
    const found = firstRecord(window, zxid)
    if (found !== null) return { position: at - window.length + found.at, zxid: found.zxid }
    // The next one may have begun here.
    window = window.subarray(Math.max(0, window.length - searchedBytes))
  }
  return null
}

/**
 * Whether the record that begins with this head is whole, whatever its length says: then it was written, and may have been
 * acknowledged. A write that the power cut off leaves no end mark, and not all of what the checksum is for.
 */
function isWholeRecord(bytes: Buffer): boolean {
  if (bytes.length < recordHeadBytes) return false
  const checksum = bytes.readUInt32BE(4)
  const claimedEnd = recordHeadBytes + bytes.readInt32BE(8)
  const hasOtherMark = claimedEnd > recordHeadBytes && claimedEnd < bytes.length && bytes[claimedEnd] !== 0
  if (hasOtherMark && adler32(bytes.subarray(recordHeadBytes, claimedEnd)) === checksum) return true
  let running = 1
  let from = recordHeadBytes
  for (let end = from; ; end++) {
    end = bytes.indexOf(endOfRecord, end)
    if (end === -1) return false
    running = adler32(bytes.subarray(from, end), running)
    from = end
    if (end - recordHeadBytes >= minEntryBytes && running === checksum) return true
  }
}

/** More than most records. */
const searchedBytes = 4 * 1024 * 1024
/** Position of the zxid in an entry. */
export const zxidAt = 12
const maxEpochsLater = 10_000n

function firstRecord(bytes: Buffer, after: bigint): { at: number; zxid: bigint } | null {
  const shortest = recordHeadBytes + minEntryBytes + 1
  for (let at = 0; at + shortest <= bytes.length; at++) {
    // No record is longer than what is searched: the first byte of its length is 0.
    if (bytes[at + 8] !== 0) continue
    const length = bytes.readInt32BE(at + 8)
    const end = at + recordHeadBytes + length
    if (length < minEntryBytes || end >= bytes.length || bytes[end] !== endOfRecord) continue
    const zxid = bytes.readBigInt64BE(at + recordHeadBytes + zxidAt)
    if (zxid <= after || epochOf(zxid) - epochOf(after) > maxEpochsLater) continue
    if (bytes.readUInt32BE(at + 4) === adler32(bytes.subarray(at + recordHeadBytes, end))) return { at, zxid }
  }
  return null
}

const zeros = Buffer.alloc(64 * 1024)

function isBlank(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const end = Math.min(bytes.length, at + zeros.length)
    if (zeros.compare(bytes, at, end, 0, end - at) !== 0) return false
  }
  return true
}

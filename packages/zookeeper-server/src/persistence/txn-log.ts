import { join } from 'node:path'
import { ByteWriter } from '@vivarium/bytes'
import type { Clock, Disk, DiskFile, Log } from '@vivarium/platform'
import { counterOf } from '@vivarium/zookeeper-protocol'
import { adler32 } from './adler32.ts'
import { DataError } from './data-error.ts'
import { listFiles, logName } from './file-names.ts'
import { LogPadding } from './log-padding.ts'

export const logMagic = 0x5a4b4c47
export const logVersion = 2
export const logHeaderBytes = 16
/**
 * Where the header names the transaction before the file's first: an epoch's first may follow any, so that nothing else tells
 * that the end of the file before is lost. Apache writes 0 there (dbid), and reads it for people only.
 */
export const beforeAt = 8
export const endOfRecord = 0x42
/** What a record has beside its transaction: checksum, length, end mark. */
export const recordOverheadBytes = 13

export interface TxnLogOptions {
  /** Files grow by this much at a time (LogPadding); 0 turns it off. */
  preallocateBytes: number
  /** `forceSync=no` trades durability for speed, as in Apache. */
  sync: boolean
  /** Slower syncs are reported (`fsync.warningthresholdms`). */
  slowSyncMs: number
  /** A new file is begun once one is larger (`txnLogSizeLimitInKb`); 0: no limit. */
  maxFileBytes: number
}

/** Who wants to know what is durable. */
export interface LogListener {
  /**
   * The transaction survives a power loss, and so does everything appended before it. `isLast`: nothing more is to be said at
   * this moment, so that whoever only wants to know how far it goes need not look at each.
   */
  durable(zxid: bigint, entry: Buffer, isLast: boolean): void
}

/** Transactions that go to disk together. */
interface Batch {
  /** The records as the file holds them. */
  readonly records: ByteWriter
  /** The transaction before the first of them. */
  before: bigint
  // One of each for every transaction.
  readonly zxids: bigint[]
  readonly entries: Buffer[]
  readonly listeners: (LogListener | null)[]
}

/** A batch's memory is kept for the next one unless it grew past this. */
const keptBatchBytes = 4 * 1024 * 1024

/**
 * The transaction log in Apache's format. Appends are group-committed: everything gathered while one write is on its way to
 * the disk goes with the next. Listeners are told in order, and only of what is durable.
 *
 * After a failed write or sync the log is dead: nothing more is acknowledged and `onFailure` is told once, because a
 * second fsync may report success for pages the disk never got.
 */
export class TxnLog {
  readonly #disk: Disk
  readonly #clock: Clock
  readonly #log: Log
  readonly #folder: string
  readonly #options: TxnLogOptions
  readonly #onFailure: (error: Error) => void
  /** Gathers while the one before it is written. */
  #pending: Batch = newBatch()
  #spare: Batch | null = null
  #file: DiskFile | null = null
  #padding: LogPadding | null = null
  #position = 0
  #isFlushing = false
  #mustRoll = false
  #hasFailed = false
  #idle: (() => void)[] = []
  /** Durations of syncs, for `mntr`. */
  readonly syncTimes = { count: 0, totalMs: 0, maxMs: 0 }

  constructor(
    world: { disk: Disk; clock: Clock; log: Log },
    folder: string,
    options: TxnLogOptions,
    onFailure: (error: Error) => void,
  ) {
    this.#disk = world.disk
    this.#clock = world.clock
    this.#log = world.log.named('FileTxnLog')
    this.#folder = folder
    this.#options = options
    this.#onFailure = onFailure
  }

  /** Appends a transaction behind transaction `before` (0: behind none); the listener is told once it is durable. */
  append(zxid: bigint, before: bigint, entry: Buffer, listener: LogListener | null): void {
    if (this.#hasFailed) return
    const { records, zxids, entries, listeners } = this.#pending
    if (zxids.length === 0) this.#pending.before = before
    writeRecord(records, entry)
    zxids.push(zxid)
    entries.push(entry)
    listeners.push(listener)
    if (!this.#isFlushing) {
      this.#isFlushing = true
      // When every socket that is ready has been read, so that what they all bring goes together.
      this.#clock.soon(() => void this.#flushLoop())
    }
  }

  /** Resolves when everything appended so far is durable; never, if the log fails. */
  flush(): Promise<void> {
    if (!this.#isFlushing) return Promise.resolve()
    return new Promise(resolve => this.#idle.push(resolve))
  }

  /** The next transaction begins a new file. */
  roll(): void {
    this.#mustRoll = true
  }

  /** Finishes what is pending and closes the file; a later append begins a new one. */
  async close(): Promise<void> {
    if (!this.#hasFailed) await this.flush()
    await this.#closeFile()
  }

  async #flushLoop(): Promise<void> {
    try {
      while (this.#pending.zxids.length > 0) {
        const batch = this.#pending
        this.#pending = this.#spare ?? newBatch()
        this.#spare = null
        await this.#write(batch)
        const { records, zxids, entries, listeners } = batch
        for (let i = 0; i < zxids.length; i++)
          listeners[i]?.durable(zxids[i]!, entries[i]!, listeners[i + 1] !== listeners[i])
        records.reset(keptBatchBytes)
        for (const each of [zxids, entries, listeners]) each.length = 0
        this.#spare = batch
      }
    } catch (error) {
      this.#hasFailed = true
      this.#pending = newBatch()
      this.#onFailure(error as Error)
      return
    }
    this.#isFlushing = false
    const idle = this.#idle
    this.#idle = []
    for (const resolve of idle) resolve()
  }

  async #write(batch: Batch): Promise<void> {
    const isFull = this.#options.maxFileBytes > 0 && this.#position > this.#options.maxFileBytes
    if (this.#mustRoll || isFull) {
      this.#mustRoll = false
      await this.#closeFile()
    }
    const isNew = this.#file === null
    if (isNew) await this.#openFile(batch.zxids[0]!, batch.before)
    const file = this.#file!
    const { length } = batch.records
    const position = this.#position
    await this.#padding?.reserve(position + length)
    const records = [batch.records.written()]
    this.#position += length
    if (!this.#options.sync) return file.write(records, position)
    const startedMs = this.#clock.monotonicMs()
    await file.writeDurably(records, position)
    if (isNew) await this.#disk.syncDirectory(this.#folder)
    this.#measure(this.#clock.monotonicMs() - startedMs)
  }

  #measure(tookMs: number): void {
    this.syncTimes.count++
    this.syncTimes.totalMs += tookMs
    this.syncTimes.maxMs = Math.max(this.syncTimes.maxMs, tookMs)
    if (tookMs <= this.#options.slowSyncMs) return
    this.#log.warn(
      `fsync-ing the write ahead log in SyncThread took ${Math.round(tookMs)}ms which will adversely effect operation latency. ` +
        `File size is ${this.#position} bytes. See the ZooKeeper troubleshooting guide`,
    )
  }

  async #openFile(zxid: bigint, before: bigint): Promise<void> {
    const { preallocateBytes, sync } = this.#options
    const path = join(this.#folder, logName(zxid))
    this.#log.info(`Creating new log file: ${logName(zxid)}`)
    // A file of that name can only hold what was cut off before: nothing of it is committed.
    await this.#disk.remove(path)
    const file = await this.#disk.open(path, 'create')
    this.#file = file
    const header = Buffer.alloc(logHeaderBytes)
    header.writeInt32BE(logMagic, 0)
    header.writeInt32BE(logVersion, 4)
    // The start of an epoch is no transaction: a database that came from a leader may end there.
    header.writeBigInt64BE(counterOf(before) === 0n ? 0n : before, beforeAt)
    await (sync ? file.writeDurably([header], 0) : file.write([header], 0))
    this.#position = logHeaderBytes
    if (preallocateBytes <= 0) return
    const zeros = sync ? await this.#disk.open(path, 'read-write') : null
    this.#padding = new LogPadding(file, zeros, preallocateBytes, logHeaderBytes)
  }

  async #closeFile(): Promise<void> {
    const [file, padding] = [this.#file, this.#padding]
    this.#file = null
    this.#padding = null
    await padding?.close()
    await file?.close()
  }

  /**
   * Cuts everything behind `zxid` off the files of `folder`, for good. The log must be closed. Rejects, touching nothing, if
   * the log does not hold `zxid`; unless `mayLackIt`, because a snapshot ends exactly there.
   */
  static async truncate(
    disk: Disk,
    folder: string,
    zxid: bigint,
    mayLackIt: boolean,
    endOf: (path: string, zxid: bigint) => Promise<{ end: number; isFound: boolean }>,
  ): Promise<void> {
    const files = await listFiles(disk, folder, 'log')
    const last = files.findLast(file => file.zxid <= zxid)
    const cut = last === undefined ? { end: logHeaderBytes, isFound: false } : await endOf(last.path, zxid)
    if (!cut.isFound && !mayLackIt) {
      throw new DataError(
        last?.path ?? folder,
        `it does not hold transaction 0x${zxid.toString(16)}, behind which it should be cut`,
        'nothing is to be done: the leader will send its database',
      )
    }
    for (const file of files.toReversed()) if (file.zxid > zxid) await disk.remove(file.path)
    if (last !== undefined) {
      const open = await disk.open(last.path, 'read-write')
      try {
        await open.truncate(cut.end)
        await open.sync()
      } finally {
        await open.close()
      }
    }
    await disk.syncDirectory(folder)
  }
}

/** A transaction as log files hold it: its checksum as 64 bits, its length, its bytes, an end mark. */
export function writeRecord(out: ByteWriter, entry: Buffer): void {
  out.int32(0)
  out.uint32(adler32(entry))
  out.int32(entry.length)
  out.bytes(entry)
  out.uint8(endOfRecord)
}

function newBatch(): Batch {
  return { records: new ByteWriter(4096), before: 0n, zxids: [], entries: [], listeners: [] }
}

import { join } from 'node:path'
import { assert, type Clock, type Disk, type DiskFile, type Log } from '@vivarium/platform'
import { adler32 } from './adler32.ts'
import { listFiles, logName } from './file-names.ts'

export const logMagic = 0x5a4b4c47
export const logVersion = 2
export const logHeaderBytes = 16
export const endOfRecord = 0x42

export interface TxnLogOptions {
  /** Files grow by this much at a time, so that an fdatasync need not write a new length; 0 turns it off. */
  preallocateBytes: number
  /** `forceSync=no` trades durability for speed, as in Apache. */
  sync: boolean
  /** Slower syncs are reported (`fsync.warningthresholdms`). */
  slowSyncMs: number
  /** A new file is begun once one is larger (`txnLogSizeLimitInKb`); 0: no limit. */
  maxFileBytes: number
}

interface Pending {
  zxid: bigint
  head: Buffer
  entry: Buffer
  onDurable: (() => void) | null
}

const endMark = Buffer.from([endOfRecord])

/**
 * The transaction log in Apache's format. Appends are group-committed: everything gathered while one fdatasync runs is
 * written with one call and made durable by the next. Callbacks come in order, and only for what is durable.
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
  #pending: Pending[] = []
  #file: DiskFile | null = null
  #path = ''
  #position = 0
  #allocated = 0
  #isFlushing = false
  #mustRoll = false
  #hasFailed = false
  #idle: (() => void)[] = []
  /** Size and number of what was appended since the last roll, for deciding when to snapshot. */
  bytesSinceRoll = 0
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

  /** Bytes waiting to be written; a bound on it is the caller's to keep. */
  get pendingCount(): number {
    return this.#pending.length
  }

  /** Appends a transaction; `onDurable` is called once it survives a power loss. */
  append(zxid: bigint, entry: Buffer, onDurable: (() => void) | null): void {
    if (this.#hasFailed) return
    const head = Buffer.allocUnsafe(12)
    head.writeUInt32BE(0, 0)
    head.writeUInt32BE(adler32(entry), 4)
    head.writeInt32BE(entry.length, 8)
    this.#pending.push({ zxid, head, entry, onDurable })
    this.bytesSinceRoll += entry.length + 13
    if (!this.#isFlushing) {
      this.#isFlushing = true
      // After this turn of the event loop, so that everything it appends goes together.
      queueMicrotask(() => void this.#flushLoop())
    }
  }

  /** Resolves when everything appended so far is durable; never, if the log fails. */
  flush(): Promise<void> {
    if (!this.#isFlushing) return Promise.resolve()
    return new Promise(resolve => this.#idle.push(resolve))
  }

  /** The next transaction begins a new file. */
  roll(): void {
    this.bytesSinceRoll = 0
    this.#mustRoll = true
  }

  /** Finishes what is pending and closes the file; a later append begins a new one. */
  async close(): Promise<void> {
    await this.flush()
    await this.#closeFile()
  }

  async #flushLoop(): Promise<void> {
    try {
      while (this.#pending.length > 0) {
        const batch = this.#pending
        this.#pending = []
        await this.#write(batch)
        for (const { onDurable } of batch) onDurable?.()
      }
    } catch (error) {
      this.#hasFailed = true
      this.#pending = []
      this.#onFailure(error as Error)
      return
    }
    this.#isFlushing = false
    const idle = this.#idle
    this.#idle = []
    for (const resolve of idle) resolve()
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    const isFull = this.#options.maxFileBytes > 0 && this.#position > this.#options.maxFileBytes
    if (this.#mustRoll || isFull) {
      this.#mustRoll = false
      await this.#closeFile()
    }
    const isNew = this.#file === null
    if (isNew) await this.#openFile(batch[0]!.zxid)
    const file = this.#file!
    const buffers: Buffer[] = []
    let length = 0
    for (const { head, entry } of batch) {
      buffers.push(head, entry, endMark)
      length += entry.length + 13
    }
    await this.#preallocate(length)
    await file.write(buffers, this.#position)
    this.#position += length
    if (!this.#options.sync) return
    const startedMs = this.#clock.monotonicMs()
    await file.sync()
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

  async #openFile(zxid: bigint): Promise<void> {
    this.#path = join(this.#folder, logName(zxid))
    this.#log.info(`Creating new log file: ${logName(zxid)}`)
    // A file of that name can only hold what was cut off before: nothing of it is committed.
    await this.#disk.remove(this.#path)
    this.#file = await this.#disk.open(this.#path, 'create')
    const header = Buffer.alloc(logHeaderBytes)
    header.writeInt32BE(logMagic, 0)
    header.writeInt32BE(logVersion, 4)
    await this.#file.write([header], 0)
    this.#position = logHeaderBytes
    this.#allocated = logHeaderBytes
  }

  /** Apache's rule (FilePadding): one zero byte at the new end, whenever less than 4 KiB are left. */
  async #preallocate(length: number): Promise<void> {
    const step = this.#options.preallocateBytes
    const end = this.#position + length
    if (step <= 0 || end + 4096 < this.#allocated) return
    let size = this.#allocated + step
    if (end > this.#allocated) size = end + step - (end % step)
    await this.#file!.write([Buffer.alloc(1)], size - 1)
    this.#allocated = size
  }

  async #closeFile(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close()
  }

  /** Cuts everything behind `zxid` off the files of `folder`, for good. The log must be closed. */
  static async truncate(
    disk: Disk,
    folder: string,
    zxid: bigint,
    endOf: (path: string, zxid: bigint) => Promise<number>,
  ): Promise<void> {
    const files = await listFiles(disk, folder, 'log')
    const last = files.findLast(file => file.zxid <= zxid)
    assert(last !== undefined, 'truncation stays within the log')
    for (const file of files) if (file.zxid > last.zxid) await disk.remove(file.path)
    const end = await endOf(last.path, zxid)
    const open = await disk.open(last.path, 'read-write')
    try {
      await open.truncate(end)
      await open.sync()
    } finally {
      await open.close()
    }
    await disk.syncDirectory(folder)
  }
}

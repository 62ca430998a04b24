import { join } from 'node:path'
import { assert, background, type Clock, type Disk, type Log, type Random } from '@vivarium/platform'
import { counterOf, formatZxid } from '@vivarium/zookeeper-protocol'
import { CommittedLog } from './committed-log.ts'
import { type Applied, DataTree } from './data-tree.ts'
import { digestVersion, type TreeDigest } from './digest.ts'
import { DataError } from './persistence/data-error.ts'
import { listFiles, versionFolder } from './persistence/file-names.ts'
import { damageOf, type LogDamage, mendLog, recordsBehind } from './persistence/log-repair.ts'
import { purge } from './persistence/purge.ts'
import { type Recovered, recover } from './persistence/recovery.ts'
import type { SnapshotPacking } from './persistence/snapshot-packing.ts'
import { deserializeDatabase } from './persistence/snapshot-reader.ts'
import { SnapshotSchedule } from './persistence/snapshot-schedule.ts'
import { serializeDatabase, writeSnapshot } from './persistence/snapshot-writer.ts'
import { type LogListener, recordOverheadBytes, TxnLog } from './persistence/txn-log.ts'
import { DamagedLog, endOfZxid, follows, readLog } from './persistence/txn-log-reader.ts'
import type { ByteSource, CommittedTxn, Mending } from './quorum/replica.ts'
import type { ServerSettings } from './settings.ts'
import type { ServerStats } from './stats.ts'
import { decodeEntry, type Entry } from './txn.ts'
import { Watches } from './watches.ts'

export interface DatabaseWorld {
  disk: Disk
  clock: Clock
  random: Random
  log: Log
}

/** Of a log that is written again, at a time. */
const rewrittenBytes = 4 * 1024 * 1024
/** More transactions than can be committed while a leader sends its database. */
const maxFuzzyTxns = 100_000

/**
 * A server's copy of the replicated state: tree, sessions and watches in memory, log and snapshots on disk. Knows nothing
 * of clients or peers.
 */
export class Database {
  readonly tree: DataTree
  readonly watches: Watches = new Watches()
  /** Global sessions and their timeouts, as replicated. */
  sessions = new Map<bigint, number>()
  /** The newest committed transactions, oldest first: what learners are brought up to date with. */
  readonly committedLog: CommittedLog
  readonly #world: DatabaseWorld
  readonly #log: Log
  readonly #settings: ServerSettings
  readonly #stats: ServerStats
  readonly #folders: { snapshots: string; logs: string }
  readonly #txnLog: TxnLog
  readonly #digests: boolean
  #lastLoggedZxid = 0n
  readonly #schedule: SnapshotSchedule
  #isSnapshotting: Promise<void> | null = null
  /** The database came from a leader and is not on disk yet. */
  #isRestored = false
  /** What is on disk cannot be trusted, and nothing has taken its place yet. */
  #isAbandoned = false
  #damage: LogDamage | null = null
  /** How many transactions may still differ in their digest after a fuzzy snapshot. */
  #fuzzyTxns = 0

  /** `onFailure`: the disk failed; nothing more will be acknowledged. */
  constructor(
    world: DatabaseWorld,
    settings: ServerSettings,
    stats: ServerStats,
    onFailure: (error: Error) => void,
  ) {
    this.#world = world
    this.#log = world.log.named('ZooKeeperServer')
    this.#settings = settings
    this.#stats = stats
    const { values } = settings
    this.#digests = values['digest.enabled']
    this.tree = new DataTree({
      extendedTypes: values.extendedTypesEnabled,
      digests: this.#digests,
      // Never shown; the runtime seeds its own hashes with no more.
      hashSeed: world.random.below(2 ** 32),
    })
    this.#folders = { snapshots: versionFolder(settings.dataDir), logs: versionFolder(settings.dataLogDir) }
    this.#txnLog = new TxnLog(
      world,
      this.#folders.logs,
      {
        preallocateBytes: values.preAllocSize * 1024,
        sync: values.forceSync === 'yes',
        slowSyncMs: values['fsync.warningthresholdms'],
        maxFileBytes: Math.max(0, values.txnLogSizeLimitInKb * 1024),
      },
      onFailure,
    )
    this.committedLog = new CommittedLog(values.commitLogCount)
    const limits = {
      txns: values.snapCount,
      bytes: values.snapSizeLimitInKb * 1024,
      txnsPerZnode: values.snapLogFactor,
    }
    this.#schedule = new SnapshotSchedule(limits, world.random)
  }

  /** The newest transaction in the log, or in the tree if that is newer (after a snapshot from the leader). */
  get lastLoggedZxid(): bigint {
    const { lastProcessedZxid } = this.tree
    if (lastProcessedZxid > this.#lastLoggedZxid) return lastProcessedZxid
    return this.#lastLoggedZxid
  }

  get folders(): { readonly snapshots: string; readonly logs: string } {
    return this.#folders
  }

  get syncTimes(): { count: number; totalMs: number; maxMs: number } {
    return this.#txnLog.syncTimes
  }

  /** Loads what is on disk. Rejects with DataError when it cannot be trusted. */
  async open(): Promise<void> {
    const { disk, clock } = this.#world
    await disk.makeDirectory(this.#folders.snapshots)
    await disk.makeDirectory(this.#folders.logs)
    const startedMs = clock.monotonicMs()
    this.#damage = null
    const { isEmpty, newestLog } = await this.#recoverOrInspect()
    if (newestLog !== null) await this.#rewrite(newestLog)
    if (isEmpty) await this.saveSnapshot()
    const tookMs = clock.monotonicMs() - startedMs
    this.#stats.loadMs.add(tookMs)
    this.#log.info(
      `Snapshot loaded in ${Math.round(tookMs)} ms, highest zxid is 0x${formatZxid(this.tree.lastProcessedZxid)}, digest is ${this.tree.digest}`,
    )
  }

  async #recoverOrInspect(): Promise<Recovered> {
    try {
      return await this.#recover()
    } catch (error) {
      if (error instanceof DamagedLog) this.#damage = await damageOf(this.#world.disk, error)
      throw error
    }
  }

  /** The stretch of the log that kept it from being loaded, if another server's log can mend that. */
  get damage(): LogDamage | null {
    return this.#damage
  }

  /** Puts another server's records where the log is damaged, if they are the ones, and loads everything anew. */
  async mend(records: Buffer): Promise<Mending> {
    if (this.#damage === null || !(await mendLog(this.#world.disk, this.#damage, records))) return 'unfit'
    try {
      await this.open()
    } catch (error) {
      if (!(error instanceof DataError)) throw error
      await this.abandon()
      return 'fits'
    }
    this.#isAbandoned = false
    return 'whole'
  }

  /** Records behind transaction `before`, as they stand in the log, for a server that has lost its own. */
  async recordsBehind(before: bigint, maxBytes: number): Promise<Buffer> {
    await this.flush()
    return recordsBehind(this.#world.disk, this.#folders.logs, before, maxBytes)
  }

  /**
   * What was read of the newest log may stand in the system's memory only, after a write that was not finished or failed, and
   * this server is about to vouch for it. A sync alone would not do: after a failed one the system holds those pages for
   * clean. They are written again.
   */
  async #rewrite({ path, end }: { path: string; end: number }): Promise<void> {
    const { disk } = this.#world
    const file = await disk.open(path, 'read-write')
    try {
      for (let at = 0; at < end; ) {
        const chunk = Buffer.allocUnsafe(Math.min(rewrittenBytes, end - at))
        const count = await file.read(chunk, at)
        assert(count > 0, 'what was read can be read again')
        await file.writeDurably([chunk.subarray(0, count)], at)
        at += count
      }
    } finally {
      await file.close()
    }
    await disk.syncDirectory(this.#folders.logs)
  }

  /**
   * What is on disk cannot be trusted, and only a leader's database takes its place; until that is on disk the files stay as
   * they are, for the sake of who may yet mend them.
   */
  async abandon(): Promise<void> {
    this.#isAbandoned = true
    await this.#txnLog.close()
    this.tree.reset()
    this.sessions = new Map()
    this.committedLog.clear()
    this.#lastLoggedZxid = 0n
    this.#isRestored = false
  }

  append(zxid: bigint, entry: Buffer, listener: LogListener | null): void {
    assert(zxid > this.#lastLoggedZxid, 'transactions are logged in zxid order')
    this.#txnLog.append(zxid, this.#lastLoggedZxid, entry, listener)
    this.#lastLoggedZxid = zxid
    this.#schedule.logged(entry.length + recordOverheadBytes)
  }

  flush(): Promise<void> {
    return this.#txnLog.flush()
  }

  /** Applies a committed transaction to tree and sessions; its watches fire. */
  apply(decoded: Entry, entry: Buffer): Applied {
    const applied = this.#apply(decoded, entry)
    this.#snapshotIfDue()
    return applied
  }

  #apply({ header, txn, digest }: Entry, entry: Buffer): Applied {
    if (txn.type === 'createSession') this.sessions.set(header.clientId, txn.timeOut)
    else if (txn.type === 'closeSession') this.sessions.delete(header.clientId)
    const applied = this.tree.apply(header, txn, this.watches)
    if (digest !== null && this.#digests) this.#compareDigest(header.zxid, digest)
    this.committedLog.push(header.zxid, entry)
    this.#stats.commits++
    return applied
  }

  /** A difference means that servers do not hold the same tree: people must know, though nothing here can mend it. */
  #compareDigest(zxid: bigint, digest: TreeDigest): void {
    if (digest.version !== digestVersion) return
    const isSame = this.tree.hasDigest(digest)
    // A snapshot is fuzzy: until the transactions made while it was written are applied again, the tree is ahead.
    if (isSame || this.#fuzzyTxns > 0) {
      this.#fuzzyTxns = isSame ? 0 : this.#fuzzyTxns - 1
      return
    }
    this.#stats.digestMismatches++
    if (this.#stats.digestMismatches === 1 || this.#stats.digestMismatches % 10_000 === 0)
      this.#log.warn(`Digests are not matching. Value is Zxid. 0x${formatZxid(zxid)}`)
  }

  /** Applies what the next leader may yet cut off: no snapshot may hold it. */
  applyTentatively(entry: Buffer): void {
    this.#apply(decodeEntry(entry), entry)
  }

  // ---- snapshots --------------------------------------------------------------------------------------------------------

  #snapshotIfDue(): void {
    if (!this.#schedule.isFileFull) return
    this.#schedule.fileBegun()
    this.#txnLog.roll()
    const { nodes, snapshotBytes } = this.tree
    if (this.#schedule.isSnapshotDue({ znodes: nodes.size, bytes: snapshotBytes })) this.beginSnapshot()
  }

  /** Whether the newest snapshot on disk holds everything that is in the log. */
  get isSnapshotCurrent(): boolean {
    return this.#schedule.isCurrent
  }

  /** Writes a snapshot while everything goes on, unless one is being written. */
  beginSnapshot(): void {
    if (this.#isSnapshotting !== null) return this.#log.warn('Too busy to snap, skipping')
    // A failed snapshot loses nothing: the log still holds every transaction.
    background(this.saveSnapshot(), error => {
      this.#stats.snapshotErrors++
      this.#log.error('Severe error: the snapshot could not be written', error)
    })
  }

  /** Writes a snapshot of the tree as it is now; the log goes on meanwhile. */
  async saveSnapshot(): Promise<void> {
    if (this.#isSnapshotting !== null) await this.#isSnapshotting
    const running = this.#writeSnapshot()
    this.#isSnapshotting = running
    try {
      await running
    } finally {
      this.#isSnapshotting = null
    }
  }

  async #writeSnapshot(): Promise<void> {
    const { disk, clock } = this.#world
    const startedMs = clock.monotonicMs()
    this.#log.info(`Snapshotting: 0x${formatZxid(this.tree.lastProcessedZxid)} to ${this.#folders.snapshots}`)
    const packing = this.#settings.values['snapshot.compression.method'] as SnapshotPacking
    const written = this.#schedule.snapshotBegun()
    await writeSnapshot(disk, this.#folders.snapshots, this.tree, this.sessions, packing)
    if (this.#isRestored) {
      // The older logs hold this server's own past, which may differ from the leader's: no learner may ever be fed from it.
      await this.#removeLogs()
      await this.#removeSnapshotsAfter(this.tree.lastProcessedZxid)
      this.#isRestored = false
      this.#isAbandoned = false
      this.#damage = null
    }
    written()
    const tookMs = clock.monotonicMs() - startedMs
    this.#stats.snapshots++
    this.#stats.snapshotMs.add(tookMs)
    this.#log.info(`Snapshot taken in ${Math.round(tookMs)} ms`)
  }

  async #removeLogs(): Promise<void> {
    const { disk } = this.#world
    for (const file of await listFiles(disk, this.#folders.logs, 'log')) await disk.remove(file.path)
    await disk.syncDirectory(this.#folders.logs)
  }

  /** Resolves when no snapshot is being written. One that failed was reported by whoever began it. */
  async snapshotsDone(): Promise<void> {
    await this.#isSnapshotting?.catch(() => {})
  }

  /** Bytes of all files in the two folders. */
  async sizesBytes(): Promise<{ data: number; log: number }> {
    const { snapshots, logs } = this.#folders
    return { data: await this.#folderBytes(snapshots), log: await this.#folderBytes(logs) }
  }

  async #folderBytes(folder: string): Promise<number> {
    const { disk } = this.#world
    let bytes = 0
    for (const name of (await disk.list(folder)) ?? [])
      bytes += (await disk.stat(join(folder, name)))?.sizeBytes ?? 0
    return bytes
  }

  async purge(keep: number): Promise<void> {
    for (const path of await purge(this.#world.disk, this.#folders, keep))
      this.#log.info(`Removing file: ${path}`)
  }

  // ---- for learners -------------------------------------------------------------------------------------------------------

  async *serialize(): AsyncGenerator<Buffer> {
    yield* serializeDatabase(this.tree, this.sessions)
  }

  /** Replaces everything by a leader's database as of `zxid`. */
  async restore(zxid: bigint, stream: ByteSource): Promise<void> {
    this.sessions = await deserializeDatabase(stream, this.tree)
    this.tree.lastProcessedZxid = zxid
    this.committedLog.clear()
    this.#lastLoggedZxid = zxid
    this.#isRestored = true
    this.#fuzzyTxns = maxFuzzyTxns
    await this.#txnLog.close()
  }

  /** Committed transactions from `fromZxid` on, from the log files; null if they do not reach back that far. */
  async readLog(fromZxid: bigint, maxBytes: number): Promise<CommittedTxn[] | null> {
    try {
      return await this.#readLog(fromZxid, maxBytes)
    } catch (error) {
      if (!(error instanceof DataError)) throw error
      // What this server has in memory is whole; it will find the damage in its files when it starts again.
      this.#log.error('Learners are sent the whole database instead of the log', error)
      return null
    }
  }

  async #readLog(fromZxid: bigint, maxBytes: number): Promise<CommittedTxn[] | null> {
    const lastLogged = this.#lastLoggedZxid
    await this.flush()
    const txns: CommittedTxn[] = []
    let bytes = 0
    for await (const { records, behind } of readLog(this.#world.disk, this.#folders.logs, fromZxid)) {
      if (txns.length > 0 && behind > txns.at(-1)!.zxid) return null
      for (const { zxid, entry } of records) {
        if (zxid > this.tree.lastProcessedZxid) return txns
        const before = txns.at(-1)?.zxid
        if (before === undefined ? zxid > fromZxid : !follows(zxid, before)) return null
        bytes += entry.length
        if (bytes > maxBytes) return null
        txns.push({ zxid, entry: Buffer.from(entry) })
        // Behind it the log is being written.
        if (zxid === lastLogged) return txns
      }
    }
    return txns
  }

  /** Cuts the log behind `zxid` and loads the tree anew from disk. Rejects with DataError, touching nothing, if it cannot. */
  async truncate(zxid: bigint): Promise<void> {
    const { disk } = this.#world
    await this.snapshotsDone()
    await this.#txnLog.close()
    const snapshots = await listFiles(disk, this.#folders.snapshots, 'snapshot')
    if (!snapshots.some(file => file.zxid <= zxid)) {
      throw new DataError(
        this.#folders.snapshots,
        `every snapshot is newer than 0x${formatZxid(zxid)}, where the log should be cut`,
        'nothing is to be done: the leader will send its database',
      )
    }
    // The start of an epoch is no transaction: a leader that wrote nothing yet has the log end there.
    const isEpochStart = counterOf(zxid) === 0n
    const mayLackIt = isEpochStart || snapshots.some(file => file.zxid === zxid)
    await TxnLog.truncate(disk, this.#folders.logs, zxid, mayLackIt, (path, at) => endOfZxid(disk, path, at))
    // They hold what was cut off.
    await this.#removeSnapshotsAfter(zxid)
    await this.reload()
    assert(
      this.lastLoggedZxid === zxid || (isEpochStart && this.lastLoggedZxid < zxid),
      `the log ends at 0x${formatZxid(zxid)} after it was cut there`,
    )
  }

  async #removeSnapshotsAfter(zxid: bigint): Promise<void> {
    const { disk } = this.#world
    const newer = (await listFiles(disk, this.#folders.snapshots, 'snapshot')).filter(
      file => file.zxid > zxid,
    )
    for (const file of newer) await disk.remove(file.path)
    if (newer.length > 0) await disk.syncDirectory(this.#folders.snapshots)
  }

  /** Loads the tree anew from disk. */
  async reload(): Promise<void> {
    if (this.#isAbandoned) return this.abandon()
    await this.#txnLog.close()
    this.tree.reset()
    await this.#recover()
    this.#isRestored = false
  }

  async #recover(): Promise<Recovered> {
    const recovered = await recover(this.#world, this.#folders, this.tree, {
      keepCommitted: this.#settings.values.commitLogCount,
      trustEmpty: this.#settings.values['snapshot.trust.empty'],
    })
    this.sessions = recovered.sessions
    this.committedLog.clear()
    for (const { zxid, entry } of recovered.committed) this.committedLog.push(zxid, entry)
    this.#lastLoggedZxid = recovered.lastZxid
    this.#schedule.replayed(recovered.replayed)
    // What is logged from now on would seem to follow it. A crash may have kept it from being removed before.
    if (recovered.isLogStale) await this.#removeLogs()
    return recovered
  }

  async close(): Promise<void> {
    await this.#isSnapshotting
    await this.#txnLog.close()
  }
}

import type { Clock, Disk, Log } from '@vivarium/platform'
import { formatZxid } from '@vivarium/zookeeper-protocol'
import type { DataTree } from '../data-tree.ts'
import type { CommittedTxn } from '../quorum/replica.ts'
import { decodeEntry } from '../txn.ts'
import { DataError, mendAlone } from './data-error.ts'
import { listFiles, zxidIn } from './file-names.ts'
import { looksWhole, readSnapshot } from './snapshot-reader.ts'
import { logHeaderBytes, recordOverheadBytes } from './txn-log.ts'
import { DamagedLog, follows, type LogBatch, newestLogged, readLog } from './txn-log-reader.ts'

/** Apache tries this many snapshots, newest first. */
const maxSnapshotsTried = 100

export interface Recovered {
  sessions: Map<bigint, number>
  /** Newest transaction found; 0 in an empty directory. */
  lastZxid: bigint
  /** The newest `keepCommitted` transactions. */
  committed: CommittedTxn[]
  isEmpty: boolean
  /** The log does not reach the snapshot, which then came from a leader: nothing connects the two. */
  isLogStale: boolean
  /** The newest file that was replayed, and where its last record ends; null if none was. */
  newestLog: { path: string; end: number } | null
  /** What stood in the log behind the snapshot. */
  replayed: { txns: number; bytes: number }
}

/**
 * Loads the newest whole snapshot and replays the log behind it into `tree`. Throws DataError when what is there cannot
 * be trusted: nothing is ever dropped in silence but a torn last record.
 */
export async function recover(
  world: { disk: Disk; clock: Clock; log: Log },
  folders: { snapshots: string; logs: string },
  tree: DataTree,
  options: { keepCommitted: number; trustEmpty: boolean },
): Promise<Recovered> {
  const { disk, clock } = world
  const log = world.log.named('FileTxnSnapLog')
  const startedMs = clock.monotonicMs()
  const { sessions, unusable } = await loadSnapshot(disk, log, folders.snapshots, tree)
  const isEmpty = sessions === null
  const live = sessions ?? new Map<bigint, number>()
  const newest: CommittedTxn[] = []
  let lastZxid = tree.lastProcessedZxid
  const replayed = { txns: 0, bytes: 0 }
  const hasPast = () => !isEmpty || replayed.txns > 0
  let read: LogBatch | null = null
  const startZxid = lastZxid
  const repeatedIn = new Map<string, number>()
  let newestLog: Recovered['newestLog'] = null
  for await (const batch of readLog(disk, folders.logs, lastZxid + 1n, true)) {
    const { path, records, repeated, behind } = batch
    if (behind > lastZxid && hasPast()) throw missing(read, path, lastZxid, zxidIn(path)!, unusable)
    if (repeated > 0) repeatedIn.set(path, (repeatedIn.get(path) ?? 0) + repeated)
    for (const { zxid, entry, end } of records) {
      newestLog = { path, end }
      unusable.delete(zxid)
      if (!hasPast() && !options.trustEmpty) {
        throw new DataError(
          path,
          'there is a log but no snapshot it could build on',
          'restore the snapshot, or set snapshot.trust.empty=true if there never was one',
        )
      }
      if (!follows(zxid, lastZxid) && hasPast()) throw missing(read, path, lastZxid, zxid, unusable)
      applyRecovered(tree, live, entry)
      replayed.txns++
      replayed.bytes += entry.length + recordOverheadBytes
      lastZxid = zxid
      newest.push({ zxid, entry })
    }
    const isBegunOnly = batch.end === logHeaderBytes
    if (!isBegunOnly) read = batch
    if (newest.length > options.keepCommitted * 2) newest.splice(0, newest.length - options.keepCommitted)
  }
  for (const [path, repeated] of repeatedIn)
    log.warn(`${path} holds ${repeated} transactions twice; each was applied once`)
  // They share memory with what was read from the log: only those that stay are copied.
  const committed = newest
    .slice(-options.keepCommitted)
    .map(({ zxid, entry }) => ({ zxid, entry: Buffer.from(entry) }))
  await expectNewestState(disk, folders.snapshots, lastZxid)
  for (const [zxid, path] of unusable) throw unconnected(path, zxid)
  log.info(`${replayed.txns} txns loaded in ${Math.round(clock.monotonicMs() - startedMs)} ms`)
  const newestOfAll = read?.newest ?? (await newestLogged(disk, folders.logs))
  return {
    sessions: live,
    lastZxid,
    committed,
    isEmpty: !hasPast(),
    newestLog,
    replayed,
    isLogStale: newestOfAll !== null && newestOfAll < startZxid,
  }
}

/** `read`: what was read of the log before; if that was another file, its end is lost. */
function missing(
  read: LogBatch | null,
  path: string,
  before: bigint,
  zxid: bigint,
  unusable: ReadonlyMap<bigint, string>,
): DataError {
  for (const [made, snapshot] of unusable)
    if (made > before && made < zxid) return unconnected(snapshot, made)
  const what = `transaction 0x${formatZxid(zxid)} stands behind 0x${formatZxid(before)}: those between are missing`
  if (read === null || read.path === path) return new DataError(path, what, mendAlone)
  return new DamagedLog(read.path, read.end, read.newest, what, mendAlone)
}

/**
 * An epoch's first transaction may follow any other, so that the log behind an older snapshot seems whole where only the one
 * that cannot be used connected the two.
 */
function unconnected(path: string, zxid: bigint): DataError {
  const what = `it cannot be used, and the log behind older snapshots does not hold transaction 0x${formatZxid(zxid)}, where it was made`
  return new DataError(path, what, mendAlone)
}

/** A snapshot that cannot be read still tells by its name how far this server was: it must not go back behind that. */
async function expectNewestState(disk: Disk, folder: string, lastZxid: bigint): Promise<void> {
  const newest = (await listFiles(disk, folder, 'snapshot')).at(-1)
  if (newest !== undefined && newest.zxid > lastZxid)
    throw new DataError(
      newest.path,
      `it cannot be used, and older snapshots with the log reach 0x${formatZxid(lastZxid)} only`,
      mendAlone,
    )
}

function applyRecovered(tree: DataTree, sessions: Map<bigint, number>, entry: Buffer): void {
  const { header, txn } = decodeEntry(entry)
  if (txn.type === 'createSession') sessions.set(header.clientId, txn.timeOut)
  if (txn.type === 'closeSession') sessions.delete(header.clientId)
  tree.apply(header, txn, null)
}

/** Sessions are null when there is no snapshot at all. `unusable`: newer snapshots that were passed over. */
async function loadSnapshot(
  disk: Disk,
  log: Log,
  folder: string,
  tree: DataTree,
): Promise<{ sessions: Map<bigint, number> | null; unusable: Map<bigint, string> }> {
  const unusable = new Map<bigint, string>()
  const files = (await listFiles(disk, folder, 'snapshot')).reverse()
  let lastError: Error | null = null
  let tried = 0
  for (const file of files) {
    if (tried >= maxSnapshotsTried) break
    if (!(await looksWhole(disk, file))) {
      log.warn(`Invalid snapshot ${file.name}: it is not whole`)
      unusable.set(file.zxid, file.path)
      continue
    }
    tried++
    try {
      log.info(`Reading snapshot ${file.path}`)
      const sessions = await readSnapshot(disk, file, tree)
      tree.lastProcessedZxid = file.zxid
      // The same may be there packed and unpacked.
      unusable.delete(file.zxid)
      return { sessions, unusable }
    } catch (error) {
      lastError = error as Error
      unusable.set(file.zxid, file.path)
      log.warn(`problem reading snap file ${file.path}`, error)
    }
  }
  if (files.length > 0) {
    throw lastError ?? new DataError(folder, 'no snapshot in it is whole', mendAlone)
  }
  return { sessions: null, unusable }
}

import assert from 'node:assert/strict'

/** What a client learnt of a znode at some moment. */
export interface Sight {
  path: string
  /** Names the write; null: the znode as it was created. */
  value: string | null
  mzxid: bigint
  version: number
}

/** One operation of one client, from its call to its outcome. */
export interface Operation {
  /** A session, not a client: only within one is there an order of what is seen. */
  session: number
  kind: 'write' | 'read' | 'sync-read'
  calledMs: number
  returnedMs: number
  sights: readonly Sight[]
}

/**
 * Checks what ZooKeeper promises over a history of finished operations. Writes whose outcome nobody knows are not in it,
 * but may be seen. Because every write tells its zxid, the order to check against is given, not searched for.
 */
export function checkHistory(operations: readonly Operation[]): void {
  checkVersions(operations)
  checkWritesInTime(operations)
  checkSyncedReads(operations)
  checkSessions(operations)
}

/** Of one path: a zxid is one version and one value for everyone, and the two rise together. */
function checkVersions(operations: readonly Operation[]): void {
  const byPath = Map.groupBy(
    operations.flatMap(({ sights }) => sights),
    ({ path }) => path,
  )
  for (const [path, sights] of byPath) {
    const sorted = sights.toSorted((a, b) => Number(a.mzxid - b.mzxid) || a.version - b.version)
    for (const [i, sight] of sorted.entries()) {
      const before = sorted[i - 1]
      if (before === undefined) continue
      if (before.mzxid === sight.mzxid) assert.deepEqual(sight, before, `${path}: two things of one zxid`)
      else assert.ok(sight.version > before.version, `${path}: ${tell(sight)} comes after ${tell(before)}`)
    }
  }
  const writes = operations.filter(({ kind }) => kind === 'write')
  const zxids = writes.map(({ sights }) => sights[0]!.mzxid)
  assert.equal(new Set(zxids).size, zxids.length, 'two acknowledged writes have one zxid')
}

/** A write that was acknowledged before another was asked for comes before it. */
function checkWritesInTime(operations: readonly Operation[]): void {
  const writes = operations.filter(({ kind }) => kind === 'write')
  const byReturn = writes.toSorted((a, b) => a.returnedMs - b.returnedMs)
  const byCall = writes.toSorted((a, b) => a.calledMs - b.calledMs)
  let newest: Operation | null = null
  let next = 0
  for (const write of byCall) {
    for (; next < byReturn.length && byReturn[next]!.returnedMs < write.calledMs; next++) {
      const returned = byReturn[next]!
      if (newest === null || zxidOf(returned) > zxidOf(newest)) newest = returned
    }
    if (newest !== null)
      assert.ok(
        zxidOf(write) > zxidOf(newest),
        `${tell(write.sights[0]!)}, asked for at ${write.calledMs}, comes before ${tell(newest.sights[0]!)}, acknowledged at ${newest.returnedMs}`,
      )
  }
}

function zxidOf({ sights }: Operation): bigint {
  return sights[0]!.mzxid
}

/** A read after a sync shows every write that was acknowledged before the sync was asked for. */
function checkSyncedReads(operations: readonly Operation[]): void {
  const writes = operations.filter(({ kind }) => kind === 'write')
  for (const read of operations.filter(({ kind }) => kind === 'sync-read')) {
    for (const sight of read.sights) {
      for (const write of writes) {
        if (write.returnedMs >= read.calledMs) continue
        const written = write.sights.find(({ path }) => path === sight.path)
        if (written !== undefined)
          assert.ok(
            sight.mzxid >= written.mzxid,
            `a synced read at ${read.calledMs} shows ${tell(sight)}, and ${tell(written)} was acknowledged at ${write.returnedMs}`,
          )
      }
    }
  }
}

/** In one session what is seen never goes back: not of one znode, and not behind what the session has seen of others. */
function checkSessions(operations: readonly Operation[]): void {
  const writtenBy = new Map<string, bigint[]>()
  for (const { sights } of operations)
    for (const { path, mzxid } of sights) writtenBy.set(path, [...(writtenBy.get(path) ?? []), mzxid])
  for (const list of writtenBy.values()) list.sort((a, b) => (a < b ? -1 : 1))
  for (const [session, own] of Map.groupBy(operations, operation => operation.session)) {
    let seen = 0n
    for (const { sights } of own) {
      for (const sight of sights) {
        const due = writtenBy.get(sight.path)!.findLast(zxid => zxid <= seen) ?? 0n
        assert.ok(
          sight.mzxid >= due,
          `session ${session} is shown ${tell(sight)} after it has seen 0x${seen.toString(16)}: 0x${due.toString(16)} is missing`,
        )
      }
      for (const { mzxid } of sights) if (mzxid > seen) seen = mzxid
    }
  }
}

function tell({ path, value, mzxid, version }: Sight): string {
  return `${path}=${value} (0x${mzxid.toString(16)}, version ${version})`
}

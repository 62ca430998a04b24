import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Random } from '@vivarium/platform'
import { SnapshotSchedule } from '../src/persistence/snapshot-schedule.ts'

/** The lot falls in the middle. */
const middle: Random = { below: bound => Math.floor(bound / 2), bytes: count => Buffer.alloc(count) }
const limits = { txns: 100, bytes: 0, txnsPerZnode: 0.5 }
const small = { znodes: 10, bytes: 1_000 }
const large = { znodes: 1_000, bytes: 100_000 }

/** Logs transactions of 100 bytes; what falls due with which of them. */
function log(schedule: SnapshotSchedule, count: number, size = large) {
  const files: number[] = []
  const snapshots: number[] = []
  for (let i = 1; i <= count; i++) {
    schedule.logged(100)
    if (!schedule.isFileFull) continue
    files.push(i)
    schedule.fileBegun()
    if (!schedule.isSnapshotDue(size)) continue
    snapshots.push(i)
    schedule.snapshotBegun()()
  }
  return { files, snapshots }
}

test('a small database is written with each file of the log, after half to all of snapCount', () => {
  const { files, snapshots } = log(new SnapshotSchedule(limits, middle), 200, small)
  assert.deepEqual(files, [76, 152])
  assert.deepEqual(snapshots, files)
})

test('a large one waits until the log holds half as many transactions as there are znodes', () => {
  const { files, snapshots } = log(new SnapshotSchedule(limits, middle), 1_500)
  assert.equal(files.length, 19)
  assert.deepEqual(snapshots, [532, 1064])
})

test('or half as many bytes', () => {
  const { snapshots } = log(new SnapshotSchedule(limits, middle), 500, { ...large, bytes: 20_000 })
  assert.deepEqual(snapshots, [152, 304, 456])
})

test('a factor of 0 is Apache’s rule, however large the database', () => {
  const { files, snapshots } = log(new SnapshotSchedule({ ...limits, txnsPerZnode: 0 }, middle), 500)
  assert.deepEqual(snapshots, files)
})

test('a log that outgrows its limit of bytes ends and is followed by a snapshot', () => {
  const halfGiB = 2 ** 29
  const schedule = new SnapshotSchedule({ ...limits, bytes: 2 * halfGiB }, middle)
  schedule.logged(2 * halfGiB)
  assert.equal(schedule.isFileFull, false)
  schedule.logged(1)
  assert.equal(schedule.isFileFull, true)
  assert.equal(schedule.isSnapshotDue({ znodes: 1e9, bytes: 1e12 }), true)
})

test('what a start replays counts', () => {
  const schedule = new SnapshotSchedule(limits, middle)
  schedule.replayed({ txns: 450, bytes: 45_000 })
  assert.deepEqual(log(schedule, 100).snapshots, [76])
})

test('what was logged before a snapshot that failed counts, and what is logged while one is written', () => {
  const schedule = new SnapshotSchedule(limits, middle)
  for (let i = 0; i < 500; i++) schedule.logged(100)
  schedule.snapshotBegun()
  assert.equal(schedule.isSnapshotDue(large), true)
  const written = schedule.snapshotBegun()
  for (let i = 0; i < 100; i++) schedule.logged(100)
  written()
  assert.equal(schedule.isSnapshotDue(large), false)
  assert.equal(schedule.isSnapshotDue({ znodes: 200, bytes: 1e6 }), true)
})

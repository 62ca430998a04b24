import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { silentLog } from '@vivarium/platform'
import { nodeClock, nodeDisk } from '@vivarium/platform/node'
import { opCode } from '@vivarium/zookeeper-protocol'
import { damageOf, mendLog, recordsBehind } from '../src/persistence/log-repair.ts'
import { TxnLog } from '../src/persistence/txn-log.ts'
import { DamagedLog, readLogFile } from '../src/persistence/txn-log-reader.ts'
import { encodeEntry } from '../src/txn.ts'

const epoch = (number: number, counter: number) => (BigInt(number) << 32n) | BigInt(counter)

/** A folder with log files that hold setData transactions, each of the same length. The path is that of the first. */
async function logOf(t: TestContext, ...files: readonly bigint[][]) {
  const folder = await mkdtemp(join(tmpdir(), 'log-repair-'))
  t.after(() => rm(folder, { recursive: true }))
  const options = { preallocateBytes: 64 * 1024, sync: false, slowSyncMs: 1000, maxFileBytes: 0 }
  const world = { disk: nodeDisk, clock: nodeClock, log: silentLog }
  const log = new TxnLog(world, folder, options, assert.ifError)
  let before = 0n
  for (const zxid of files.flat()) {
    if (files.some(([first]) => first === zxid)) await log.close()
    const header = { clientId: 1n, cxid: Number(zxid & 0xffn), zxid, time: 0n, type: opCode.setData }
    const txn = { type: 'setData' as const, path: '/a', data: Buffer.from('data'), version: 1 }
    log.append(zxid, before, encodeEntry(header, txn, null), null)
    before = zxid
  }
  await log.close()
  return { folder, path: join(folder, `log.${files[0]![0]!.toString(16)}`) }
}

/** Spoils a file, and says what a reader meets there. */
async function spoiled(path: string, spoil: (log: Buffer) => void) {
  const whole = await readFile(path)
  const log = Buffer.from(whole)
  spoil(log)
  await writeFile(path, log)
  try {
    for await (const _ of readLogFile(nodeDisk, path, true));
  } catch (error) {
    assert.ok(error instanceof DamagedLog)
    return { whole, damage: await damageOf(nodeDisk, error) }
  }
  return assert.fail('no damage was met')
}

const headerBytes = 16
const recordBytes = (log: Buffer) => 12 + log.readInt32BE(headerBytes + 8) + 1
const startOf = (log: Buffer, index: number) => headerBytes + index * recordBytes(log)

test('every bit of a record may turn: the record of another log takes its place', async t => {
  const zxids = [1, 2, 3].map(counter => epoch(1, counter))
  const { folder, path } = await logOf(t, zxids)
  const records = await recordsBehind(nodeDisk, folder, zxids[0]!, 1_000_000)
  const log = await readFile(path)
  for (const index of [1, 2]) {
    for (let at = 0; at < recordBytes(log); at++) {
      // Four bytes before the checksum mean nothing.
      if (at < 4) continue
      const { whole, damage } = await spoiled(path, bytes => {
        bytes[startOf(log, index) + at]! ^= 1 << (at % 8)
      })
      assert.equal(damage.start, startOf(log, index))
      const lent = records.subarray((index - 1) * recordBytes(log))
      assert.ok(await mendLog(nodeDisk, damage, lent), `byte ${at} of record ${index}`)
      assert.deepEqual(await readFile(path), whole)
    }
  }
})

test('a lost stretch within an epoch is filled with just as many transactions as are missing', async t => {
  const zxids = [1, 2, 3, 4, 5, 6].map(counter => epoch(3, counter))
  const { folder, path } = await logOf(t, zxids)
  const lent = await recordsBehind(nodeDisk, folder, zxids[1]!, 1_000_000)
  const { whole, damage } = await spoiled(path, log => log.fill(0, startOf(log, 2), startOf(log, 5)))
  assert.deepEqual([damage.before, damage.after], [zxids[1], zxids[5]])
  assert.equal(await mendLog(nodeDisk, damage, lent.subarray(0, recordBytes(whole))), false, 'too few')
  assert.ok(await mendLog(nodeDisk, damage, lent))
  assert.deepEqual(await readFile(path), whole)
})

test('a transaction of another epoch is not taken for the last one that was logged, though it would fit', async t => {
  const own = await logOf(t, [epoch(1, 1), epoch(2, 1)])
  const others = await logOf(t, [epoch(1, 1), epoch(1, 2)])
  const lent = await recordsBehind(nodeDisk, others.folder, epoch(1, 1), 1_000_000)
  assert.equal(lent.length, recordBytes(await readFile(own.path)))
  const { damage } = await spoiled(own.path, log => {
    log[startOf(log, 1) + 60]! ^= 1
  })
  const before = await readFile(own.path)
  assert.equal(await mendLog(nodeDisk, damage, lent), false)
  assert.deepEqual(await readFile(own.path), before)
})

test('the lost end of a file is filled up to where the next one begins', async t => {
  const zxids = [1, 2, 3, 4, 5].map(counter => epoch(1, counter))
  const { folder, path } = await logOf(t, zxids.slice(0, 4))
  const next = await logOf(t, zxids.slice(4))
  await rename(next.path, join(folder, 'log.100000005'))
  const lent = await recordsBehind(nodeDisk, folder, zxids[1]!, 1_000_000)
  const whole = await readFile(path)
  const size = recordBytes(whole)
  const [start, end] = [startOf(whole, 2), startOf(whole, 4)]
  const met = new DamagedLog(path, start, zxids[1]!, 'a hole')
  for (const [left, kept] of [
    ['nothing', 0],
    ['half a record', size >> 1],
    ['more than what it was', 3 * size],
  ] as const) {
    const log = Buffer.from(whole)
    log.fill(0, start, end)
    log.fill(1, start, start + kept)
    await writeFile(path, log)
    const damage = await damageOf(nodeDisk, met)
    assert.deepEqual([damage.isAtEnd, damage.after], [true, zxids[4]], left)
    assert.equal(await mendLog(nodeDisk, damage, lent.subarray(0, size)), false, 'too few')
    assert.ok(await mendLog(nodeDisk, damage, lent), left)
    assert.deepEqual(await readFile(path), whole, left)
  }
})

test('nobody can say how many transactions are missing before the next epoch', async t => {
  const { folder, path } = await logOf(t, [epoch(1, 1), epoch(1, 2)])
  const next = await logOf(t, [epoch(2, 1)])
  await rename(next.path, join(folder, 'log.200000001'))
  const lent = await recordsBehind(nodeDisk, folder, epoch(1, 1), 1_000_000)
  const whole = await readFile(path)
  const log = Buffer.from(whole).fill(0, startOf(whole, 1), startOf(whole, 2))
  await writeFile(path, log)
  const damage = await damageOf(nodeDisk, new DamagedLog(path, startOf(whole, 1), epoch(1, 1), 'a hole'))
  assert.equal(await mendLog(nodeDisk, damage, lent), false)
  assert.deepEqual(await readFile(path), log)
})

test('unless the file that begins with the next epoch names the last one', async t => {
  const zxids = [epoch(1, 1), epoch(1, 2), epoch(1, 3), epoch(2, 1)]
  const { folder, path } = await logOf(t, zxids.slice(0, 3), zxids.slice(3))
  const lent = await recordsBehind(nodeDisk, folder, zxids[0]!, 1_000_000)
  const whole = await readFile(path)
  const size = recordBytes(whole)
  await writeFile(path, Buffer.from(whole).fill(0, startOf(whole, 1), startOf(whole, 3)))
  assert.equal(
    (await recordsBehind(nodeDisk, folder, 0n, 1_000_000)).length,
    size,
    'nothing is lent behind the gap',
  )
  const damage = await damageOf(nodeDisk, new DamagedLog(path, startOf(whole, 1), zxids[0]!, 'a hole'))
  assert.equal(damage.last, epoch(1, 3))
  assert.equal(await mendLog(nodeDisk, damage, lent.subarray(0, size)), false, 'too few')
  assert.ok(await mendLog(nodeDisk, damage, lent))
  assert.deepEqual(await readFile(path), whole)
})

test('a log file that is just being begun stays where it is when the log is read', async t => {
  const { folder } = await logOf(t, [epoch(1, 1), epoch(1, 2)])
  await writeFile(join(folder, 'log.100000003'), '')
  assert.ok((await recordsBehind(nodeDisk, folder, epoch(1, 0), 1_000_000)).length > 0)
  assert.deepEqual((await readdir(folder)).sort(), ['log.100000001', 'log.100000003'])
})

test('what is lent ends where the lender’s own log is damaged, or has a gap, or is long enough', async t => {
  const zxids = [1, 2, 3, 4, 5].map(counter => epoch(1, counter))
  const { folder, path } = await logOf(t, zxids)
  const size = recordBytes(await readFile(path))
  const lent = async (before: bigint, most = 1_000_000) =>
    (await recordsBehind(nodeDisk, folder, before, most)).length / size
  assert.equal(await lent(epoch(1, 0)), 5)
  assert.equal(await lent(epoch(1, 2)), 3)
  assert.equal(await lent(epoch(1, 2), 2 * size + 1), 2)
  assert.equal(await lent(epoch(0, 9)), 5, 'an epoch begins with 1')
  assert.equal(await lent(epoch(1, 5)), 0)
  await spoiled(path, log => {
    log[startOf(log, 3) + 40]! ^= 1
  })
  assert.equal(await lent(epoch(1, 1)), 2)
})

test('records that are damaged themselves mend nothing', async t => {
  const zxids = [1, 2, 3].map(counter => epoch(1, counter))
  const { folder, path } = await logOf(t, zxids)
  const lent = await recordsBehind(nodeDisk, folder, zxids[0]!, 1_000_000)
  const { damage } = await spoiled(path, log => {
    log[startOf(log, 1) + 40]! ^= 1
  })
  for (let at = 4; at < damage.end - damage.start; at++) {
    const bad = Buffer.from(lent)
    bad[at]! ^= 1
    assert.equal(await mendLog(nodeDisk, damage, bad), false, `byte ${at}`)
  }
})

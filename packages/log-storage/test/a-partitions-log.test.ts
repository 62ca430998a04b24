import assert from 'node:assert/strict'
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { buildBatch, decodeRecords, errorCode } from '@vivarium/kafka-protocol'
import { silentLog } from '@vivarium/platform'
import { nodeClock, nodeDisk } from '@vivarium/platform/node'
import { LogDirectory, type LogError, type PartitionLog, type TopicLogConfig } from '../src/index.ts'

const config: TopicLogConfig = {
  segmentBytes: 1000,
  segmentMs: 7 * 24 * 3_600_000,
  indexIntervalBytes: 200,
  indexSizeBytes: 10 * 1024 * 1024,
  retentionMs: -1,
  retentionBytes: -1,
  maxMessageBytes: 900,
  cleanupPolicy: ['delete'],
  messageTimestampType: 'CreateTime',
  flushMessages: Number.MAX_SAFE_INTEGER,
}
const world = { disk: nodeDisk, clock: nodeClock, log: silentLog }

const opened: LogDirectory[] = []

/** A folder that goes with the test. Directories in it that were not closed (a crash) let go of their files first. */
function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'vivarium-log-'))
  t.after(async () => {
    for (const directory of opened.filter(d => d.path === path)) {
      for (const log of directory.partitions()) await log.abandon()
    }
    rmSync(path, { recursive: true })
  })
  return path
}

async function open(path: string, overrides: Partial<TopicLogConfig> = {}): Promise<LogDirectory> {
  const directory = await LogDirectory.open(world, {
    path,
    brokerId: 1,
    clusterId: 'c',
    configOf: () => ({ ...config, ...overrides }),
    onFailure: error => assert.fail(error),
  })
  opened.push(directory)
  return directory
}

function batch(
  values: string[],
  options: Partial<Parameters<typeof buildBatch>[0]> = {},
  timestampMs = 1000,
): Buffer {
  return buildBatch({
    records: values.map((value, i) => ({
      key: null,
      value: Buffer.from(value),
      timestampMs: timestampMs + i,
    })),
    ...options,
  })
}

async function valuesFrom(log: PartitionLog, offset: number, maxBytes = 1e6): Promise<string[]> {
  const found: string[] = []
  for (const bytes of await log.read(offset, maxBytes, log.logEndOffset)) {
    for (const record of decodeRecords(bytes))
      if (record.offset >= offset) found.push(`${record.offset}:${record.value}`)
  }
  return found
}

test('records get consecutive offsets and are read back at once, and after a restart', async t => {
  const path = folder(t)
  let directory = await open(path)
  let log = await directory.create('t', 0)
  for (let i = 0; i < 30; i++)
    assert.equal(log.appendAsLeader(batch([`a${i}`, `b${i}`]), 3, 'client').baseOffset, i * 2)
  assert.deepEqual(await valuesFrom(log, 57), ['57:b28', '58:a29', '59:b29'])
  await directory.close()
  directory = await open(path)
  log = directory.get('t', 0)!
  assert.equal(log.logEndOffset, 60)
  assert.ok(log.segmentCount > 2)
  for (let offset = 0; offset < 60; offset++)
    assert.equal((await valuesFrom(log, offset, 1))[0], `${offset}:${offset % 2 ? 'b' : 'a'}${offset >> 1}`)
  assert.equal(log.leaderEpochs.latest, 3)
  await directory.close()
})

test('after a crash the torn or corrupt tail is cut off, and everything before it is there', async t => {
  const path = folder(t)
  const directory = await open(path, { segmentBytes: 100_000 })
  const log = await directory.create('t', 0)
  for (let i = 0; i < 10; i++) log.appendAsLeader(batch([`v${i}`]), 0, 'client')
  await log.written()
  const file = join(path, 't-0', '00000000000000000000.log')
  const whole = readFileSync(file)
  const batchBytes = whole.length / 10
  for (let length = 0; length <= whole.length; length += 7) {
    writeFileSync(file, whole)
    truncateSync(file, length)
    const again = await open(path)
    assert.equal(again.get('t', 0)!.logEndOffset, Math.floor(length / batchBytes), `cut at ${length}`)
    await again.get('t', 0)!.abandon()
  }
  writeFileSync(file, whole)
  appendFileSync(file, Buffer.alloc(100, 0xff))
  const again = await open(path)
  assert.equal(again.get('t', 0)!.logEndOffset, 10)
  assert.equal(readFileSync(file).length, whole.length)
})

test('a repeated batch of an idempotent producer is recognised, also after a restart; a gap is refused', async t => {
  const path = folder(t)
  const sequence = (baseSequence: number, values: string[]) =>
    batch(values, { producerId: 7, producerEpoch: 0, baseSequence })
  let directory = await open(path)
  let log = await directory.create('t', 0)
  log.appendAsLeader(sequence(0, ['a', 'b']), 0, 'client')
  log.appendAsLeader(sequence(2, ['c']), 0, 'client')
  assert.deepEqual(log.appendAsLeader(sequence(0, ['a', 'b']), 0, 'client'), {
    baseOffset: 0,
    lastOffset: 1,
    logAppendTimeMs: -1,
    isDuplicate: true,
  })
  await log.written()
  directory = await open(path)
  log = directory.get('t', 0)!
  assert.equal(log.appendAsLeader(sequence(2, ['c']), 0, 'client').isDuplicate, true)
  assert.throws(
    () => log.appendAsLeader(sequence(5, ['x']), 0, 'client'),
    (e: LogError) => e.code === errorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
  )
  assert.throws(
    () =>
      log.appendAsLeader(batch(['x'], { producerId: 7, producerEpoch: -1, baseSequence: 3 }), 0, 'client'),
    (e: LogError) => e.code === errorCode.INVALID_PRODUCER_EPOCH,
  )
  assert.equal(log.logEndOffset, 3)
})

test('what is no batch, or too large a one, is refused with Kafka’s error', async t => {
  const log = await (await open(folder(t))).create('t', 0)
  const corrupt = batch(['x'])
  corrupt[corrupt.length - 1]! ^= 1
  const refused = (bytes: Buffer, code: number) =>
    assert.throws(
      () => log.appendAsLeader(bytes, 0, 'client'),
      (e: LogError) => e.code === code,
    )
  refused(corrupt, errorCode.CORRUPT_MESSAGE)
  refused(Buffer.alloc(5), errorCode.CORRUPT_MESSAGE)
  refused(batch(['x'.repeat(1000)]), errorCode.MESSAGE_TOO_LARGE)
  refused(Buffer.concat([batch(['x']), batch(['y'])]), errorCode.INVALID_RECORD)
  refused(batch(['x'], { isControl: true }), errorCode.INVALID_RECORD)
  assert.equal(log.logEndOffset, 0)
})

test('the first record at or after a time is found', async t => {
  const log = await (await open(folder(t))).create('t', 0)
  for (let i = 0; i < 40; i++) log.appendAsLeader(batch(['a', 'b'], {}, i * 100), 0, 'client')
  assert.deepEqual(await log.offsetForTimestamp(1501), { offset: 31, timestampMs: 1501 })
  assert.deepEqual(await log.offsetForTimestamp(1502), { offset: 32, timestampMs: 1600 })
  assert.equal((await log.offsetForTimestamp(0))?.offset, 0)
  assert.equal(await log.offsetForTimestamp(99_999), null)
})

test('a follower’s log is cut back to where it left the leader’s', async t => {
  const path = folder(t)
  const log = await (await open(path)).create('t', 0)
  for (let i = 0; i < 20; i++) log.appendAsLeader(batch([`v${i}`]), i < 10 ? 1 : 2, 'client')
  assert.deepEqual(log.leaderEpochs.endOffsetFor(1, log.logEndOffset), { epoch: 1, endOffset: 10 })
  await log.truncateTo(12)
  assert.equal(log.logEndOffset, 12)
  assert.deepEqual(await valuesFrom(log, 10), ['10:v10', '11:v11'])
  assert.equal(log.appendAsLeader(batch(['n']), 3, 'client').baseOffset, 12)
  await log.truncateFullyAndStartAt(100)
  assert.deepEqual([log.logStartOffset, log.logEndOffset], [100, 100])
  assert.equal(log.appendAsLeader(batch(['m']), 4, 'client').baseOffset, 100)
})

test('retention removes whole old segments below the high watermark, and nothing else', async t => {
  const path = folder(t)
  const log = await (await open(path, { retentionBytes: 1500 })).create('t', 0)
  for (let i = 0; i < 40; i++) log.appendAsLeader(batch([`value-${i}`]), 0, 'client')
  await log.retain(0)
  assert.equal(log.logStartOffset, 0)
  await log.retain(40)
  assert.ok(log.sizeBytes <= 2500 && log.logStartOffset > 0)
  assert.equal((await valuesFrom(log, log.logStartOffset))[0]?.split(':')[0], String(log.logStartOffset))
})

test('a deleted partition leaves nothing for a namesake', async t => {
  const path = folder(t)
  const directory = await open(path)
  const log = await directory.create('t', 0)
  log.appendAsLeader(batch(['old']), 0, 'client')
  await directory.delete('t', 0, '0123456789abcdef0123456789abcdef')
  assert.equal((await directory.create('t', 0)).logEndOffset, 0)
})

test('the data of another broker or cluster is not taken', async t => {
  const path = folder(t)
  await (await open(path)).close()
  const as = (brokerId: number, clusterId: string) =>
    LogDirectory.open(world, { path, brokerId, clusterId, configOf: () => config, onFailure: () => {} })
  await assert.rejects(as(2, 'c'), /belongs to broker 1.*Fix:/)
  await assert.rejects(as(1, 'other'), /belongs to cluster c.*Fix:/)
  assert.ok(readdirSync(path).includes('meta.properties'))
})

test('tools find both indexes beside the segment that is being written, as far as it was flushed', async t => {
  const path = folder(t)
  const directory = await open(path)
  const log = await directory.create('orders', 0)
  const sizes = () =>
    ['index', 'timeindex'].map(name => statSync(join(path, 'orders-0', `${'0'.repeat(20)}.${name}`)).size)
  log.appendAsLeader(batch(['a']), 0, 'client')
  await log.written()
  assert.deepEqual(sizes(), [0, 0])
  for (let i = 0; i < 8; i++) log.appendAsLeader(batch([`b${i}`]), 0, 'client')
  await log.flush()
  const [index, times] = sizes()
  assert.ok(index! > 0 && index! % 8 === 0 && times! > 0 && times! % 12 === 0, `${index} ${times}`)
})

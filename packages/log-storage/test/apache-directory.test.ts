import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { BatchCursor, decodeRecords } from '@vivarium/kafka-protocol'
import { silentLog } from '@vivarium/platform'
import { nodeClock, nodeDisk } from '@vivarium/platform/node'
import { LogDirectory, type PartitionLog, type TopicLogConfig } from '../src/index.ts'

// Taken from a running broker of Apache Kafka 3.9.1, as after a crash: 42 and 62 records and markers in `orders`, in batches
// of every codec, of an idempotent and of a transactional producer.
const fixture = new URL('./fixtures/apache-3.9-kafka-data.tar.gz', import.meta.url)
const preallocatedBytes = { '.index': 10_485_760, '.timeindex': 10_485_756 }
const recorded = {
  'orders-0': { end: 42, topicId: 'L1NsFldoRK-iXf__W22MTw' },
  'orders-1': { end: 62, topicId: 'L1NsFldoRK-iXf__W22MTw' },
  '__consumer_offsets-3': { end: 8, topicId: 'T_hJaDRfRum_25rZp_GP6w' },
  '__transaction_state-45': { end: 7, topicId: 'LY4hutnITgqmUDCHzOhSFQ' },
}

const config: TopicLogConfig = {
  segmentBytes: 1024 ** 3,
  segmentMs: 7 * 24 * 3_600_000,
  indexIntervalBytes: 4096,
  indexSizeBytes: 10 * 1024 * 1024,
  retentionMs: -1,
  retentionBytes: -1,
  maxMessageBytes: 1_048_588,
  cleanupPolicy: ['delete'],
  messageTimestampType: 'CreateTime',
  flushMessages: Number.MAX_SAFE_INTEGER,
}

/** The recorded directory, its indexes stretched with zeros to the size Apache preallocates. */
function apacheDirectory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'vivarium-apache-log-'))
  t.after(() => rmSync(path, { recursive: true }))
  for (const { name, bytes } of untar(gunzipSync(readFileSync(fixture)))) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), bytes)
    for (const [ending, size] of Object.entries(preallocatedBytes))
      if (name.endsWith(ending)) truncateSync(join(path, name), size)
  }
  return path
}

function untar(bytes: Buffer): { name: string; bytes: Buffer }[] {
  const files: { name: string; bytes: Buffer }[] = []
  for (let at = 0; bytes[at] !== 0 && at < bytes.length; ) {
    const text = (from: number, length: number) =>
      bytes.toString('latin1', at + from, at + from + length).replace(/\0.*$/s, '')
    const size = Number.parseInt(text(124, 12), 8)
    files.push({ name: text(0, 100), bytes: bytes.subarray(at + 512, at + 512 + size) })
    at += 512 + Math.ceil(size / 512) * 512
  }
  return files
}

const open = (path: string) =>
  LogDirectory.open(
    { disk: nodeDisk, clock: nodeClock, log: silentLog },
    {
      path,
      brokerId: 0,
      clusterId: 'SoSusls1QsSrzVmD0z-hEA',
      configOf: () => config,
      onFailure: error => assert.fail(error),
    },
  )

async function bytesOf(log: PartitionLog, from = log.logStartOffset): Promise<Buffer> {
  const pieces: Buffer[] = []
  for (let at = from; at < log.logEndOffset; ) {
    const read = await log.read(at, 1, log.logEndOffset)
    assert.ok(read.length > 0, `nothing is read at ${at}`)
    for (const bytes of read) {
      const batch = new BatchCursor(bytes)
      while (batch.next()) at = batch.lastOffset + 1
      pieces.push(bytes)
    }
  }
  return Buffer.concat(pieces)
}

test('a directory that Apache’s broker left in a crash opens with Apache’s offsets, epochs and ids, byte for byte', async t => {
  const path = apacheDirectory(t)
  const before = new Map(
    Object.keys(recorded).map(name => [name, readFileSync(join(path, name, '00000000000000000000.log'))]),
  )
  const directory = await open(path)
  assert.equal([...directory.partitions()].length, Object.keys(recorded).length)
  const highWatermarks = await directory.readHighWatermarks()
  for (const [name, { end, topicId }] of Object.entries(recorded)) {
    const log = [...directory.partitions()].find(candidate => candidate.name === name)!
    assert.deepEqual([log.logStartOffset, log.logEndOffset, log.topicId], [0, end, topicId], name)
    assert.equal(highWatermarks.get(name), end)
    assert.equal(log.leaderEpochs.latest, 1, 'the epoch that began at the end, without a record, is kept')
    assert.ok((await bytesOf(log)).equals(before.get(name)!), name)
  }
  await directory.close()
  for (const name of Object.keys(recorded)) {
    assert.ok(readFileSync(join(path, name, '00000000000000000000.log')).equals(before.get(name)!))
    assert.ok(statSync(join(path, name, '00000000000000000000.index')).size < 4096, 'the zeros are cut off')
  }
})

test('every offset of Apache’s segments is found, and after an orderly stop the same is found again', async t => {
  const path = apacheDirectory(t)
  for (const round of ['after the crash', 'after an orderly stop']) {
    const directory = await open(path)
    for (const log of directory.partitions()) {
      for (let offset = 0; offset < log.logEndOffset; offset++) {
        const [bytes] = await log.read(offset, 1, log.logEndOffset)
        const batch = new BatchCursor(bytes!)
        assert.ok(batch.next())
        batch.validate()
        assert.ok(batch.baseOffset <= offset && offset <= batch.lastOffset, `${log.name} ${offset} ${round}`)
        if (!batch.isControl)
          assert.ok(
            [...decodeRecords(bytes!)].some(record => record.offset === offset),
            `${log.name} ${offset}`,
          )
      }
    }
    await directory.close()
  }
})

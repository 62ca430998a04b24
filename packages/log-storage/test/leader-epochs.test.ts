import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { buildBatch } from '@vivarium/kafka-protocol'
import { silentLog } from '@vivarium/platform'
import { nodeClock, nodeDisk } from '@vivarium/platform/node'
import { LogDirectory } from '../src/index.ts'

test('cutting at the end forgets an epoch that began there without a record, on disk too', async t => {
  const path = mkdtempSync(join(tmpdir(), 'vivarium-epochs-'))
  t.after(() => rmSync(path, { recursive: true }))
  const directory = await LogDirectory.open(
    { disk: nodeDisk, clock: nodeClock, log: silentLog },
    {
      path,
      brokerId: 1,
      clusterId: 'c',
      onFailure: error => assert.fail(error),
      configOf: () => ({
        segmentBytes: 1024 ** 2,
        segmentMs: 3_600_000,
        indexIntervalBytes: 4096,
        indexSizeBytes: 1024 ** 2,
        retentionMs: -1,
        retentionBytes: -1,
        maxMessageBytes: 1024 ** 2,
        cleanupPolicy: ['delete'],
        messageTimestampType: 'CreateTime',
        flushMessages: Number.MAX_SAFE_INTEGER,
      }),
    },
  )
  const log = await directory.create('t', 0)
  const records = [{ key: null, value: Buffer.from('v'), timestampMs: 1 }]
  log.appendAsLeader(buildBatch({ records }), 2, 'client')
  await log.written()
  // A leader of epoch 3 that wrote nothing; the next leader never heard of its epoch.
  log.noteEpoch(3, log.logEndOffset)
  assert.equal(log.leaderEpochs.latest, 3)
  await log.truncateTo(log.logEndOffset)
  assert.deepEqual([log.leaderEpochs.latest, log.logEndOffset], [2, 1], 'no record is lost')
  assert.equal(readFileSync(join(path, 't-0', 'leader-epoch-checkpoint'), 'utf8'), '0\n1\n2 0\n')
  await directory.close()
})

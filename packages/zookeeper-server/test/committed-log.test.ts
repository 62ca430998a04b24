import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommittedLog } from '../src/committed-log.ts'

test('the newest transactions are kept, oldest first, however many there were', () => {
  for (const most of [500, 512, 513, 2000]) {
    const log = new CommittedLog(most)
    const pushed: { zxid: bigint; entry: Buffer }[] = []
    for (let i = 1; i <= 5000; i++) {
      const txn = { zxid: BigInt(i), entry: Buffer.from(`transaction ${i}`) }
      log.push(txn.zxid, txn.entry)
      pushed.push(txn)
      if (i % 499 === 0 || i === most) assert.deepEqual(log.txns, pushed.slice(-most))
    }
    log.clear()
    assert.deepEqual(log.txns, [])
    log.push(7n, Buffer.from('a'))
    assert.deepEqual(log.txns, [{ zxid: 7n, entry: Buffer.from('a') }])
  }
})

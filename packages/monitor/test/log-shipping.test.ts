import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { nodeLogFiles } from '../src/collect/node-log-files.ts'
import { LogShipper, publishedAt } from '../src/publish/log-shipper.ts'
import { type DeadLetter, type LogRecord, topics } from '../src/records.ts'

const line = (n: number, level = 'INFO ') =>
  `2026-11-24 12:00:${String(n % 60).padStart(2, '0')},123 [myid:2] - ${level} [main:QuorumPeer@1] - message ${n}\n`

function logFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'vivarium-ship-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return join(folder, 'server-2.log')
}

async function ship(shipper: LogShipper): Promise<(LogRecord | DeadLetter)[]> {
  const records: (LogRecord | DeadLetter)[] = []
  for (let quiet = 0; quiet < 5; ) {
    const { records: some, isCaughtUp } = await shipper.poll()
    records.push(...some.map(({ value }) => JSON.parse(value)))
    quiet = isCaughtUp && some.length === 0 ? quiet + 1 : 0
  }
  return records
}

const open = (path: string, last: LogRecord | DeadLetter | undefined = undefined) =>
  new LogShipper(
    { name: 'server-2', path, cluster: 'c' },
    nodeLogFiles,
    last === undefined ? null : publishedAt(last),
    problem => assert.fail(problem),
  )

const messages = (records: readonly (LogRecord | DeadLetter)[]) =>
  records.map(record => ('message' in record ? record.message : `? ${record.raw}`))

test('a line becomes a record with everything in it, a stack trace stays with its line, nonsense becomes a dead letter', async t => {
  const path = logFile(t)
  writeFileSync(path, `${line(1, 'WARN ')}java.io.IOException: gone\n\tat a.b.C\n${line(2)}`)
  const shipper = open(path)
  const records = (await ship(shipper)) as LogRecord[]
  assert.deepEqual(messages(records), ['message 1', 'message 2'])
  const [first] = records
  assert.deepEqual(
    [first!.level, first!.myid, first!.class, first!.server, first!.cluster],
    ['WARN', 2, 'QuorumPeer', 'server-2', 'c'],
  )
  assert.equal(first!.stack, 'java.io.IOException: gone\n\tat a.b.C')
  assert.equal(first!.template, records[1]!.template)
  await shipper.close()

  const nonsense = logFile(t)
  writeFileSync(nonsense, 'what is this\n')
  const other = open(nonsense)
  const { records: letters } = await other
    .poll()
    .then(async first => (first.records.length > 0 ? first : other.poll()))
  assert.equal(letters[0]!.topic, topics.deadLetters)
  await other.close()
})

test('whenever the monitor is killed, the next one says neither less nor more', async t => {
  const path = logFile(t)
  writeFileSync(path, Array.from({ length: 50 }, (_, i) => line(i)).join(''))
  const shipper = open(path)
  const all = await ship(shipper)
  await shipper.close()
  assert.equal(all.length, 50)
  for (let published = 0; published <= 50; published += 7) {
    const next = open(path, all[published - 1])
    assert.deepEqual(messages(await ship(next)), messages(all.slice(published)), `killed after ${published}`)
    await next.close()
  }
})

test('a log that is rotated while nobody reads it is read to its end, then the new one', async t => {
  const path = logFile(t)
  writeFileSync(path, line(1) + line(2))
  const shipper = open(path)
  const first = await ship(shipper)
  await shipper.close()
  appendFileSync(path, line(3))
  renameSync(path, `${path}.1`)
  writeFileSync(path, line(4))
  const next = open(path, first.at(-1))
  assert.deepEqual(messages(await ship(next)), ['message 3', 'message 4'])
  await next.close()
})

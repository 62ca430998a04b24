import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { nodeDisk } from '../src/node/index.ts'

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'vivarium-disk-'))
  t.after(() => rmSync(path, { recursive: true }))
  return path
}

test('many buffers are written one after another, however many there are', async t => {
  const buffers = Array.from({ length: 3000 }, (_, i) => Buffer.from(`${i},`))
  for (const way of ['write', 'writeDurably'] as const) {
    const file = await nodeDisk.open(join(folder(t), 'f'), 'create')
    await file[way](buffers, 5)
    await file.sync()
    const into = Buffer.alloc(100_000)
    const count = await file.read(into, 5)
    assert.equal(into.toString('utf8', 0, count), Buffer.concat(buffers).toString())
    await file.close()
  }
})

test('a replaced file is the old one or the new one, and leaves nothing beside it', async t => {
  const path = folder(t)
  await nodeDisk.replaceFile(join(path, 'epoch'), '1')
  await nodeDisk.replaceFile(join(path, 'epoch'), '2')
  assert.equal((await nodeDisk.readFile(join(path, 'epoch'))).toString(), '2')
  assert.deepEqual(await nodeDisk.list(path), ['epoch'])
})

test('what is not there is null or no error; what must be there is ENOENT', async t => {
  const missing = join(folder(t), 'missing')
  assert.equal(await nodeDisk.list(missing), null)
  assert.equal(await nodeDisk.stat(missing), null)
  await nodeDisk.remove(missing)
  await nodeDisk.removeTree(missing)
  await assert.rejects(nodeDisk.open(missing, 'read'), { code: 'ENOENT' })
})

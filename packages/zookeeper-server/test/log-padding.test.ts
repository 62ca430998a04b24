import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DiskFile } from '@vivarium/platform'
import { LogPadding } from '../src/persistence/log-padding.ts'

/** A file that remembers the stretches written to it; each write ends when it is told to. */
class SlowFile {
  readonly written: [from: number, to: number][] = []
  #finish: PromiseWithResolvers<void>[] = []
  readonly #isSlow: boolean

  constructor(isSlow: boolean) {
    this.#isSlow = isSlow
  }

  get file(): DiskFile {
    const write = (buffers: readonly Uint8Array[], position: number): Promise<void> => {
      const bytes = Buffer.concat(buffers)
      assert.ok(
        bytes.every(byte => byte === 0),
        'padding is zeros',
      )
      this.written.push([position, position + bytes.length])
      const done = Promise.withResolvers<void>()
      if (this.#isSlow) this.#finish.push(done)
      else done.resolve()
      return done.promise
    }
    const absent = () => assert.fail('padding only writes')
    const close = async () => {}
    return { write, writeDurably: write, read: absent, sync: absent, truncate: absent, size: absent, close }
  }

  async finish(error?: Error): Promise<void> {
    const done = this.#finish.shift()!
    if (error === undefined) done.resolve()
    else done.reject(error)
    await settled()
  }
}

/** Behind everything that waits for no file. */
const settled = () => new Promise<void>(resolve => setImmediate(resolve))

const step = 64 * 1024
const header = 16

function paddedFile(): { records: SlowFile; zeros: SlowFile; padding: LogPadding } {
  const [records, zeros] = [new SlowFile(false), new SlowFile(true)]
  return { records, zeros, padding: new LogPadding(records.file, zeros.file, step, header) }
}

async function isPending(promise: Promise<void>): Promise<boolean> {
  let isDone = false
  promise.then(
    () => (isDone = true),
    () => (isDone = true),
  )
  await settled()
  return !isDone
}

test('a file grows by steps before its last block is reached, as with Apache', async () => {
  const { records, padding } = paddedFile()
  await padding.reserve(100)
  assert.deepEqual(records.written, [[header + step - 1, header + step]])
  await padding.reserve(200)
  assert.equal(records.written.length, 1)
})

test('zeros go ahead of the records, a piece at a time, until there are enough', async () => {
  const { zeros, padding } = paddedFile()
  await padding.reserve(100)
  const [from, to] = zeros.written[0]!
  assert.ok(from >= 100)
  await padding.reserve(200)
  assert.equal(zeros.written.length, 1, 'the first piece is still on its way')
  await zeros.finish()
  await padding.reserve(300)
  assert.deepEqual(zeros.written[1], [to, to + (to - from)])
  await zeros.finish()
  await padding.reserve(400)
  assert.equal(zeros.written.length, 2)
})

test('zeros end where the file does', async () => {
  const { zeros, padding } = paddedFile()
  for (let end = header; end < step - 8192; end += 1000) {
    const pieces = zeros.written.length
    await padding.reserve(end)
    if (zeros.written.length > pieces) await zeros.finish()
  }
  assert.equal(zeros.written.at(-1)![1], header + step)
})

test('records wait for zeros on their way to the same place, and for no others', async () => {
  const { zeros, padding } = paddedFile()
  await padding.reserve(100)
  const [from] = zeros.written[0]!
  await padding.reserve(from)
  const reserved = padding.reserve(from + 1)
  assert.ok(await isPending(reserved))
  await zeros.finish()
  await reserved
})

test('records that have outrun the zeros are not followed by zeros where they are written', async () => {
  const { zeros, padding } = paddedFile()
  await padding.reserve(100)
  await zeros.finish()
  const end = zeros.written[0]![1] + 5000
  await padding.reserve(end)
  assert.ok(zeros.written[1]![0] >= end)
})

test('after zeros failed to reach the disk the file is not trusted', async () => {
  const { zeros, padding } = paddedFile()
  await padding.reserve(100)
  await zeros.finish(Object.assign(new Error('i/o error'), { code: 'EIO' }))
  await assert.rejects(padding.reserve(200), /i\/o error/)
  await assert.rejects(padding.reserve(300), /i\/o error/)
})

test('a disk without room for zeros may have some for records', async () => {
  const { zeros, padding } = paddedFile()
  await padding.reserve(100)
  await zeros.finish(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }))
  await padding.reserve(200)
})

test('a file is closed behind the zeros on their way to it', async () => {
  const { zeros, padding } = paddedFile()
  await padding.reserve(100)
  const closed = padding.close()
  assert.ok(await isPending(closed))
  await zeros.finish()
  await closed
})

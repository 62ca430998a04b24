import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openAcl } from '@vivarium/zookeeper-protocol'
import fc from 'fast-check'
import { lookAhead } from '../src/pipeline/look-ahead.ts'
import { ZnodeStore } from '../src/znodes/znode-store.ts'

const plain = { data: Buffer.alloc(0), acl: openAcl, owner: 0n, kind: 'none', zxid: 1n, time: 1n } as const

/** Large enough that it is worth while. */
const store = new ZnodeStore(7)
const root = store.add('/', null, plain)
for (let i = 0; i < 60_000; i++) store.add(`/${i}`, root, plain)
store.add('/large', root, { ...plain, data: Buffer.alloc(100_000) })

function frame(body: Uint8Array): Buffer {
  const head = Buffer.alloc(12)
  head.writeInt32BE(8 + body.length, 0)
  return Buffer.concat([head, body])
}

function pathFrame(path: string): Buffer {
  const length = Buffer.alloc(4)
  length.writeInt32BE(Buffer.byteLength(path))
  return frame(Buffer.concat([length, Buffer.from(path)]))
}

test('whatever comes, looking ahead changes nothing and fails at nothing', () => {
  const path = fc.oneof(
    fc.nat(80_000).map(n => `/${n}`),
    fc.constantFrom('/', '/large', '', '/nobody', `/${'x'.repeat(600)}`),
  )
  const bytes = fc.oneof(path.map(pathFrame), fc.uint8Array({ maxLength: 40 }).map(frame), fc.uint8Array())
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 400 }), fc.nat(), (frames, cut) => {
      const chunk = Buffer.concat(frames)
      const before = Buffer.from(chunk)
      lookAhead(store, chunk.subarray(0, Math.max(0, chunk.length - (cut % 20))))
      assert.ok(chunk.equals(before))
    }),
  )
  assert.equal(store.size, 60_002)
  for (const n of [0, 1, 59_999]) assert.equal(store.get(`/${n}`)?.path, `/${n}`)
})

test('a large tree is looked through, a small one is left alone', () => {
  const ahead = (nodes: ZnodeStore) => {
    nodes.touched = 0
    lookAhead(nodes, Buffer.concat([pathFrame('/1'), pathFrame('/2'), pathFrame('/3')]))
    return nodes.touched
  }
  assert.notEqual(ahead(store), 0)
  const small = new ZnodeStore(7)
  small.add('/1', small.add('/', null, plain), plain)
  assert.equal(ahead(small), 0)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter } from '@vivarium/bytes'
import { type Acl, openAcl, parentOf } from '@vivarium/zookeeper-protocol'
import fc from 'fast-check'
import { Arena } from '../src/znodes/arena.ts'
import { BucketTable } from '../src/znodes/bucket-table.ts'
import { lineBytes, Pieces } from '../src/znodes/memory.ts'
import type { Znode } from '../src/znodes/znode.ts'
import { type NewZnode, ZnodeStore } from '../src/znodes/znode-store.ts'

const plain: NewZnode = { data: null, acl: openAcl, owner: 0n, kind: 'none', zxid: 1n, time: 1n }

function storeWithRoot(hashSeed = 7): { store: ZnodeStore; root: Znode } {
  const store = new ZnodeStore(hashSeed)
  return { store, root: store.add('/', null, plain) }
}

const pathsOf = (store: ZnodeStore): string[] => Array.from(store, node => node.path)

test('pieces of memory never overlap and all begin alike; at most as many again are made as there are', () => {
  const bytes = 512 * 1024
  const pieces = new Pieces(bytes)
  const buffers = new Map<ArrayBufferLike, number>()
  const made = Array.from({ length: 200 }, (_, index) => {
    const piece = pieces.next().fill(index)
    buffers.set(piece.buffer, piece.buffer.byteLength)
    const together = [...buffers.values()].reduce((sum, length) => sum + length)
    assert.ok(together <= 2 * (index + 1) * bytes + 16 * 1024)
    return piece
  })
  for (const [index, piece] of made.entries()) {
    assert.equal(piece.length, bytes)
    assert.deepEqual([piece[0], piece.at(-1)], [index, index])
    assert.equal((piece.byteOffset - made[0]!.byteOffset) % lineBytes, 0)
  }
  assert.equal(buffers.size, 9)
  pieces.clear()
  const other = pieces.next()
  assert.ok(!made.some(({ buffer }) => buffer === other.buffer))
})

test('blocks of an arena never overlap, and freed memory serves any size again', () => {
  const length = fc.oneof(fc.integer({ min: 0, max: 700 }), fc.integer({ min: 0, max: 40_000 }))
  const command = fc.oneof(fc.record({ allocate: length }), fc.record({ free: fc.nat() }))
  fc.assert(
    fc.property(fc.array(command, { maxLength: 400 }), commands => {
      const arena = new Arena()
      const live: { address: number; length: number; fill: number }[] = []
      for (const [index, step] of commands.entries()) {
        if ('allocate' in step) {
          const address = arena.allocate(step.allocate)
          const start = arena.offsetOf(address)
          assert.ok(arena.capacityOf(address) >= step.allocate)
          arena.memoryOf(address).fill(index, start, start + step.allocate)
          live.push({ address, length: step.allocate, fill: index & 0xff })
        } else if (live.length > 0) {
          const [gone] = live.splice(step.free % live.length, 1)
          arena.free(gone!.address)
        }
      }
      for (const { address, length, fill } of live) {
        const start = arena.offsetOf(address)
        const bytes = arena.memoryOf(address).subarray(start, start + length)
        assert.ok(bytes.every(byte => byte === fill))
      }
    }),
  )
  const arena = new Arena()
  const firstLap = Array.from({ length: 1000 }, () => arena.allocate(4000))
  for (const address of firstLap) arena.free(address)
  const pageOf = (address: number) => Math.floor((address * 16) / 65_536)
  const most = Math.max(...firstLap.map(pageOf))
  for (let i = 0; i < 5000; i++)
    assert.ok(pageOf(arena.allocate(700)) <= most, 'memory of other sizes is taken')
})

test('a table knows the rows of every hash, however many share one and however they come and go', () => {
  // Few hashes that differ in few bits, so that buckets have many rows and split in vain.
  const hash = fc.oneof(
    fc.integer({ min: 0, max: 3 }),
    fc.integer({ min: 0, max: 40 }).map(n => n << 8),
    fc.integer(),
  )
  const command = fc.oneof(
    fc.record({ add: hash, times: fc.integer({ min: 1, max: 12 }) }),
    fc.record({ remove: fc.nat() }),
  )
  fc.assert(
    fc.property(fc.array(command, { maxLength: 300 }), fc.nat(5000), (commands, expected) => {
      const table = new BucketTable()
      table.reserve(expected)
      const live: { hash: number; row: number }[] = []
      let row = 0
      for (const step of commands) {
        if ('add' in step)
          for (let i = 0; i < step.times; i++) {
            live.push({ hash: step.add, row: ++row })
            table.add(step.add, row)
          }
        else if (live.length > 0) {
          const [gone] = live.splice(step.remove % live.length, 1)
          table.remove(gone!.hash, gone!.row)
        }
      }
      const rowsOf = new Map<number, number[]>([[12_345, []]])
      for (const { hash, row } of live) rowsOf.set(hash, [...(rowsOf.get(hash) ?? []), row])
      for (const [hash, rows] of rowsOf) {
        const found: number[] = []
        for (let at = table.find(hash); at !== 0; at = table.find(hash, at)) found.push(at)
        assert.deepEqual(
          found.sort((a, b) => a - b),
          rows,
        )
      }
    }),
  )
})

test('data that outgrows its place and shrinks again is kept, and so are its neighbours', () => {
  const { store, root } = storeWithRoot()
  const lengths = [0, 100, 380, 5000, 40_000, 390, 20, 2000, 1]
  const nodes = Array.from({ length: 200 }, (_, n) =>
    store.add(`/${n}`, root, { ...plain, data: Buffer.alloc(n * 4, n) }),
  )
  for (const length of lengths)
    for (const [n, node] of nodes.entries()) if (n % 3 === 0) node.data = Buffer.alloc(length, n + length)
  for (const [n, node] of nodes.entries()) {
    assert.equal(node.path, `/${n}`)
    assert.equal(store.get(`/${n}`)?.row, node.row)
    assert.deepEqual(node.data, n % 3 === 0 ? Buffer.alloc(1, n + 1) : Buffer.alloc(n * 4, n))
  }
})

test('what was looked up ahead is never mistaken for what is asked for', () => {
  const name = fc.integer({ min: 0, max: 12 }).map(n => `/n${n}`)
  const step = fc.oneof(
    fc.record({ ahead: fc.array(name, { minLength: 1, maxLength: 5 }) }),
    fc.record({ ask: fc.array(name, { minLength: 1, maxLength: 5 }) }),
    fc.record({ add: name }),
    fc.record({ remove: name }),
    fc.constant('clear' as const),
  )
  const linesOf = (paths: string[]) => {
    const starts = Int32Array.from(paths, (_, i) => paths.slice(0, i).join('').length)
    return {
      bytes: Buffer.from(paths.join('')),
      starts,
      lengths: Int32Array.from(paths, path => path.length),
    }
  }
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const { store } = storeWithRoot()
      for (const each of steps) {
        if (each === 'clear') {
          store.clear()
          store.add('/', null, plain)
        } else if ('ahead' in each) {
          const { bytes, starts, lengths } = linesOf(each.ahead)
          store.lookAhead(bytes, starts, lengths, each.ahead.length)
        } else if ('ask' in each) {
          const { bytes, starts, lengths } = linesOf(each.ask)
          for (const [i, path] of each.ask.entries())
            assert.equal(
              store.getAt(bytes, starts[i]!, lengths[i]!)?.path,
              store.has(path) ? path : undefined,
            )
        } else if ('add' in each) {
          if (!store.has(each.add)) store.add(each.add, store.get('/')!, plain)
        } else {
          const node = store.get(each.remove)
          if (node !== undefined) store.remove(node)
        }
      }
    }),
  )
})

test('znodes that fill several chunks of memory keep what each holds', () => {
  const { store, root } = storeWithRoot()
  const dataOf = (n: number) => Buffer.alloc(100, `data of ${n},`)
  const count = 20_000
  for (let n = 0; n < count; n++) store.add(`/${n}`, root, { ...plain, data: dataOf(n), zxid: BigInt(n) })
  for (let n = 0; n < count; n++) {
    const node = store.get(`/${n}`)!
    assert.equal(node.mzxid, BigInt(n))
    assert.ok(node.data!.equals(dataOf(n)), `/${n}`)
  }
})

test('a store holds what a map would hold, however its znodes come and go', () => {
  const name = fc.constantFrom('a', 'b', 'ä', '日本', 'a-rather-long-name-of-a-znode', '😀')
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map(parts => `/${parts.join('/')}`)
  const data = fc.oneof(fc.constant(null), fc.uint8Array({ maxLength: 300 }))
  const command = fc.record({ path, data, remove: fc.boolean() })
  fc.assert(
    fc.property(fc.array(command, { maxLength: 200 }), fc.nat(), (commands, seed) => {
      const { store } = storeWithRoot(seed)
      const expected = new Map<string, Uint8Array | null>([['/', null]])
      for (const step of commands) {
        const node = store.get(step.path)
        assert.equal(node !== undefined, expected.has(step.path))
        const parent = store.get(parentOf(step.path)!)
        if (node === undefined) {
          if (parent === undefined) continue
          store.add(step.path, parent, { ...plain, data: step.data })
          expected.set(step.path, step.data)
        } else if (step.remove && node.childCount === 0) {
          store.remove(node)
          expected.delete(step.path)
        } else {
          node.data = step.data
          expected.set(step.path, step.data)
        }
      }
      assert.equal(store.size, expected.size)
      assert.deepEqual(pathsOf(store).sort(), [...expected.keys()].sort())
      for (const [at, bytes] of expected) {
        const node = store.get(at)!
        assert.equal(node.path, at)
        assert.deepEqual(node.data && [...node.data], bytes && [...bytes])
        const below = [...expected.keys()].filter(other => other !== at && parentOf(other) === at)
        // A map keeps the order in which they were made, too.
        assert.deepEqual(
          Array.from(store.childrenOf(node), child => child.path),
          below,
        )
        assert.equal(node.childCount, below.length)
        assert.equal(
          store.descendantsOf(node),
          [...expected.keys()].filter(other => other.startsWith(at === '/' ? '/' : `${at}/`)).length -
            (at === '/' ? 1 : 0),
        )
      }
    }),
  )
})

test('a hundred thousand znodes are found while the index grows and shrinks', () => {
  const { store, root } = storeWithRoot()
  const count = 100_000
  for (let i = 0; i < count; i++) {
    store.add(`/n${i}`, root, plain)
    if (i % 1000 === 0) assert.ok(store.has(`/n${i >> 1}`))
  }
  for (let i = 0; i < count; i += 2) store.remove(store.get(`/n${i}`)!)
  for (let i = 0; i < count; i++) assert.equal(store.has(`/n${i}`), i % 2 === 1)
  assert.equal(root.childCount, count / 2)
})

test('a walk meets every znode that stays, parents first, while the tree changes under it', () => {
  const { store, root } = storeWithRoot()
  for (const name of ['a', 'b', 'c', 'd']) {
    const parent = store.add(`/${name}`, root, plain)
    for (let i = 0; i < 10; i++) store.add(`/${name}/${i}`, parent, plain)
  }
  const stays = pathsOf(store).filter(path => !path.startsWith('/b') && !path.endsWith('5'))
  const met: string[] = []
  for (const { path } of store) {
    assert.ok(path === '/' || met.includes(parentOf(path)!), `${path} comes before its parent`)
    met.push(path)
    const made = store.get(parentOf(path) ?? '/')
    if (made !== undefined && met.length < 20)
      store.add(`${made.path === '/' ? '' : made.path}/new${met.length}`, made, plain)
    for (const name of ['a', 'c', 'd']) {
      const gone = store.get(`/${name}/5`)
      if (gone !== undefined && met.length > 3) store.remove(gone)
    }
    if (met.length === 5) {
      const b = store.get('/b')!
      for (const child of [...store.childrenOf(b)]) store.remove(child)
      store.remove(b)
    }
  }
  assert.deepEqual(
    stays.filter(path => !met.includes(path)),
    [],
  )
  assert.equal(new Set(met).size, met.length, 'each comes once')
  assert.deepEqual(
    pathsOf(store).filter(path => path === '/b'),
    [],
  )
})

test('a walk over znodes that are all replaced ends in an error, not as if that were all', () => {
  const { store } = storeWithRoot()
  const walk = store[Symbol.iterator]()
  assert.equal(walk.next().value?.path, '/')
  store.clear()
  store.add('/', null, plain)
  assert.throws(() => walk.next(), /replaced/)
})

test('an ACL is kept for as long as a znode has it', () => {
  const { store, root } = storeWithRoot()
  const acl = (id: string): Acl[] => [{ perms: 31, id: { scheme: 'digest', id } }]
  const first = store.add('/1', root, { ...plain, acl: acl('x:1') })
  const second = store.add('/2', root, { ...plain, acl: acl('x:1') })
  assert.equal(first.aclKey, second.aclKey)
  assert.equal(store.acls.entries().length, 1)
  second.acl = acl('x:2')
  assert.deepEqual([first.acl, second.acl], [acl('x:1'), acl('x:2')])
  store.remove(first)
  assert.deepEqual(
    store.acls.entries().map(entry => entry.acl),
    [acl('x:2')],
  )
  second.acl = acl('x:2')
  second.acl = openAcl
  assert.deepEqual(store.acls.entries(), [])
})

test('a znode without children has a name, below the root and deeper', () => {
  const { store, root } = storeWithRoot()
  const a = store.add('/ä', root, plain)
  const b = store.add('/ä/日本', a, plain)
  const out = new ByteWriter()
  a.writeName(out)
  b.writeName(out)
  assert.deepEqual([a.name, b.name], ['ä', '日本'])
  assert.equal(out.written().toString('latin1'), `\0\0\0\x02${latin('ä')}\0\0\0\x06${latin('日本')}`)
})

const latin = (text: string): string => Buffer.from(text).toString('latin1')

test('a store that was told how many are to come holds as many as do come', () => {
  for (const [expected, count] of [
    [10_000, 5_000],
    [1_000, 5_000],
    [100_000, 10],
    [0.5, 10],
  ] as const) {
    const store = new ZnodeStore(7)
    store.expect(expected)
    const root = store.add('/', null, plain)
    for (let i = 0; i < count; i++) store.add(`/${i}`, root, plain)
    store.expect(10 * count)
    for (let i = 0; i < count; i += 2) store.remove(store.get(`/${i}`)!)
    for (let i = 0; i < count; i++) assert.equal(store.has(`/${i}`), i % 2 === 1)
  }
})

test('a znode is found by the bytes of its path, which stand for what they are read as', () => {
  const { store, root } = storeWithRoot()
  const named = (path: string | Buffer) => {
    const bytes = Buffer.from(path as string)
    return store.getAt(Buffer.concat([Buffer.from('xyz'), bytes, bytes]), 3, bytes.length)?.path
  }
  // Of every length, alike but for one byte, with data behind the path that go on like a longer one.
  const paths = ['/a\ufffd', '/größe', ...Array.from({ length: 12 }, (_, i) => `/${'n'.repeat(i)}`).slice(1)]
  const changed = paths.map(path => `${path.slice(0, -1)}m`)
  for (const path of paths) store.add(path, root, { ...plain, data: Buffer.from('nnnnnnnn') })
  for (const path of paths) assert.equal(named(path), path)
  for (const path of changed) assert.equal(named(path), undefined)
  assert.equal(named(Buffer.from('/a\xff', 'latin1')), '/a\ufffd')
})

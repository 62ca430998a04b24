import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { opCode, openAcl } from '@vivarium/zookeeper-protocol'
import { DataTree } from '../src/data-tree.ts'
import { decodeEntry, type Txn } from '../src/txn.ts'
import { startServer, temporaryFolder } from './embedded-server.ts'
import { WireClient } from './wire-client.ts'

const fixture = (name: string): Uint8Array => readFileSync(new URL(`fixtures/${name}`, import.meta.url))

test('the digest of a tree is the number Apache computes', () => {
  const tree = new DataTree({ extendedTypes: false, digests: true, hashSeed: 1 })
  assert.equal(tree.digest, 0x51c6d660n)
  assert.equal(tree.nodes.get('/')!.digest, 0x04128908)
  assert.equal(tree.nodes.get('/zookeeper')!.digest, 0x4db44d58)
  tree.apply(
    { clientId: 1n, cxid: 1, zxid: 3n, time: 0x1a20290588cn, type: opCode.create },
    {
      type: 'create',
      path: '/a',
      data: Buffer.from('x'),
      acl: [...openAcl],
      ephemeral: false,
      parentCVersion: 1,
    },
    null,
  )
  assert.equal(tree.digest, 0x1217b47dbn)
})

test('the znodes of a fresh server are Apache’s', () => {
  const tree = new DataTree({ extendedTypes: false, digests: true, hashSeed: 1 })
  assert.deepEqual(Array.from(tree.nodes, node => node.path).sort(), [
    '/',
    '/zookeeper',
    '/zookeeper/config',
    '/zookeeper/quota',
  ])
  assert.equal(tree.nodeCount, 5)
  assert.equal(tree.nodes.get('/')!.stat.cversion, -1)
  const zookeeper = tree.nodes.get('/zookeeper')!.stat
  assert.deepEqual([zookeeper.cversion, zookeeper.numChildren], [-2, 2])
  assert.equal(tree.nodes.get('/zookeeper/config')!.aversion, -1)
  assert.deepEqual(tree.nodes.get('/zookeeper/config')!.acl, [{ perms: 1, id: openAcl[0]!.id }])
})

test('replaying the log of an Apache leader gives the digest it wrote beside every transaction', () => {
  const log = gunzipSync(fixture('apache-3.9-log.100000001.gz'))
  const tree = new DataTree({ extendedTypes: false, digests: true, hashSeed: 1 })
  let count = 0
  for (let at = 16; log.readInt32BE(at + 8) > 0; ) {
    const length = log.readInt32BE(at + 8)
    const { header, txn, digest } = decodeEntry(log.subarray(at + 12, at + 12 + length))
    tree.apply(header, txn, null)
    if (digest !== null) {
      assert.ok(tree.hasDigest(digest), `after 0x${header.zxid.toString(16)}`)
      count++
    }
    at += 12 + length + 1
  }
  assert.ok(count > 100, `${count} digests compared`)
})

test('a replay over a snapshot that holds later znodes ends in the tree that was', () => {
  const tree = new DataTree({ extendedTypes: false, digests: true, hashSeed: 1 })
  let zxid = 0n
  const apply = (txn: Txn) =>
    tree.apply({ clientId: 1n, cxid: 1, zxid: ++zxid, time: 7n, type: opCode.create }, txn, null)
  const create = (path: string, parentCVersion: number): Txn => ({
    type: 'create',
    path,
    data: Buffer.from(path),
    acl: [...openAcl],
    ephemeral: false,
    parentCVersion,
  })
  // What stands in the log behind the snapshot, which was taken while it was written and holds all of its end.
  const log = [
    create('/a/b', 1),
    { type: 'delete', path: '/a/b' } as const,
    { type: 'delete', path: '/a' } as const,
    create('/a', 2),
    create('/a/c', 1),
  ]
  apply(create('/a', 1))
  for (const txn of log) apply(txn)
  const { digest } = tree
  zxid = 1n
  for (const txn of log) apply(txn)
  assert.equal(tree.digest, digest)
  const a = tree.nodes.get('/a')!
  assert.deepEqual(
    Array.from(tree.nodes.childrenOf(a), node => node.path),
    ['/a/c'],
  )
})

test('a server starts on a data directory that Apache wrote and serves its tree', async () => {
  await using folder = await temporaryFolder()
  const version = join(folder.path, 'data', 'version-2')
  await mkdir(version, { recursive: true })
  await writeFile(join(version, 'snapshot.0'), fixture('apache-3.9-snapshot.0'))
  const log = gunzipSync(fixture('apache-3.9-log.100000001.gz'))
  await writeFile(join(version, 'log.100000001'), log)
  await using zookeeper = await startServer({ folder: folder.path })
  await using client = await WireClient.connect(zookeeper.port)
  const { data, stat } = await client.get('/brokers/topics/orders')
  assert.ok(data?.toString().includes('"partitions"'))
  assert.equal(stat!.ephemeralOwner, 0n)
  assert.deepEqual(await client.children('/brokers/topics/orders/partitions'), ['0', '1'])
  // It goes on in a log and a snapshot of its own, and leaves Apache's as they were.
  assert.ok((await readdir(version)).includes('log.100000001'))
  assert.equal(await client.create('/new', 'x'), '/new')
})

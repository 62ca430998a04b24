import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteWriter } from '@vivarium/bytes'
import { encode, opCode, openAcl, stat } from '@vivarium/zookeeper-protocol'
import { DataTree } from '../src/data-tree.ts'
import { containerOwner, ttlOwner } from '../src/ephemeral-owner.ts'
import { decodeEntry, encodeEntry, type Txn } from '../src/txn.ts'

test('a stat written by hand is the declared record', () => {
  const tree = new DataTree({ extendedTypes: true, digests: true, hashSeed: 1 })
  const owners = [0n, 1n, -1n, 0x7fffffffffffffffn, containerOwner, ttlOwner(12_345n)]
  const header = { clientId: -5n, cxid: 1, zxid: -2n, time: 1_760_000_000_123n, type: opCode.create }
  for (const [index, clientId] of owners.entries()) {
    const txn: Txn = {
      type: 'create',
      path: `/n${index}`,
      data: index === 0 ? null : Buffer.alloc(index),
      acl: [...openAcl],
      ephemeral: clientId !== 0n,
      parentCVersion: index + 1,
    }
    tree.apply({ ...header, clientId, zxid: 0x1_ffff_fff0n + BigInt(index) }, txn, null)
  }
  for (const node of tree.nodes) {
    const writer = new ByteWriter(1)
    node.writeStat(writer)
    assert.deepEqual(writer.written(), encode(stat, node.stat))
  }
})

test('every kind of transaction is read as it was written', () => {
  const header = { clientId: -1n, cxid: -3, zxid: 0x2_0000_0001n, time: 1_760_000_000_000n }
  const acl = [{ perms: 31, id: { scheme: 'world', id: 'anyone' } }]
  const data = Buffer.from('data')
  const create: Txn = { type: 'create', path: '/a', data, acl, ephemeral: true, parentCVersion: 7 }
  const cases: [number, Txn][] = [
    [opCode.create, create],
    [opCode.create2, { ...create, data: null }],
    [opCode.createContainer, { type: 'createContainer', path: '/c', data, acl, parentCVersion: 1 }],
    [opCode.createTTL, { type: 'createTtl', path: '/t', data, acl, parentCVersion: 1, ttl: 99n }],
    [opCode.delete, { type: 'delete', path: '/a' }],
    [opCode.setData, { type: 'setData', path: '/a', data: Buffer.alloc(0), version: -2147483648 }],
    [opCode.setACL, { type: 'setAcl', path: '/a', acl, version: 3 }],
    [opCode.createSession, { type: 'createSession', timeOut: 30_000 }],
    [opCode.closeSession, { type: 'closeSession', paths: ['/a', '/b'] }],
    [opCode.closeSession, { type: 'closeSession', paths: null }],
    [opCode.error, { type: 'error', err: -101 }],
    [
      opCode.multi,
      {
        type: 'multi',
        txns: [
          { code: opCode.create2, txn: create },
          { code: opCode.check, txn: { type: 'check', path: '/a', version: 2 } },
          { code: opCode.error, txn: { type: 'error', err: -2 } },
        ],
      },
    ],
  ]
  for (const [type, txn] of cases) {
    for (const digest of [null, { version: 2, high: 0xffff_ffff, low: 0xffff_ffff }]) {
      const bytes = encodeEntry({ ...header, type }, txn, digest)
      assert.deepEqual(decodeEntry(bytes), { header: { ...header, type }, txn, digest })
    }
  }
})

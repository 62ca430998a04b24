import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteReader, ByteWriter, MalformedBytesError } from '@vivarium/bytes'
import {
  createTxn,
  decode,
  encode,
  errorCode,
  firstSessionId,
  type JuteRecord,
  pathProblem,
  quorumPacket,
  readConnectRequest,
  readMultiRequest,
  readMultiResponse,
  sessionPassword,
  txnDigest,
  txnHeader,
  writeMultiResponse,
} from '../src/index.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')

test('a session’s password follows from its id as Apache computes it', () => {
  assert.equal(sessionPassword(0x1000010ab490010n).toString('hex'), '2b80fcf227ea79eaafa42aa7a5b23860')
  assert.equal(sessionPassword(0x1000010ab490000n).toString('hex'), '5d919ef226a46e3803d49e5ddf3f8131')
})

test('session ids carry the server’s id in their top byte', () => {
  assert.equal(firstSessionId(3n, 12_345n) >> 56n, 3n)
  assert.notEqual(firstSessionId(0x80n, 0n), -(2n ** 63n))
})

test('a COMMIT and a FOLLOWERINFO of an Apache ensemble decode and encode to the same bytes', () => {
  const commit = hex('00000004 0000000100000001 ffffffff ffffffff')
  assert.deepEqual(decode(quorumPacket, commit), { type: 4, zxid: 0x100000001n, data: null, authinfo: null })
  assert.deepEqual(encode(quorumPacket, decode(quorumPacket, commit)), commit)
  const info = hex('0000000b 0000000000000000 00000014 0000000000000001 00010000 0000000000000000 ffffffff')
  assert.deepEqual(encode(quorumPacket, decode(quorumPacket, info)), info)
})

test('a proposal of an Apache leader holds header, transaction and digest', () => {
  const entry = hex(
    '0100001394050000 00000002 0000000100000003 000001a202930292 00000001 000000022f78 0000000131 00000001 0000001f 00000005776f726c64 00000006616e796f6e65 00 00000001 00000002 0000000152677742',
  )
  const reader = new ByteReader(entry)
  const header = txnHeader.read(reader)
  assert.equal(header.clientId, 0x100001394050000n)
  assert.equal(header.zxid, 0x100000003n)
  const txn = createTxn.read(reader)
  assert.deepEqual([txn.path, txn.data?.toString(), txn.ephemeral, txn.parentCVersion], ['/x', '1', false, 1])
  assert.deepEqual(txnDigest.read(reader), { version: 2, treeDigest: 0x152677742n })
  assert.equal(reader.remaining, 0)
})

test('every truncation is an error that says so', () => {
  const packet = encode(quorumPacket, {
    type: 1,
    zxid: -1n,
    data: Buffer.from('body'),
    authinfo: [{ scheme: 'ip', id: '127.0.0.1' }],
  })
  for (let length = 0; length < packet.length; length++) {
    assert.throws(() => decode(quorumPacket, packet.subarray(0, length)), MalformedBytesError)
  }
})

test('a hostile length or count takes no memory', () => {
  const oneField = (record: JuteRecord<never>, bytes: string) =>
    assert.throws(() => decode(record, hex(bytes)), MalformedBytesError)
  oneField(quorumPacket as never, '00000001 ffffffffffffffff 7fffffff')
  oneField(quorumPacket as never, '00000001 ffffffffffffffff fffffffe')
  oneField(quorumPacket as never, '00000001 ffffffffffffffff ffffffff 7fffffff')
  oneField(createTxn as never, '000000022f78 ffffffff 10000000 0000001f')
})

test('a connect request of an old client lacks the read-only byte', () => {
  const old = hex(
    '00000000 0000000000000000 00002710 0000000000000000 00000010 00000000000000000000000000000000',
  )
  assert.equal(readConnectRequest(old).knowsReadOnly, false)
  assert.equal(readConnectRequest(Buffer.concat([old, hex('01')])).request.readOnly, true)
})

test('a failed multi says of each operation what became of it', () => {
  const writer = new ByteWriter()
  const results = [errorCode.OK, errorCode.NONODE, errorCode.RUNTIMEINCONSISTENCY].map(err => ({
    type: -1 as const,
    err,
  }))
  writeMultiResponse(writer, results)
  assert.deepEqual(readMultiResponse(new ByteReader(writer.written())), results)
})

test('a multi that holds what may not be in one is malformed', () => {
  assert.throws(() => readMultiRequest(new ByteReader(hex('fffffff6 00 ffffffff'))), MalformedBytesError)
})

test('paths are refused for the reasons Apache refuses them', () => {
  const good = ['/', '/a', '/a/b.c', '/a/..b', '/ä', '/a b']
  const bad = [
    '',
    'a',
    '/a/',
    '//',
    '/a//b',
    '/a/./b',
    '/a/..',
    '/a\u0001',
    '/a\u0000b',
    '/\ud83d\ude00',
    '/\uffff',
    '/a\u007f',
  ]
  assert.deepEqual(
    good.map(pathProblem),
    good.map(() => null),
  )
  for (const path of bad) assert.notEqual(pathProblem(path), null, JSON.stringify(path))
})

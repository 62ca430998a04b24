// Every message of a recorded Apache 3.9 ensemble: clients and quorum.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { ByteReader, ByteWriter, FrameDecoder, MalformedBytesError } from '@vivarium/bytes'
import * as p from '../src/index.ts'

interface Recorded {
  to: string
  chunks: ['>' | '<', string][]
}

const fixture = new URL('./fixtures/apache-3.9-zookeeper-wire.jsonl.gz', import.meta.url)
const connections = gunzipSync(readFileSync(fixture))
  .toString()
  .trim()
  .split('\n')
  .map(line => JSON.parse(line) as Recorded)

const bytesOf = ({ chunks }: Recorded, direction: '>' | '<') =>
  Buffer.concat(chunks.filter(([d]) => d === direction).map(([, hex]) => Buffer.from(hex, 'hex')))

function framesOf(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = []
  new FrameDecoder(1024 * 1024).push(bytes, frame => frames.push(frame))
  return frames
}

// biome-ignore lint/suspicious/noExplicitAny: records of any kind.
type AnyRecord = p.JuteRecord<any>

let checkedCount = 0

/** The whole of `bytes` is one `type`: read and written again alike, compiled and interpreted, and no shorter. */
function check(type: AnyRecord, bytes: Buffer, what: string): unknown {
  const plain = p.interpreted(type)
  const reader = new ByteReader(bytes)
  const value = type.read(reader)
  assert.equal(reader.remaining, 0, `${what}: ${type.name} leaves bytes`)
  assert.deepEqual(plain.read(new ByteReader(bytes)), value, what)
  assert.deepEqual(p.encode(type, value), bytes, what)
  assert.deepEqual(p.encode(plain, value), bytes, what)
  if (checkedCount++ < 500 || bytes.length < 64) {
    for (let length = Math.max(0, bytes.length - 300); length < bytes.length; length++) {
      for (const reading of [type, plain]) {
        assert.throws(() => reading.read(new ByteReader(bytes, 0, length)), MalformedBytesError, what)
      }
    }
  }
  return value
}

const requests: Record<number, AnyRecord> = {
  [p.opCode.create]: p.createRequest,
  [p.opCode.create2]: p.createRequest,
  [p.opCode.delete]: p.deleteRequest,
  [p.opCode.exists]: p.existsRequest,
  [p.opCode.getData]: p.getDataRequest,
  [p.opCode.setData]: p.setDataRequest,
  [p.opCode.getACL]: p.getAclRequest,
  [p.opCode.setACL]: p.setAclRequest,
  [p.opCode.getChildren]: p.getChildrenRequest,
  [p.opCode.getChildren2]: p.getChildren2Request,
  [p.opCode.sync]: p.syncRequest,
  [p.opCode.auth]: p.authPacket,
  [p.opCode.setWatches]: p.setWatches,
  [p.opCode.setWatches2]: p.setWatches2,
}

const responses: Record<number, AnyRecord> = {
  [p.opCode.create]: p.createResponse,
  [p.opCode.create2]: p.create2Response,
  [p.opCode.exists]: p.existsResponse,
  [p.opCode.getData]: p.getDataResponse,
  [p.opCode.setData]: p.setDataResponse,
  [p.opCode.getACL]: p.getAclResponse,
  [p.opCode.setACL]: p.setAclResponse,
  [p.opCode.getChildren]: p.getChildrenResponse,
  [p.opCode.getChildren2]: p.getChildren2Response,
  [p.opCode.sync]: p.syncResponse,
}

const txnBodies: Record<number, AnyRecord> = {
  [p.opCode.createSession]: p.createSessionTxn,
  [p.opCode.closeSession]: p.closeSessionTxn,
  [p.opCode.error]: p.errorTxn,
  [p.opCode.create]: p.createTxn,
  [p.opCode.create2]: p.createTxn,
  [p.opCode.delete]: p.deleteTxn,
  [p.opCode.setData]: p.setDataTxn,
  [p.opCode.setACL]: p.setAclTxn,
  [p.opCode.check]: p.checkVersionTxn,
  [p.opCode.multi]: p.multiTxn,
}

function checkRequestBody(op: number, body: Buffer): void {
  const type = requests[op]
  if (op === p.opCode.multi) checkMultiRequest(body)
  else if (type !== undefined) check(type, body, `request ${op}`)
  else if (op === p.opCode.createSession) assert.equal(body.length, 4)
  else assert.equal(body.length, 0, `request ${op} has a body`)
}

function checkMultiRequest(body: Buffer): void {
  const ops = p.readMultiRequest(new ByteReader(body))
  const writer = new ByteWriter()
  p.writeMultiRequest(writer, ops)
  assert.deepEqual(writer.written(), body)
  for (const { type, body: part } of ops) {
    check(p.multiBodies[type as keyof typeof p.multiBodies], part, `part ${type} of a multi`)
  }
  everyTruncationFails(body, reader => p.readMultiRequest(reader))
}

function checkMultiResponse(body: Buffer): void {
  const results = p.readMultiResponse(new ByteReader(body))
  const writer = new ByteWriter()
  p.writeMultiResponse(writer, results)
  assert.deepEqual(writer.written(), body)
  everyTruncationFails(body, reader => p.readMultiResponse(reader))
}

function everyTruncationFails(bytes: Buffer, read: (reader: ByteReader) => unknown): void {
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => read(new ByteReader(bytes, 0, length)), MalformedBytesError)
  }
}

test('client connections: requests, replies, watch events, multi, authentication', () => {
  const seen = new Map<number, number>()
  for (const connection of connections.filter(c => c.to.endsWith('client'))) {
    const [connect, ...sent] = framesOf(bytesOf(connection, '>'))
    const [accepted, ...received] = framesOf(bytesOf(connection, '<'))
    check(p.connectRequest, connect!, 'connect request')
    check(p.connectResponse, accepted!, 'connect response')
    const opOfXid = new Map<number, number>()
    for (const frame of sent) {
      const { xid, type } = p.requestHeader.read(new ByteReader(frame))
      if (xid >= 0) opOfXid.set(xid, type)
      checkRequestBody(type, frame.subarray(8))
      seen.set(type, (seen.get(type) ?? 0) + 1)
    }
    for (const frame of received) {
      const { xid, err } = p.replyHeader.read(new ByteReader(frame))
      const body = frame.subarray(16)
      if (xid === p.specialXid.notification) check(p.watcherEvent, body, 'watch event')
      else if (err !== 0 || xid < 0) assert.equal(body.length, 0, 'an error reply ends after its header')
      else {
        const op = opOfXid.get(xid)!
        const type = responses[op]
        if (op === p.opCode.multi) checkMultiResponse(body)
        else if (type !== undefined) check(type, body, `response ${op}`)
        else assert.equal(body.length, 0, `response ${op} has a body`)
      }
    }
  }
  for (const op of [
    'create',
    'delete',
    'exists',
    'getData',
    'setData',
    'multi',
    'auth',
    'sync',
    'closeSession',
  ] as const) {
    assert.ok((seen.get(p.opCode[op]) ?? 0) > 0, `the recording has ${op}`)
  }
})

function checkEntry(entry: Buffer): void {
  const reader = new ByteReader(entry)
  const { type } = p.txnHeader.read(reader)
  const body = txnBodies[type]
  assert.ok(body, `transaction type ${type}`)
  const start = reader.position
  const value = body.read(reader)
  check(body, entry.subarray(start, reader.position), `transaction ${type}`)
  if (type === p.opCode.multi) {
    for (const { type: subType, data } of (value as { txns: p.Txn[] }).txns) {
      check(txnBodies[subType]!, data!, `part ${subType} of a multi transaction`)
    }
  }
  if (reader.remaining > 0) check(p.txnDigest, entry.subarray(reader.position), 'digest')
}

function checkPacket({ type, data }: p.QuorumPacket): void {
  const t = p.packetType
  if (type === t.PROPOSAL || type === t.INFORM) checkEntry(data!)
  else if (type === t.FOLLOWERINFO || type === t.OBSERVERINFO) check(p.learnerInfo, data!, 'learner info')
  else if (type === t.REQUEST) checkRequestBody(data!.readInt32BE(12), data!.subarray(16))
}

test('quorum connections: discovery, synchronization, broadcast', () => {
  const seen = new Set<number>()
  for (const connection of connections.filter(c => c.to.endsWith('quorum'))) {
    for (const direction of ['>', '<'] as const) {
      const bytes = bytesOf(connection, direction)
      const reader = new ByteReader(bytes)
      while (reader.remaining > 0) {
        const start = reader.position
        const packet = p.quorumPacket.read(reader)
        check(p.quorumPacket, bytes.subarray(start, reader.position), `packet ${packet.type}`)
        checkPacket(packet)
        seen.add(packet.type)
      }
    }
  }
  for (const name of [
    'REQUEST',
    'PROPOSAL',
    'ACK',
    'COMMIT',
    'PING',
    'DIFF',
    'NEWLEADER',
    'UPTODATE',
  ] as const) {
    assert.ok(seen.has(p.packetType[name]), `the recording has ${name}`)
  }
})

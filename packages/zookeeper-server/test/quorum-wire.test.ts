import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { FrameDecoder, MalformedBytesError } from '@vivarium/bytes'
import { type Connection, silentLog } from '@vivarium/platform'
import { nodeClock } from '@vivarium/platform/node'
import { encode, learnerInfo, packetType, type QuorumPacket } from '@vivarium/zookeeper-protocol'
import {
  configTextIn,
  decodeNotification,
  encodeNotification,
  initialMessage,
  readInitialMessage,
} from '../src/quorum/election-messages.ts'
import { LearnerHandler, type LearnerMaster } from '../src/quorum/learner-handler.ts'
import type { MemberContext } from '../src/quorum/member.ts'
import { PeerStream } from '../src/quorum/peer-stream.ts'
import { Processes } from './quorum-processes.ts'
import { WireClient } from './wire-client.ts'

interface Recorded {
  to: string
  chunks: [string, string][]
}

const recordings = gunzipSync(
  readFileSync(
    new URL('../../zookeeper-protocol/test/fixtures/apache-3.9-zookeeper-wire.jsonl.gz', import.meta.url),
  ),
)
  .toString()
  .trim()
  .split('\n')
  .map(line => JSON.parse(line) as Recorded)

function recorded(kind: string, direction: '<' | '>'): Buffer[] {
  return recordings
    .filter(({ to }) => to.endsWith(kind))
    .map(({ chunks }) =>
      Buffer.concat(chunks.filter(([way]) => way === direction).map(([, hex]) => Buffer.from(hex, 'hex'))),
    )
}

/** A connection that goes nowhere: gives what a test puts in, keeps what is written. */
class TestConnection implements Connection {
  readonly remote = { host: '127.0.0.1', port: 1 }
  readonly local = { host: '127.0.0.1', port: 2 }
  onData: (chunk: Buffer) => void = () => {}
  onClose: (error: Error | null) => void = () => {}
  onDrain: () => void = () => {}
  readonly pendingBytes = 0
  readonly written: Buffer[] = []
  write(bytes: Uint8Array): boolean {
    this.written.push(Buffer.from(bytes))
    return true
  }
  writeNow(bytes: Uint8Array): boolean {
    return this.write(bytes)
  }
  pause(): void {}
  resume(): void {}
  end(): void {}
  destroy(): void {}
}

/** All packets up to the end, or to a SNAP, behind which no packets stand. */
function packetsOf(bytes: Buffer, chunkBytes: number): { packets: QuorumPacket[]; isWhole: boolean } {
  const connection = new TestConnection()
  const stream = new PeerStream(connection, nodeClock, 60_000)
  const packets: QuorumPacket[] = []
  try {
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      connection.onData(Buffer.from(bytes.subarray(at, at + chunkBytes)))
      for (let packet = stream.next(); packet !== null; packet = stream.next()) {
        packets.push({ ...packet, data: packet.data === null ? null : Buffer.from(packet.data) })
        if (packet.type === packetType.SNAP) return { packets, isWhole: false }
      }
    }
    return { packets, isWhole: true }
  } finally {
    stream.close()
  }
}

test('recorded conversations of leader and learners read the same however they are cut, and write back identically', async () => {
  const conversations = [...recorded('quorum', '<'), ...recorded('quorum', '>')]
  assert.ok(conversations.length >= 8)
  const seen = new Set<number>()
  for (const bytes of conversations) {
    const { packets, isWhole } = packetsOf(bytes, bytes.length)
    for (const chunkBytes of [1, 7, 61]) assert.deepEqual(packetsOf(bytes, chunkBytes).packets, packets)
    const connection = new TestConnection()
    const stream = new PeerStream(connection, nodeClock, 60_000)
    for (const { type, zxid, data, authinfo } of packets) {
      seen.add(type)
      stream.send(type, zxid, data, authinfo)
    }
    await Promise.resolve()
    stream.close()
    const written = Buffer.concat(connection.written)
    assert.deepEqual(written, bytes.subarray(0, written.length))
    if (isWhole) assert.ok(bytes.length - written.length < 100, 'only a cut-off packet may be left')
  }
  for (const type of [
    'REQUEST',
    'PROPOSAL',
    'ACK',
    'COMMIT',
    'PING',
    'NEWLEADER',
    'UPTODATE',
    'DIFF',
    'LEADERINFO',
  ] as const)
    assert.ok(seen.has(packetType[type]), `${type} was met`)
})

test('of acknowledgements that come together the last one counts, and one that answers NEWLEADER or UPTODATE counts by itself', async () => {
  const connection = new TestConnection()
  const told: (bigint | string)[] = []
  const master = {
    introduced: (learner: LearnerHandler) => told.push(`hello of ${learner.sid}`),
    acknowledged: (_learner: LearnerHandler, zxid: bigint) => told.push(zxid),
    touched: () => told.push('ping'),
    answered: () => {},
  } as unknown as LearnerMaster
  const context = { membership: { committed: { version: 0n } }, log: silentLog } as unknown as MemberContext
  const handler = new LearnerHandler(new PeerStream(connection, nodeClock, 60_000), master, context)
  const ended = handler.run()
  const sent = new TestConnection()
  const learner = new PeerStream(sent, nodeClock, 60_000)
  learner.send(
    packetType.FOLLOWERINFO,
    0n,
    encode(learnerInfo, { serverid: 2n, protocolVersion: 0x10000, configVersion: 0n }),
  )
  for (const zxid of [0x3_0000_0000n, 0x3_0000_0001n, 0x3_0000_0002n, 0x3_0000_0000n, 0x3_0000_0003n])
    learner.send(packetType.ACK, zxid)
  learner.send(packetType.PING, 0n, Buffer.alloc(12))
  for (const zxid of [0x3_0000_0004n, 0x3_0000_0005n]) learner.send(packetType.ACK, zxid)
  await Promise.resolve()
  connection.onData(Buffer.concat(sent.written))
  await new Promise(setImmediate)
  assert.deepEqual(told, [
    'hello of 2',
    0x3_0000_0000n,
    0x3_0000_0002n,
    0x3_0000_0000n,
    0x3_0000_0003n,
    'ping',
    0x3_0000_0005n,
  ])
  learner.close()
  handler.stream.close()
  await assert.rejects(ended)
})

test('packets whose lengths cannot be are refused before memory is taken', () => {
  const head = (length: number, count = -1) => {
    const bytes = Buffer.alloc(24)
    bytes.writeInt32BE(2, 0)
    bytes.writeInt32BE(length, 12)
    if (length <= 0) bytes.writeInt32BE(count, 16)
    return bytes
  }
  assert.throws(() => packetsOf(head(0x7fffffff), 24), MalformedBytesError)
  assert.throws(() => packetsOf(head(-2), 24), MalformedBytesError)
  assert.throws(() => packetsOf(head(0, 1_000_000), 24), MalformedBytesError)
  const identity = head(0, 1)
  identity.writeInt32BE(0x7fffffff, 20)
  assert.throws(() => packetsOf(identity, 24), MalformedBytesError)
})

test('recorded election messages read and write back identically', () => {
  let notifications = 0
  for (const bytes of recorded('election', '>')) {
    const initial = readInitialMessage(bytes)!
    const text = bytes.toString('latin1', 20, initial.end)
    const [host, port] = text.split(':')
    assert.deepEqual(
      initialMessage(initial.sid, [{ host: host!, port: Number(port) }]),
      bytes.subarray(0, initial.end),
    )
    for (let length = 0; length < initial.end; length++)
      assert.equal(readInitialMessage(bytes.subarray(0, length)), null)
    new FrameDecoder(512 * 1024).push(Buffer.from(bytes.subarray(initial.end)), frame => {
      const n = decodeNotification(initial.sid, frame)
      const config = frame.toString('utf8', 44)
      assert.deepEqual(encodeNotification(n, n.state, config).subarray(4), frame)
      assert.equal(configTextIn(frame), config)
      const tooLong = Buffer.from(frame)
      tooLong.writeInt32BE(config.length + 1, 40)
      assert.throws(() => configTextIn(tooLong), MalformedBytesError)
      notifications++
    })
  }
  assert.ok(notifications > 5)
})

test('a server with several addresses says all of them, and those are listened to that can be reached', () => {
  const addresses = [
    { host: '10.0.0.1', port: 3888 },
    { host: 'fd00::1', port: 3889 },
  ]
  const message = initialMessage(7n, addresses)
  assert.equal(message.readBigInt64BE(0), -65535n)
  assert.equal(message.toString('latin1', 20), '10.0.0.1:3888|[fd00::1]:3889')
  assert.deepEqual(readInitialMessage(message), { sid: 7n, addresses, end: message.length })
  const wildcard = initialMessage(7n, [{ host: '0.0.0.0', port: 3888 }, addresses[1]!])
  assert.deepEqual(readInitialMessage(wildcard)!.addresses, [addresses[1]])
})

test('older notifications lack the epoch, the version or the configuration', () => {
  const full = encodeNotification(
    { leader: 3n, zxid: 0x5_0000_0007n, round: 2n, peerEpoch: 6n },
    1,
    '',
  ).subarray(4)
  const common = { sender: 1n, state: 1, leader: 3n, zxid: 0x5_0000_0007n, round: 2n }
  assert.deepEqual(decodeNotification(1n, full.subarray(0, 28)), { ...common, peerEpoch: 5n, version: 0 })
  assert.deepEqual(decodeNotification(1n, full.subarray(0, 40)), { ...common, peerEpoch: 6n, version: 0 })
  assert.deepEqual(decodeNotification(1n, full), { ...common, peerEpoch: 6n, version: 2 })
  assert.throws(() => decodeNotification(1n, full.subarray(0, 27)), MalformedBytesError)
  const unknownState = Buffer.from(full)
  unknownState.writeInt32BE(9, 0)
  assert.throws(() => decodeNotification(1n, unknownState), MalformedBytesError)
})

/** Sends bytes to a port; resolves when the other side has closed. */
function throwAt(port: number, bytes: Buffer): Promise<void> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    socket.on('connect', () => socket.write(bytes))
    socket.resume()
  })
}

test('nonsense at the election and quorum ports closes that connection, is logged with its sender, and disturbs nobody', async () => {
  await using ensemble = await Processes.configure(3)
  for (const id of [1, 2, 3]) ensemble.start(id)
  const leader = await ensemble.serving([1, 2, 3])
  await using client = await WireClient.connect(ensemble.port(leader))
  const [quorumPort, electionPort] = ensemble.peerPorts(leader)
  const text = Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(3))
  const huge = Buffer.alloc(64, 0x7f)
  huge.writeInt32BE(packetType.FOLLOWERINFO, 0)
  const impostor = Buffer.concat([
    Buffer.from('0000000b000000000000000000000014', 'hex'),
    Buffer.from(
      `00000000000000${leader.toString(16).padStart(2, '0')}000100000000000000000000ffffffff`,
      'hex',
    ),
  ])
  for (const bytes of [text, huge, impostor]) await throwAt(quorumPort, bytes)
  const badFrame = Buffer.concat([
    initialMessage(99n, [{ host: '127.0.0.1', port: 1 }]),
    Buffer.alloc(8, 0x7f),
  ])
  for (const bytes of [Buffer.alloc(32, 0xfe), badFrame]) await throwAt(electionPort, bytes)
  assert.equal(await client.create('/still-here'), '/still-here')
  assert.equal(await ensemble.mode(leader), 'leader')
  assert.match(ensemble.output(leader), /GOODBYE \/127\.0\.0\.1:\d+/)
  assert.match(ensemble.output(leader), /Exception reading initial message from \/127\.0\.0\.1:\d+/)
  assert.match(ensemble.output(leader), /Connection broken for id 99, my id = \d/)
})

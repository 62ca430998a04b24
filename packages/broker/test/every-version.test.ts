import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { test } from 'node:test'
import { crc32 } from 'node:zlib'
import {
  type Api,
  apis,
  apiVersions,
  buildBatch,
  createTopics,
  errorCode,
  ZERO_UUID,
} from '@vivarium/kafka-protocol'
import { TestCluster, until } from './cluster.ts'

const timeoutMs = 10_000
const topic = 'versions'

/** Requests that reach into a partition or a group, so that answers have something to say in every field. */
const bodies: Record<string, (version: number, topicId: string) => object> = {
  Produce: version => ({
    acks: -1,
    timeoutMs,
    topicData: [
      { name: topic, partitionData: [{ index: 0, records: version >= 3 ? batch() : messageSet() }] },
    ],
  }),
  Fetch: (version, topicId) => ({
    ...(version >= 15 ? {} : { replicaId: -1 }),
    minBytes: 1,
    maxBytes: 1_000_000,
    topics: [
      {
        ...(version >= 13 ? { topicId } : { topic }),
        partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000 }],
      },
    ],
  }),
  ListOffsets: () => ({
    replicaId: -1,
    topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp: -1 }] }],
  }),
  Metadata: version => ({ topics: [version >= 10 ? { topicId: ZERO_UUID, name: topic } : { name: topic }] }),
  OffsetForLeaderEpoch: version => ({
    ...(version >= 3 ? { replicaId: -1 } : {}),
    topics: [{ topic, partitions: [{ partition: 0, leaderEpoch: 0 }] }],
  }),
  DescribeConfigs: () => ({ resources: [{ resourceType: 2, resourceName: topic, configurationKeys: null }] }),
  FindCoordinator: version => (version >= 4 ? { coordinatorKeys: ['g'] } : { key: 'g' }),
  OffsetFetch: version =>
    version >= 8
      ? { groups: [{ groupId: 'g', topics: [{ name: topic, partitionIndexes: [0] }] }] }
      : { groupId: 'g', topics: [{ name: topic, partitionIndexes: [0] }] },
  DescribeGroups: () => ({ groups: ['g'] }),
  DeleteGroups: () => ({ groupsNames: ['g'] }),
  DeleteTopics: version =>
    version >= 6 ? { topics: [{ name: 'absent', topicId: ZERO_UUID }] } : { topicNames: ['absent'] },
  CreateTopics: () => ({
    topics: [{ name: 'bad name', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
  }),
  // Nobody has this id: nothing is shut down.
  ControlledShutdown: () => ({ brokerId: 99 }),
}

/** One message of format 1. */
function messageSet(): Buffer {
  const message = Buffer.alloc(12 + 4 + 1 + 1 + 8 + 4 + 4 + 1)
  message.writeInt32BE(message.length - 12, 8)
  message[16] = 1
  message.writeBigInt64BE(1_000n, 18)
  message.writeInt32BE(-1, 26)
  message.writeInt32BE(1, 30)
  message.write('m', 34)
  message.writeUInt32BE(crc32(message.subarray(16)), 12)
  return message
}

function batch(): Buffer {
  const value = Buffer.from('v')
  return buildBatch({ baseOffset: 0, records: [{ key: null, value, timestampMs: 1_000, headers: [] }] })
}

test('every API answers in every version that is advertised', async () => {
  await using cluster = await TestCluster.start(1)
  const address = cluster.address(0)
  await cluster.client.requestTo(
    address,
    createTopics,
    5,
    {
      topics: [{ name: topic, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
      timeoutMs,
    },
    { timeoutMs },
  )
  const broker = cluster.brokers.get(0)!
  await until(
    () => broker.replicas.partition(topic, 0)?.isLeader === true,
    () => `${topic} has no leader:\n${cluster.log()}`,
  )
  const { topicId } = broker.metadata.topic(topic)!
  const { apiKeys } = await cluster.client.requestTo(address, apiVersions, 0, {}, { timeoutMs })
  assert.ok(apiKeys.length > 30)
  const failures: string[] = []
  const stored: string[] = []
  for (const { apiKey, minVersion, maxVersion } of apiKeys) {
    const api: Api = apis.get(apiKey)!
    // The client of this test has an id, for which the header of ControlledShutdown 0 has no room.
    const first = api.name === 'ControlledShutdown' ? 1 : minVersion
    for (let version = first; version <= maxVersion; version++) {
      const named =
        api.name === 'ApiVersions' && version >= 3
          ? { clientSoftwareName: 'test', clientSoftwareVersion: '1' }
          : {}
      const body = bodies[api.name]?.(version, topicId) ?? named
      try {
        const answer = await cluster.client.requestTo(address, api, version, body as never, { timeoutMs })
        if (api.name === 'Produce') stored.push(JSON.stringify(answer))
      } catch (error) {
        failures.push(`${api.name} v${version}: ${(error as Error).message}`)
      }
    }
  }
  const errors = cluster
    .log()
    .split('\n')
    .filter(line => line.includes('ERROR'))
  assert.deepEqual(failures, [], errors.join('\n'))
  // Each version of Produce wrote one record.
  assert.equal(broker.replicas.partition(topic, 0)!.log.logEndOffset, 12, stored.join('\n'))
})

test('a version of ApiVersions nobody knows is answered with what is known', async () => {
  await using cluster = await TestCluster.start(1)
  const { host, port } = cluster.address(0)
  const socket = connect(port, host)
  const header = Buffer.alloc(4 + 2 + 2 + 4 + 2)
  header.writeInt32BE(header.length - 4, 0)
  header.writeInt16BE(18, 4)
  header.writeInt16BE(99, 6)
  header.writeInt32BE(7, 8)
  header.writeInt16BE(-1, 12)
  socket.write(header)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  assert.equal(answer.readInt32BE(4), 7)
  assert.equal(answer.readInt16BE(8), errorCode.UNSUPPORTED_VERSION)
  socket.destroy()
})

test('bytes that are no request close their connection and disturb no other', async () => {
  await using cluster = await TestCluster.start(1)
  const { host, port } = cluster.address(0)
  await cluster.client.requestTo({ host, port }, apiVersions, 0, {}, { timeoutMs })
  const cases = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.from([0x7f, 0xff, 0xff, 0xff]),
    Buffer.from([0xff, 0xff, 0xff, 0xff]),
    Buffer.from([0, 0, 0, 2, 0, 0]),
    Buffer.from([0, 0, 0, 8, 0, 99, 0, 0, 0, 0, 0, 0]),
  ]
  for (const bytes of cases) {
    const socket = connect(port, host)
    socket.on('error', () => {})
    const closed = new Promise(resolve => socket.once('close', resolve))
    socket.resume()
    socket.write(bytes)
    await closed
  }
  const { apiKeys } = await cluster.client.requestTo({ host, port }, apiVersions, 0, {}, { timeoutMs })
  assert.ok(apiKeys.length > 0)
})

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import {
  apiVersions,
  buildBatch,
  createTopics,
  errorCode,
  fetch,
  incrementalAlterConfigs,
  listOffsets,
  offsetCommit,
  offsetFetch,
  produce,
} from '@vivarium/kafka-protocol'
import { TestCluster, until } from './cluster.ts'

const timeoutMs = 10_000
const topic = 'old'

async function clusterWithRecords(values: string[]): Promise<TestCluster> {
  const cluster = await TestCluster.start(1)
  const address = cluster.address(0)
  const topics = [{ name: topic, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }]
  await cluster.client.requestTo(address, createTopics, 5, { topics, timeoutMs }, { timeoutMs })
  await until(
    () => cluster.brokers.get(0)!.replicas.partition(topic, 0)?.isLeader === true,
    () => `${topic} has no leader:\n${cluster.log()}`,
  )
  const records = values.map(value => ({ key: null, value: Buffer.from(value), timestampMs: 1_000 }))
  const topicData = [
    { name: topic, partitionData: [{ index: 0, records: buildBatch({ baseOffset: 0, records }) }] },
  ]
  await cluster.client.requestTo(address, produce, 9, { acks: -1, timeoutMs, topicData }, { timeoutMs })
  return cluster
}

async function fetched(cluster: TestCluster, version: number, fetchOffset: number) {
  const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: 100_000 }]
  const { responses } = await cluster.client.requestTo(
    cluster.address(0),
    fetch,
    version,
    { replicaId: -1, minBytes: 1, topics: [{ topic, partitions }] },
    { timeoutMs },
  )
  return responses[0]!.partitions[0]!
}

test('what is served has Apache’s versions, from the oldest to the newest', async () => {
  await using cluster = await TestCluster.start(1)
  const apache: Record<string, [number, number]> = JSON.parse(
    readFileSync(new URL('fixtures/apache-3.9-api-versions.json', import.meta.url), 'utf8'),
  )
  const { apiKeys } = await cluster.client.requestTo(cluster.address(0), apiVersions, 0, {}, { timeoutMs })
  for (const { apiKey, minVersion, maxVersion } of apiKeys)
    assert.deepEqual([minVersion, maxVersion], apache[apiKey], `API ${apiKey}`)
})

test('consumers from before Kafka 0.11 get message sets, with times from Fetch 2 on', async () => {
  await using cluster = await clusterWithRecords(['a', 'b'])
  for (const [version, format, size] of [
    [0, 0, 27],
    [1, 0, 27],
    [2, 1, 35],
    [3, 1, 35],
  ] as const) {
    const { records, highWatermark, errorCode: code } = await fetched(cluster, version, 1)
    assert.equal(code, errorCode.NONE)
    assert.equal(highWatermark, 2)
    assert.equal(records!.length, size, `Fetch ${version}`)
    assert.equal(Number(records!.readBigInt64BE(0)), 1)
    assert.equal(records![16], format)
    assert.equal(records!.at(-1), 'b'.charCodeAt(0))
  }
  assert.equal((await fetched(cluster, 4, 1)).records![16], 2)
})

test('where conversion is switched off they are told that their version is not served', async () => {
  await using cluster = await clusterWithRecords(['a'])
  const configs = [{ name: 'message.downconversion.enable', configOperation: 0, value: 'false' }]
  await cluster.client.requestTo(
    cluster.address(0),
    incrementalAlterConfigs,
    1,
    { resources: [{ resourceType: 2, resourceName: topic, configs }], validateOnly: false },
    { timeoutMs },
  )
  assert.equal((await fetched(cluster, 3, 0)).errorCode, errorCode.UNSUPPORTED_VERSION)
  assert.equal((await fetched(cluster, 4, 0)).errorCode, errorCode.NONE)
})

test('ListOffsets 0 gives bounds of segments, newest first', async () => {
  await using cluster = await clusterWithRecords(['a', 'b', 'c'])
  const ask = async (timestamp: number, maxNumOffsets: number) => {
    const partitions = [{ partitionIndex: 0, timestamp, maxNumOffsets }]
    const { topics } = await cluster.client.requestTo(
      cluster.address(0),
      listOffsets,
      0,
      { replicaId: -1, topics: [{ name: topic, partitions }] },
      { timeoutMs },
    )
    return topics[0]!.partitions[0]!.oldStyleOffsets
  }
  assert.deepEqual(await ask(-1, 10), [3, 0])
  assert.deepEqual(await ask(-1, 1), [3])
  assert.deepEqual(await ask(-2, 10), [0])
  assert.deepEqual(await ask(1_500, 10), [0])
  assert.deepEqual(await ask(500, 10), [])
})

test('a time that stands for something else is refused in versions that do not know it', async () => {
  await using cluster = await clusterWithRecords(['a', 'b'])
  const ask = async (version: number, timestamp: number) => {
    const { topics } = await cluster.client.requestTo(
      cluster.address(0),
      listOffsets,
      version,
      { replicaId: -1, topics: [{ name: topic, partitions: [{ partitionIndex: 0, timestamp }] }] },
      { timeoutMs },
    )
    const { offset, errorCode: code } = topics[0]!.partitions[0]!
    return code === errorCode.NONE ? offset : `error ${code}`
  }
  const unsupported = `error ${errorCode.UNSUPPORTED_VERSION}`
  assert.deepEqual([await ask(6, -3), await ask(7, -3)], [unsupported, 0])
  assert.deepEqual([await ask(7, -4), await ask(8, -4)], [unsupported, 0])
  assert.deepEqual([await ask(8, -5), await ask(9, -5)], [unsupported, -1])
  assert.equal(await ask(9, -7), unsupported)
})

test('version 0 of OffsetCommit and OffsetFetch keeps offsets in ZooKeeper, apart from the group’s', async () => {
  await using cluster = await clusterWithRecords(['a'])
  const address = cluster.address(0)
  const read = async () => {
    const topics = [{ name: topic, partitionIndexes: [0] }]
    const answer = await cluster.client.requestTo(
      address,
      offsetFetch,
      0,
      { groupId: 'g', topics },
      { timeoutMs },
    )
    const { committedOffset, errorCode: code } = answer.topics[0]!.partitions[0]!
    return [committedOffset, code]
  }
  assert.deepEqual(await read(), [-1, errorCode.UNKNOWN_TOPIC_OR_PARTITION])
  for (const committedOffset of [1, 7]) {
    const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
    const { topics } = await cluster.client.requestTo(
      address,
      offsetCommit,
      0,
      { groupId: 'g', topics: [{ name: topic, partitions }] },
      { timeoutMs },
    )
    assert.equal(topics[0]!.partitions[0]!.errorCode, errorCode.NONE)
    assert.deepEqual(await read(), [committedOffset, errorCode.NONE])
  }
  const znode = await cluster.brokers.get(0)!.zookeeper.getData(`/consumers/g/offsets/${topic}/0`)
  assert.equal(znode.data!.toString(), '7')
})

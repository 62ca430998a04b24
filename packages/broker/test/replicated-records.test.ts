import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildBatch, createTopics, decodeRecords, errorCode, fetch, produce } from '@vivarium/kafka-protocol'
import { TestCluster, until } from './cluster.ts'

const timeoutMs = 15_000

async function createTopic(
  cluster: TestCluster,
  name: string,
  replicationFactor: number,
  minIsr: number,
): Promise<void> {
  const controllerId = [...cluster.brokers.values()][0]!.metadata.controllerId!
  const { topics } = await cluster.client.requestTo(
    cluster.address(controllerId),
    createTopics,
    5,
    {
      topics: [
        {
          name,
          numPartitions: 1,
          replicationFactor,
          assignments: [],
          configs: [{ name: 'min.insync.replicas', value: String(minIsr) }],
        },
      ],
      timeoutMs,
    },
    { timeoutMs },
  )
  assert.equal(topics[0]!.errorCode, errorCode.NONE, topics[0]!.errorMessage ?? '')
  await until(
    () => [...cluster.brokers.values()].every(broker => (leaderOf(broker, name) ?? -1) >= 0),
    () => `${name} has no leader:\n${cluster.log()}`,
  )
}

function leaderOf(
  broker: { metadata: { partition(topic: string, p: number): { leader: number } | null } },
  topic: string,
) {
  return broker.metadata.partition(topic, 0)?.leader
}

async function send(cluster: TestCluster, leader: number, topic: string, values: string[], acks = -1) {
  const records = values.map(value => ({
    key: null,
    value: Buffer.from(value),
    timestampMs: 1_000,
    headers: [],
  }))
  const response = await cluster.client.requestTo(
    cluster.address(leader),
    produce,
    9,
    {
      transactionalId: null,
      acks,
      timeoutMs,
      topicData: [
        { name: topic, partitionData: [{ index: 0, records: buildBatch({ baseOffset: 0, records }) }] },
      ],
    },
    { timeoutMs },
  )
  return response.responses[0]!.partitionResponses[0]!
}

async function readAll(cluster: TestCluster, leader: number, topic: string): Promise<string[]> {
  const values: string[] = []
  for (let offset = 0; ; ) {
    const response = await cluster.client.requestTo(
      cluster.address(leader),
      fetch,
      11,
      {
        replicaId: -1,
        maxWaitMs: 0,
        minBytes: 1,
        maxBytes: 1_000_000,
        topics: [
          { topic, partitions: [{ partition: 0, fetchOffset: offset, partitionMaxBytes: 1_000_000 }] },
        ],
      },
      { timeoutMs },
    )
    const partition = response.responses[0]!.partitions[0]!
    assert.equal(partition.errorCode, errorCode.NONE)
    if (partition.records === null || partition.records.length === 0) return values
    for (const record of decodeRecords(partition.records)) {
      values.push(record.value!.toString())
      offset = record.offset + 1
    }
  }
}

test('what all in-sync replicas acknowledged outlives its leader, and the leader comes back as follower', async () => {
  await using cluster = await TestCluster.start(3, ['replica.lag.time.max.ms=4000'])
  await createTopic(cluster, 'orders', 3, 2)
  const any = () => [...cluster.brokers.values()][0]!
  const first = leaderOf(any(), 'orders')!
  for (let i = 0; i < 10; i++)
    assert.equal((await send(cluster, first, 'orders', [`a${i}`])).errorCode, errorCode.NONE)

  await cluster.stopBroker(first)
  await until(
    () => ![-1, first].includes(leaderOf(any(), 'orders')!),
    () => `nobody took over:\n${cluster.log()}`,
  )
  const second = leaderOf(any(), 'orders')!
  await until(
    async () => (await send(cluster, second, 'orders', ['b'])).errorCode === errorCode.NONE,
    () => `the new leader takes nothing:\n${cluster.log()}`,
  )
  const values = await readAll(cluster, second, 'orders')
  assert.deepEqual(
    values.slice(0, 10),
    Array.from({ length: 10 }, (_, i) => `a${i}`),
  )

  await cluster.startBroker(first)
  await until(
    () => any().metadata.partition('orders', 0)!.isr.length === 3,
    () => `the old leader does not catch up:\n${cluster.log()}`,
  )
  const returned = cluster.brokers.get(first)!.replicas.partition('orders', 0)!
  assert.equal(returned.log.logEndOffset, values.length)
})

test('a write that asks for more replicas than are in sync is refused, and nothing of it is kept', async () => {
  await using cluster = await TestCluster.start(2)
  await createTopic(cluster, 'strict', 2, 2)
  const leader = leaderOf(cluster.brokers.get(0)!, 'strict')!
  assert.equal((await send(cluster, leader, 'strict', ['kept'])).errorCode, errorCode.NONE)
  const other = 1 - leader
  await cluster.stopBroker(other)
  await until(
    () => cluster.brokers.get(leader)!.replicas.partition('strict', 0)!.isr.length === 1,
    () => `the ISR does not shrink:\n${cluster.log()}`,
  )
  assert.equal((await send(cluster, leader, 'strict', ['refused'])).errorCode, errorCode.NOT_ENOUGH_REPLICAS)
  assert.deepEqual(await readAll(cluster, leader, 'strict'), ['kept'])
})

test('a broker stops in order while the ensemble is gone, and serves its records when both are back', async () => {
  await using cluster = await TestCluster.start(2)
  await createTopic(cluster, 'kept', 2, 1)
  const leader = leaderOf(cluster.brokers.get(0)!, 'kept')!
  assert.equal((await send(cluster, leader, 'kept', ['x'])).errorCode, errorCode.NONE)
  cluster.killZooKeeper()
  await until(
    () => [...cluster.brokers.values()].every(broker => !broker.zookeeper.isConnected),
    () => `the brokers do not notice:\n${cluster.log()}`,
  )
  await Promise.all([0, 1].map(id => cluster.stopBroker(id)))
  cluster.startZooKeeper()
  await Promise.all([0, 1].map(id => cluster.startBroker(id)))
  await until(
    () =>
      [...cluster.brokers.values()].every(
        broker =>
          broker.metadata.liveBrokers().length === 2 && [0, 1].includes(leaderOf(broker, 'kept') ?? -1),
      ),
    () => `no leader:\n${cluster.log()}`,
  )
  assert.deepEqual(await readAll(cluster, leaderOf(cluster.brokers.get(0)!, 'kept')!, 'kept'), ['x'])
})

test('a broker that was stopped serves its records again, to the same offsets', async () => {
  await using cluster = await TestCluster.start(1)
  await createTopic(cluster, 'alone', 1, 1)
  const { baseOffset } = await send(cluster, 0, 'alone', ['x', 'y'])
  assert.equal(baseOffset, 0)
  await cluster.stopBroker(0)
  await cluster.startBroker(0)
  await until(
    () => leaderOf(cluster.brokers.get(0)!, 'alone') === 0,
    () => `no leader:\n${cluster.log()}`,
  )
  assert.equal((await send(cluster, 0, 'alone', ['z'])).baseOffset, 2)
  assert.deepEqual(await readAll(cluster, 0, 'alone'), ['x', 'y', 'z'])
})

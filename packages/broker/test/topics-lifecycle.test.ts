import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  createPartitions,
  createTopics,
  deleteTopics,
  describeConfigs,
  errorCode,
  incrementalAlterConfigs,
} from '@vivarium/kafka-protocol'
import type { KafkaBroker } from '../src/index.ts'
import { TestCluster, until } from './cluster.ts'

const patient = { timeoutMs: 20_000 }

function controllerOf(cluster: TestCluster): KafkaBroker {
  return [...cluster.brokers.values()].find(({ controller }) => controller.isActive)!
}

async function create(
  cluster: TestCluster,
  at: number,
  name: string,
  numPartitions: number,
  replicationFactor: number,
) {
  const body = {
    topics: [{ name, numPartitions, replicationFactor, configs: [{ name: 'retention.ms', value: '60000' }] }],
    timeoutMs: 15_000,
  }
  const { topics } = await cluster.client.requestTo(cluster.address(at), createTopics, 7, body, patient)
  return topics[0]!
}

/** Every znode of the cluster with its version and data; numbers that differ from run to run are replaced. */
async function tree({ zookeeper }: KafkaBroker, path = ''): Promise<string[]> {
  const { children } = await zookeeper.getChildren(path === '' ? '/' : path)
  const lines: string[] = []
  for (const name of children.sort()) {
    const found = await zookeeper.getData(`${path}/${name}`)
    const kind = found.stat.ephemeralOwner === 0n ? '' : 'EPHEMERAL '
    const data = (found.data?.toString() ?? 'null')
      .replace(/"(timestamp|id|topic_id)":"[^"]+"/g, '"$1":"…"')
      .replace(/(:|"port":)\d{4,5}/g, '$1…')
    lines.push(`${path}/${name} ${kind}v${found.stat.version} ${data}`)
    lines.push(...(await tree({ zookeeper } as KafkaBroker, `${path}/${name}`)))
  }
  return lines
}

// As recorded from one Apache Kafka 3.9 broker with one topic.
const apacheTree = `/admin v0 null
/admin/delete_topics v0 null
/brokers v0 null
/brokers/ids v0 null
/brokers/ids/0 EPHEMERAL v1 {"features":{},"listener_security_protocol_map":{"PLAINTEXT":"PLAINTEXT"},"endpoints":["PLAINTEXT://127.0.0.1:…"],"jmx_port":-1,"port":…,"host":"127.0.0.1","version":5,"timestamp":"…"}
/brokers/seqid v0 null
/brokers/topics v0 null
/brokers/topics/orders v0 {"partitions":{"0":[0],"1":[0]},"topic_id":"…","adding_replicas":{},"removing_replicas":{},"version":3}
/brokers/topics/orders/partitions v0 null
/brokers/topics/orders/partitions/0 v0 null
/brokers/topics/orders/partitions/0/state v0 {"controller_epoch":1,"leader":0,"version":1,"leader_epoch":0,"isr":[0]}
/brokers/topics/orders/partitions/1 v0 null
/brokers/topics/orders/partitions/1/state v0 {"controller_epoch":1,"leader":0,"version":1,"leader_epoch":0,"isr":[0]}
/cluster v0 null
/cluster/id v0 {"version":"1","id":"…"}
/config v0 null
/config/brokers v0 null
/config/changes v0 null
/config/clients v0 null
/config/ips v0 null
/config/topics v0 null
/config/topics/orders v0 {"version":1,"config":{"retention.ms":"60000"}}
/config/users v0 null
/consumers v0 null
/controller EPHEMERAL v0 {"version":2,"brokerid":0,"timestamp":"…","kraftControllerEpoch":-1}
/controller_epoch v1 1
/feature v0 {"features":{},"version":2,"status":1}
/isr_change_notification v0 null
/latest_producer_id_block v0 null
/log_dir_event_notification v0 null`.split('\n')

test('one broker with one topic leaves the znodes Apache’s broker leaves', async () => {
  await using cluster = await TestCluster.start(1)
  assert.equal((await create(cluster, 0, 'orders', 2, 1)).errorCode, errorCode.NONE)
  assert.deepEqual(await tree(cluster.brokers.get(0)!), apacheTree)
})

test('topics are created, grown, configured and deleted, and the next controller knows them', async () => {
  await using cluster = await TestCluster.start(3)
  const controller = controllerOf(cluster)
  const other = [...cluster.brokers.keys()].find(id => id !== controller.id)!

  assert.equal((await create(cluster, other, 'orders', 3, 3)).errorCode, errorCode.NOT_CONTROLLER)
  const created = await create(cluster, controller.id, 'orders', 3, 3)
  assert.equal(created.errorCode, errorCode.NONE)
  assert.equal(
    (await create(cluster, controller.id, 'orders', 3, 3)).errorCode,
    errorCode.TOPIC_ALREADY_EXISTS,
  )
  assert.equal(
    (await create(cluster, controller.id, 'big', 1, 4)).errorCode,
    errorCode.INVALID_REPLICATION_FACTOR,
  )

  const grown = await cluster.client.requestTo(
    cluster.address(controller.id),
    createPartitions,
    3,
    { topics: [{ name: 'orders', count: 5, assignments: null }], timeoutMs: 15_000 },
    patient,
  )
  assert.equal(grown.results[0]!.errorCode, errorCode.NONE)

  // Any broker changes configurations; all others hear of it.
  const altered = await cluster.client.requestTo(
    cluster.address(other),
    incrementalAlterConfigs,
    1,
    {
      resources: [
        {
          resourceType: 2,
          resourceName: 'orders',
          configs: [{ name: 'cleanup.policy', configOperation: 2, value: 'compact' }],
        },
      ],
    },
    patient,
  )
  assert.equal(altered.responses[0]!.errorCode, errorCode.NONE)
  await until(
    () => [...cluster.brokers.values()].every(one => one.configs.topicTexts('orders').has('cleanup.policy')),
    () => cluster.log(),
  )
  const described = await cluster.client.requestTo(
    cluster.address(controller.id),
    describeConfigs,
    4,
    {
      resources: [
        { resourceType: 2, resourceName: 'orders', configurationKeys: ['cleanup.policy', 'retention.ms'] },
      ],
    },
    patient,
  )
  assert.deepEqual(
    described.results[0]!.configs.map(({ name, value, configSource }) => ({ name, value, configSource })),
    [
      { name: 'cleanup.policy', value: 'delete,compact', configSource: 1 },
      { name: 'retention.ms', value: '60000', configSource: 1 },
    ],
  )

  await cluster.stopBroker(controller.id)
  await until(
    () => controllerOf(cluster) !== undefined,
    () => `nobody became controller:\n${cluster.log()}`,
  )
  const successor = controllerOf(cluster)
  await until(
    () =>
      [...cluster.brokers.values()].every(({ metadata }) =>
        [0, 1, 2, 3, 4].every(index => {
          const leader = metadata.partition('orders', index)?.leader ?? -1
          return leader >= 0 && leader !== controller.id
        }),
      ),
    () => `a partition has no living leader:\n${cluster.log()}`,
  )

  // Its replicas on the stopped broker keep the topic until that broker is back.
  const remove = () =>
    cluster.client.requestTo(
      cluster.address(successor.id),
      deleteTopics,
      6,
      { topics: [{ name: null, topicId: created.topicId }], timeoutMs: 15_000 },
      patient,
    )
  assert.equal((await remove()).responses[0]!.errorCode, errorCode.NONE)
  assert.notEqual(await successor.zookeeper.exists('/brokers/topics/orders'), null)
  await cluster.startBroker(controller.id)
  await until(
    async () => (await successor.zookeeper.exists('/brokers/topics/orders')) === null,
    () => `the topic stays:\n${cluster.log()}`,
  )
  assert.equal(await successor.zookeeper.exists('/config/topics/orders'), null)
  assert.equal((await create(cluster, successor.id, 'orders', 1, 3)).errorCode, errorCode.NONE)
})

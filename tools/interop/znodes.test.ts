import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ZooKeeper } from '@vivarium/zookeeper-client'
import { Processes } from '../../packages/zookeeper-server/test/quorum-processes.ts'
import { BrokerProcess, until } from './brokers.ts'
import { without } from './peers.ts'
import { java, linesOf } from './programs.ts'

test('a broker of ours leaves the znodes that Apache’s leaves', { skip: without('apache-3.9') }, async () => {
  await using ensemble = await Processes.configure(3)
  for (const id of [1, 2, 3]) ensemble.start(id)
  await ensemble.serving([1, 2, 3])
  const servers = ensemble.clientPorts.map(port => `127.0.0.1:${port}`).join(',')
  await using ours = await BrokerProcess.configure(1, `${servers}/ours`)
  await using apaches = await BrokerProcess.configure(1, `${servers}/apaches`)
  await ours.startOurs()
  await apaches.startApache()
  const trees = await Promise.all(
    [ours, apaches].map(async broker => {
      await makeTopic(broker)
      await using zookeeper = broker.openZooKeeper()
      await until(
        async () => (await zookeeper.exists('/brokers/topics/orders/partitions/1/state')) !== null,
        () => broker.output,
      )
      return await readTree(zookeeper)
    }),
  )
  assert.deepEqual(trees[0], trees[1])
})

async function makeTopic({ address }: BrokerProcess): Promise<void> {
  const topic = ['--create', '--topic', 'orders', '--partitions', '2', '--config', 'retention.ms=60000']
  linesOf(
    await java('apache-3.9', 'org.apache.kafka.tools.TopicCommand', [
      '--bootstrap-server',
      address,
      ...topic,
    ]),
  )
}

/** Each path with what is there, without what differs from one cluster to the next. */
async function readTree(zookeeper: ZooKeeper, path = '/'): Promise<Record<string, unknown>> {
  const { data, stat } = await zookeeper.getData(path)
  const { acl } = await zookeeper.getAcl(path)
  const isEphemeral = stat.ephemeralOwner !== 0n
  const tree: Record<string, unknown> = {
    [path]: { data: masked(data?.toString() ?? null), isEphemeral, acl },
  }
  const { children } = await zookeeper.getChildren(path)
  for (const name of children.sort())
    Object.assign(tree, await readTree(zookeeper, path === '/' ? `/${name}` : `${path}/${name}`))
  return tree
}

function masked(text: string | null): unknown {
  return text
    ?.replace(/("timestamp":)("\d+")/, '$1"…"')
    .replace(/("id":)"[\w-]{22}"/, '$1"…"')
    .replace(/("topic_id":)"[\w-]{22}"/, '$1"…"')
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:…')
    .replace(/("port":)\d+/, '$1…')
}

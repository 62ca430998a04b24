import { test } from 'node:test'
import { RecordWriter, readTopic } from '../../packages/cli/test/kafkajs-client.ts'
import { Processes } from '../../packages/zookeeper-server/test/quorum-processes.ts'
import { BrokerProcess, until } from './brokers.ts'
import { classpath, without } from './peers.ts'
import { java, linesOf } from './programs.ts'

// Brokers of both kinds in one cluster, each taking over from the other while records are written with acks=all.

const skip = without('apache-3.9')

interface Cluster extends AsyncDisposable {
  brokers: readonly BrokerProcess[]
  ensemble: Processes
}

async function start(zookeeper: 'ours' | 'apache', kinds: readonly ('ours' | 'apache')[]): Promise<Cluster> {
  const parts = new AsyncDisposableStack()
  try {
    const ensemble = parts.use(await Processes.configure(3, { config: { initLimit: 40 } }))
    for (const id of [1, 2, 3])
      if (zookeeper === 'ours') ensemble.start(id)
      else ensemble.startApache(id, classpath('apache-3.9'))
    await ensemble.serving([1, 2, 3])
    const servers = ensemble.clientPorts.map(port => `127.0.0.1:${port}`).join(',')
    const brokers = []
    for (const [id, kind] of kinds.entries()) {
      const broker = parts.use(
        await BrokerProcess.configure(id, servers, [
          'min.insync.replicas=2',
          'offsets.topic.replication.factor=3',
        ]),
      )
      await (kind === 'ours' ? broker.startOurs() : broker.startApache())
      brokers.push(broker)
    }
    return { brokers, ensemble, [Symbol.asyncDispose]: () => parts.disposeAsync() }
  } catch (error) {
    await parts.disposeAsync()
    throw error
  }
}

const addresses = (brokers: readonly BrokerProcess[]) => brokers.map(({ address }) => address)

/** The in-sync replicas of the one partition, as that broker knows them. */
async function inSync(at: BrokerProcess): Promise<number> {
  const args = ['--bootstrap-server', at.address, '--describe', '--topic', 'ledger']
  const text = linesOf(await java('apache-3.9', 'org.apache.kafka.tools.TopicCommand', args)).join('\n')
  return /Isr: (\S*)/.exec(text)![1]!.split(',').length
}

async function makeTopic(brokers: readonly BrokerProcess[]): Promise<void> {
  const args = ['--bootstrap-server', brokers[0]!.address, '--create', '--topic', 'ledger']
  const shape = ['--partitions', '1', '--replication-factor', '3']
  linesOf(await java('apache-3.9', 'org.apache.kafka.tools.TopicCommand', [...args, ...shape]))
}

async function acknowledgesMore(brokers: readonly BrokerProcess[], writer: RecordWriter): Promise<void> {
  const before = writer.acknowledged.size
  await until(
    () => writer.acknowledged.size > before + 50,
    () => `nothing is acknowledged:\n${brokers.map(({ output }) => output.slice(-3000)).join('\n----\n')}`,
  )
}

/** Kills each broker in turn, and waits until it is in sync again. */
async function killEach(
  brokers: readonly BrokerProcess[],
  kinds: readonly ('ours' | 'apache')[],
  writer: RecordWriter,
): Promise<void> {
  const writesMore = () => acknowledgesMore(brokers, writer)
  await writesMore()
  for (const [id, broker] of brokers.entries()) {
    const other = brokers[(id + 1) % brokers.length]!
    await broker.kill()
    await writesMore()
    await (kinds[id] === 'ours' ? broker.startOurs() : broker.startApache())
    await until(
      async () => (await inSync(other)) === 3,
      () => `broker ${id} does not get in sync:\n${broker.output}`,
    )
    await writesMore()
  }
}

for (const { title, zookeeper, kinds } of [
  {
    title: 'an Apache broker among ours, on our ensemble',
    zookeeper: 'ours',
    kinds: ['ours', 'apache', 'ours'],
  },
  {
    title: 'a broker of ours among Apache’s, on Apache’s ensemble',
    zookeeper: 'apache',
    kinds: ['apache', 'ours', 'apache'],
  },
] as const) {
  test(`${title}: each is killed under load, and nothing acknowledged is lost`, { skip }, async () => {
    await using cluster = await start(zookeeper, kinds)
    const { brokers } = cluster
    await makeTopic(brokers)
    await using writer = new RecordWriter(addresses(brokers), 'ledger')
    await killEach(brokers, kinds, writer)
    await writer.stop()
    await readTopic(addresses(brokers), 'ledger', values => writer.acknowledged.isSubsetOf(new Set(values)))
  })
}

test('Apache’s brokers on our ensemble: its leader is killed again and again under load, and nothing acknowledged is lost', {
  skip,
}, async () => {
  const kinds = ['apache', 'apache', 'apache'] as const
  await using cluster = await start('ours', kinds)
  const { brokers, ensemble } = cluster
  await makeTopic(brokers)
  await using writer = new RecordWriter(addresses(brokers), 'ledger')
  await acknowledgesMore(brokers, writer)
  for (let round = 0; round < 3; round++) {
    const leader = await ensemble.serving([1, 2, 3])
    await ensemble.kill(leader)
    await acknowledgesMore(brokers, writer)
    // The controller works through the new leader.
    const topic = ['--create', '--topic', `made-${round}`, '--partitions', '1', '--replication-factor', '3']
    linesOf(
      await java('apache-3.9', 'org.apache.kafka.tools.TopicCommand', [
        '--bootstrap-server',
        brokers[0]!.address,
        ...topic,
      ]),
    )
    ensemble.start(leader)
    await ensemble.serving([1, 2, 3])
    await acknowledgesMore(brokers, writer)
  }
  await killEach(brokers, kinds, writer)
  await writer.stop()
  await readTopic(addresses(brokers), 'ledger', values => writer.acknowledged.isSubsetOf(new Set(values)))
})

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { classpath } from '../tools/interop/peers.ts'
import { type Figure, less, more } from './results.ts'
import { type Kind, Servers, until } from './servers.ts'

const recordCount = 1_000_000
const recordBytes = 100
const gigabytes = (recordCount * recordBytes) / 1e9

/** One of Apache's tools; its output, line by line. */
async function tool(name: string, ...args: string[]): Promise<string[]> {
  const java = ['-Xmx512m', '-cp', classpath('apache-3.9'), `org.apache.kafka.tools.${name}`]
  const { stdout } = await promisify(execFile)('java', [...java, ...args], { maxBuffer: 64 * 1024 * 1024 })
  return stdout.trim().split('\n')
}

/** One round: three servers, three brokers, a million records there and back. */
export async function measure(kind: Kind): Promise<Figure[]> {
  await using servers = new Servers(kind)
  const { ports } = await servers.startZooKeeper(3)
  const bootstrap = (await servers.startBrokers(3, ports)).join(',')
  const server = ['--bootstrap-server', bootstrap]
  const shape = ['--partitions', '6', '--replication-factor', '3']
  await until(() =>
    tool('TopicCommand', ...server, '--create', '--topic', 'warm', ...shape).then(
      () => true,
      () => false,
    ),
  )
  await tool('TopicCommand', ...server, '--create', '--topic', 'bench', ...shape)
  const restMb = servers.memoryMb()
  await produce('warm', bootstrap)

  const cpuBefore = servers.cpuSeconds()
  const sent = await produce('bench', bootstrap)
  const cpuProduce = servers.cpuSeconds() - cpuBefore
  const [, perSecond, average, p99] =
    /, ([\d.]+) records\/sec .*?, ([\d.]+) ms avg latency.* (\d+) ms 99th,/.exec(sent)!

  const cpuBetween = servers.cpuSeconds()
  const consumed = await consume(bootstrap)
  const cpuConsume = servers.cpuSeconds() - cpuBetween
  await assertCount(server)
  return [
    more('produce, acks=all, three replicas', 'records/s', Number(perSecond)),
    less('produce: average latency at full load', 'ms', Number(average)),
    less('produce: 99th percentile at full load', 'ms', Number(p99)),
    less('produce: CPU of all six servers', 's/GB', cpuProduce / gigabytes),
    more('consume', 'records/s', consumed),
    less('consume: CPU of all six servers', 's/GB', cpuConsume / gigabytes),
    less('memory at rest, six servers (PSS)', 'MB', restMb),
    less('memory after the load, six servers (PSS)', 'MB', servers.memoryMb()),
  ]
}

async function produce(topic: string, bootstrap: string): Promise<string> {
  const amount = [
    '--num-records',
    String(recordCount),
    '--record-size',
    String(recordBytes),
    '--throughput',
    '-1',
  ]
  const properties = ['--producer-props', `bootstrap.servers=${bootstrap}`, 'acks=all']
  return (await tool('ProducerPerformance', '--topic', topic, ...amount, ...properties)).at(-1)!
}

/** Records per second, fetching alone. Throws if there were not all of them, each once. */
async function consume(bootstrap: string): Promise<number> {
  const amount = ['--messages', String(recordCount), '--timeout', '60000']
  const [head, figures] = await tool(
    'ConsumerPerformance',
    '--bootstrap-server',
    bootstrap,
    '--topic',
    'bench',
    ...amount,
  )
  const value = (column: string) => Number(figures!.split(', ')[head!.split(', ').indexOf(column)])
  if (value('data.consumed.in.nMsg') !== recordCount)
    throw new Error(`${value('data.consumed.in.nMsg')} records came back instead of ${recordCount}`)
  return value('fetch.nMsg.sec')
}

/** The end offsets say how many there are: with fewer some were lost, with more some were written twice. */
async function assertCount(server: readonly string[]): Promise<void> {
  const ends = await tool('GetOffsetShell', ...server, '--topic', 'bench')
  const total = ends.map(line => Number(line.split(':')[2])).reduce((a, b) => a + b, 0)
  if (total !== recordCount) throw new Error(`the topic holds ${total} records instead of ${recordCount}`)
}

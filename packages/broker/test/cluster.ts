import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { createLog, kafkaLayout } from '@vivarium/platform'
import { nodeClock, nodeDisk, nodeNetwork, nodeRandom } from '@vivarium/platform/node'
import { freePort } from '../../platform/test/free-ports.ts'
import { KafkaBroker, readSettings } from '../src/index.ts'
import { BrokerChannels } from '../src/network/broker-channels.ts'

const zooKeeperMain = fileURLToPath(new URL('../../zookeeper-server/src/main.ts', import.meta.url))

/** Brokers in this process over one real coordination server, in a folder that goes with them. */
export class TestCluster implements AsyncDisposable {
  readonly folder: string
  readonly brokers = new Map<number, KafkaBroker>()
  readonly client: BrokerChannels
  #zooKeeper: ChildProcess | null = null
  readonly #zooKeeperPort: number
  readonly #lines: string[] = []
  readonly #settings: readonly string[]

  private constructor(folder: string, port: number, settings: readonly string[]) {
    this.folder = folder
    this.#zooKeeperPort = port
    this.#settings = settings
    this.client = new BrokerChannels({ network: nodeNetwork, clock: nodeClock }, 'test', () => null)
  }

  /** `settings`: further lines of every broker's server.properties. */
  static async start(count: number, settings: readonly string[] = []): Promise<TestCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'broker-'))
    const port = await freePort()
    const dataDir = join(folder, 'zookeeper')
    await mkdir(dataDir)
    const config = join(folder, 'zoo.cfg')
    await writeFile(
      config,
      `tickTime=500\ndataDir=${dataDir}\nclientPort=${port}\nclientPortAddress=127.0.0.1\nmaxSessionTimeout=600000\nadmin.enableServer=false\n`,
    )
    const cluster = new TestCluster(folder, port, settings)
    cluster.startZooKeeper()
    try {
      for (let id = 0; id < count; id++) await cluster.startBroker(id)
      await until(
        () => [...cluster.brokers.values()].every(broker => broker.metadata.liveBrokers().length === count),
        () => `the brokers do not know each other:\n${cluster.log()}`,
      )
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
    return cluster
  }

  /** Writes a broker's server.properties and gives its path. `more` are further lines. */
  async writeSettings(id: number, more: readonly string[] = []): Promise<string> {
    const path = join(this.folder, `server-${id}.properties`)
    const lines = [
      `broker.id=${id}`,
      'listeners=PLAINTEXT://127.0.0.1:0',
      `log.dirs=${join(this.folder, `broker-${id}`)}`,
      `zookeeper.connect=127.0.0.1:${this.#zooKeeperPort}/kafka`,
      'zookeeper.session.timeout.ms=4000',
      'zookeeper.connection.timeout.ms=20000',
      'group.initial.rebalance.delay.ms=0',
      'offsets.topic.num.partitions=3',
      'offsets.topic.replication.factor=1',
      ...this.#settings,
      ...more,
    ]
    await writeFile(path, lines.join('\n'))
    return path
  }

  async startBroker(id: number): Promise<KafkaBroker> {
    const path = await this.writeSettings(id)
    const log = createLog({
      layout: kafkaLayout(),
      sink: line => this.#lines.push(`${id}: ${line}`) > 500 && this.#lines.shift(),
      wallMs: nodeClock.wallMs,
      name: 'kafka.Kafka',
    })
    const world = { clock: nodeClock, random: nodeRandom, disk: nodeDisk, network: nodeNetwork, log }
    const broker = new KafkaBroker(await readSettings(nodeDisk, path), world, error => {
      throw error
    })
    await broker.start()
    this.brokers.set(id, broker)
    return broker
  }

  async stopBroker(id: number): Promise<void> {
    const broker = this.brokers.get(id)!
    this.brokers.delete(id)
    await broker.stop()
  }

  startZooKeeper(): void {
    const config = join(this.folder, 'zoo.cfg')
    this.#zooKeeper = spawn(process.execPath, ['--conditions=source', zooKeeperMain, config], {
      stdio: 'ignore',
    })
  }

  /** Kills the coordination server: brokers go on, and no answer comes. */
  killZooKeeper(): void {
    this.#zooKeeper?.kill('SIGKILL')
  }

  /** What the brokers wrote last. */
  log(): string {
    return this.#lines.join('\n')
  }

  address(id: number): { host: string; port: number } {
    const broker = [...this.brokers.values()][0]!
    const found = broker.metadata.broker(id, 'PLAINTEXT')
    if (found === null) throw new Error(`broker ${id} is not known`)
    return { host: found.host, port: found.port }
  }

  get bootstrap(): string[] {
    return [...this.brokers.keys()].map(id => {
      const { host, port } = this.address(id)
      return `${host}:${port}`
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.close()
    await Promise.all([...this.brokers.keys()].map(id => this.stopBroker(id)))
    this.killZooKeeper()
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** Waits for a condition; throws what `complaint` says after twenty seconds. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  complaint: () => string,
): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(complaint())
    await delay(20)
  }
}

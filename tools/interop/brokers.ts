import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { nodeClock, nodeNetwork, nodeRandom } from '@vivarium/platform/node'
import { ZooKeeper } from '@vivarium/zookeeper-client'
import { freePort } from '../../packages/platform/test/free-ports.ts'
import { classpath } from './peers.ts'
import { pathOf } from './programs.ts'

const patienceMs = 60_000

/** A broker in a process of its own: ours, or Apache's 3.9 in the same place and with the same settings. */
export class BrokerProcess implements AsyncDisposable {
  readonly id: number
  readonly address: string
  readonly #folder: string
  readonly #zookeeperConnect: string
  #child: ChildProcess | null = null
  #output = ''

  private constructor(id: number, port: number, zookeeperConnect: string, more: readonly string[]) {
    this.id = id
    this.address = `127.0.0.1:${port}`
    this.#zookeeperConnect = zookeeperConnect
    this.#folder = mkdtempSync(join(tmpdir(), 'interop-broker-'))
    const lines = [
      `broker.id=${id}`,
      `listeners=PLAINTEXT://${this.address}`,
      `log.dirs=${join(this.#folder, 'logs')}`,
      `zookeeper.connect=${zookeeperConnect}`,
      'zookeeper.session.timeout.ms=6000',
      'inter.broker.protocol.version=3.9',
      'group.initial.rebalance.delay.ms=0',
      'offsets.topic.num.partitions=1',
      'offsets.topic.replication.factor=1',
      ...more,
    ]
    writeFileSync(this.#settingsFile, lines.join('\n'))
  }

  /** `more` are further lines of server.properties. */
  static async configure(
    id: number,
    zookeeperConnect: string,
    more: readonly string[] = [],
  ): Promise<BrokerProcess> {
    return new BrokerProcess(id, await freePort(), zookeeperConnect, more)
  }

  get #settingsFile(): string {
    return join(this.#folder, 'server.properties')
  }

  startOurs(): Promise<void> {
    return this.#start(pathOf('../../bin/kafka-server-start.sh'), [])
  }

  startApache(): Promise<void> {
    const log = `-Dlog4j.configuration=file:${pathOf('log4j.properties')}`
    return this.#start('java', ['-Xmx384m', log, '-cp', classpath('apache-3.9'), 'kafka.Kafka'])
  }

  /** Resolves when it is registered. */
  async #start(command: string, options: readonly string[]): Promise<void> {
    this.#output = ''
    const child = spawn(command, [...options, this.#settingsFile])
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => {
        this.#output = (this.#output + text).slice(-20_000)
      })
    }
    const deadlineMs = performance.now() + patienceMs
    while (!this.#output.includes('started (kafka.server.KafkaServer)')) {
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > deadlineMs)
        throw new Error(`broker ${this.id} does not start:\n${this.#output}`)
      await delay(50)
    }
  }

  get output(): string {
    return this.#output
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM')
  }

  async #end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#child
    this.#child = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const exit = new Promise(resolve => child.once('exit', resolve))
    child.kill(signal)
    await exit
  }

  openZooKeeper(): ZooKeeper {
    return openZooKeeper(this.#zookeeperConnect)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

export function openZooKeeper(connect: string): ZooKeeper {
  return new ZooKeeper({
    connect,
    sessionTimeoutMs: 30_000,
    network: nodeNetwork,
    clock: nodeClock,
    random: nodeRandom,
  })
}

export async function until(isSo: () => boolean | Promise<boolean>, complaint: () => string): Promise<void> {
  const deadlineMs = performance.now() + patienceMs
  while (!(await isSo())) {
    if (performance.now() > deadlineMs) throw new Error(complaint())
    await delay(50)
  }
}

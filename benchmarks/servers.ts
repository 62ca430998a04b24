import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { nodeClock, nodeNetwork } from '@vivarium/platform/node'
import { fourLetterWord } from '@vivarium/zookeeper-client'
import { freePorts } from '../packages/platform/test/free-ports.ts'
import { classpath } from '../tools/interop/peers.ts'

/** Whose servers are measured. */
export type Kind = 'ours' | 'apache'

export const kinds = ['ours', 'apache'] as const

/** Each kind so many times, now the one first and now the other. */
export function* inTurn(turns: number): Generator<Kind> {
  for (let turn = 0; turn < turns; turn++) yield* turn % 2 === 0 ? kinds : kinds.toReversed()
}

const patienceMs = 60_000
const ticksPerSecond = 100
const quietMs = 500

/** Server processes of one kind with their files, all of which go with it. */
export class Servers implements AsyncDisposable {
  readonly kind: Kind
  readonly #folder = mkdtempSync(join(tmpdir(), 'bench-'))
  readonly #heapMb: number
  readonly #children: ChildProcess[] = []

  /** `heapMb`: what a JVM that coordinates may use. */
  constructor(kind: Kind, { heapMb = 512 } = {}) {
    this.kind = kind
    this.#heapMb = heapMb
  }

  /** Starts a coordination server or an ensemble. Resolves when all serve, with their client ports. */
  async startZooKeeper(count: 1 | 3): Promise<{ ports: number[]; startMs: number }> {
    const ports = await freePorts(count * 3)
    const members = Array.from(
      { length: count },
      (_, i) => `server.${i + 1}=127.0.0.1:${ports[count + i * 2]}:${ports[count + i * 2 + 1]}`,
    )
    const startedMs = performance.now()
    for (let id = 1; id <= count; id++) {
      const dataDir = join(this.#folder, `zookeeper-${id}`)
      mkdirSync(dataDir)
      writeFileSync(join(dataDir, 'myid'), String(id))
      const lines = [
        `dataDir=${dataDir}`,
        `clientPort=${ports[id - 1]}`,
        'tickTime=2000',
        'initLimit=10',
        'syncLimit=5',
        'maxClientCnxns=0',
        'admin.enableServer=false',
        '4lw.commands.whitelist=*',
        ...(count > 1 ? members : []),
      ]
      writeFileSync(this.#configuration(`zookeeper-${id}`), `${lines.join('\n')}\n`)
      this.#startZooKeeper(id)
    }
    const clientPorts = ports.slice(0, count)
    await until(async () => (await Promise.all(clientPorts.map(modeOf))).every(mode => mode !== null))
    return { ports: clientPorts, startMs: performance.now() - startedMs }
  }

  /** Kills the one coordination server and starts it again. Resolves with the time until it serves, in ms. */
  async restartZooKeeper(): Promise<number> {
    const child = this.#children.pop()!
    const exited = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited
    const startedMs = performance.now()
    this.#startZooKeeper(1)
    const text = readFileSync(this.#configuration('zookeeper-1'), 'utf8')
    const port = Number(/^clientPort=(\d+)$/m.exec(text)![1])
    await until(async () => (await modeOf(port)) !== null)
    return performance.now() - startedMs
  }

  /** Starts brokers on an ensemble. Resolves when all are registered, with their addresses. */
  async startBrokers(count: number, zookeeperPorts: readonly number[]): Promise<string[]> {
    const ports = await freePorts(count)
    for (const [id, port] of ports.entries()) {
      const lines = [
        `broker.id=${id}`,
        `listeners=PLAINTEXT://127.0.0.1:${port}`,
        `log.dirs=${join(this.#folder, `broker-${id}`)}`,
        `zookeeper.connect=${zookeeperPorts.map(zk => `127.0.0.1:${zk}`).join(',')}`,
        'group.initial.rebalance.delay.ms=0',
        'offsets.topic.replication.factor=3',
        'min.insync.replicas=2',
      ]
      writeFileSync(this.#configuration(`broker-${id}`), `${lines.join('\n')}\n`)
      this.#start(`broker-${id}`, 'kafka-server-start.sh', ['-Xmx1g', 'kafka.Kafka'])
    }
    return ports.map(port => `127.0.0.1:${port}`)
  }

  #configuration(name: string): string {
    return join(this.#folder, `${name}.cfg`)
  }

  #startZooKeeper(id: number): void {
    const main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain'
    this.#start(`zookeeper-${id}`, 'zookeeper-server-start.sh', [`-Xmx${this.#heapMb}m`, main])
  }

  #start(name: string, script: string, java: readonly string[]): void {
    const file = this.#configuration(name)
    const ours = fileURLToPath(new URL(`../bin/${script}`, import.meta.url))
    const [command, args] =
      this.kind === 'ours'
        ? [ours, [file]]
        : ['java', [java[0]!, '-cp', classpath('apache-3.9'), java[1]!, file]]
    this.#children.push(spawn(command, args, { stdio: 'ignore' }))
  }

  /** Of all processes that run. */
  get pids(): number[] {
    return this.#children
      .filter(({ pid, exitCode }) => exitCode === null && existsSync(`/proc/${pid}`))
      .map(({ pid }) => pid!)
  }

  /** Resolves when the servers have nothing left to do, such as a snapshot of what was written before. */
  async quiet(): Promise<void> {
    await until(async () => {
      const before = this.cpuSeconds()
      await delay(quietMs)
      return (this.cpuSeconds() - before) * 1000 < quietMs / 10
    })
  }

  /** CPU seconds that all processes have used so far. */
  cpuSeconds(): number {
    return this.#sum(pid => {
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
      return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
    })
  }

  /** Memory of all processes, each shared page counted once: PSS, in MB. */
  memoryMb(): number {
    return this.#sum(pid => {
      const [, kb] = /^Pss: +(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))!
      return Number(kb) / 1024
    })
  }

  #sum(of: (pid: number) => number): number {
    return this.pids.reduce((total, pid) => total + of(pid), 0)
  }

  /** Kills the n-th process that was started. */
  kill(index: number): void {
    this.#children[index]!.kill('SIGKILL')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = this.#children.filter(
      ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
    )
    const exits = running.map(child => new Promise(resolve => child.once('exit', resolve)))
    for (const child of running) child.kill('SIGKILL')
    await Promise.all(exits)
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** `leader`, `follower`, `standalone`, or null while it serves nobody. */
export async function modeOf(port: number): Promise<string | null> {
  return /^Mode: (\w+)$/m.exec(await ask(port, 'srvr'))?.[1] ?? null
}

/** How long the first snapshot since its start took a server, in ms. */
export async function firstSnapshotMs(port: number): Promise<number> {
  const metric = async (name: string) => {
    const text = await ask(port, 'mntr')
    return Number(new RegExp(`^zk_${name}_snapshottime\t(.*)$`, 'm').exec(text)?.[1] ?? 0)
  }
  await until(async () => (await metric('cnt')) > 0)
  return metric('max')
}

function ask(port: number, word: string): Promise<string> {
  const world = { network: nodeNetwork, clock: nodeClock, timeoutMs: 1000 }
  return fourLetterWord({ host: '127.0.0.1', port }, word, world).catch(() => '')
}

export async function until(isSo: () => Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + patienceMs
  while (!(await isSo())) {
    if (performance.now() > deadlineMs)
      throw new Error(`the servers are not there after ${patienceMs / 1000} s`)
    await delay(10)
  }
}

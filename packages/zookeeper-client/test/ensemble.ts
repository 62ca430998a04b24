import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { nodeClock, nodeNetwork, nodeRandom } from '@vivarium/platform/node'
import { freePorts } from '../../platform/test/free-ports.ts'
import { fourLetterWord, ZooKeeper, type ZooKeeperOptions } from '../src/index.ts'

const world = { network: nodeNetwork, clock: nodeClock, random: nodeRandom }

/** With APACHE_ZOOKEEPER_CLASSPATH set, the same tests run against Apache's server. */
const apacheClasspath = process.env.APACHE_ZOOKEEPER_CLASSPATH
const ownMain = fileURLToPath(new URL('../../zookeeper-server/src/main.ts', import.meta.url))

/** Real coordination servers, each a process of its own, in a folder that goes with them. */
export class TestEnsemble implements AsyncDisposable {
  readonly ports: readonly number[]
  readonly connect: string
  readonly #folder: string
  readonly #processes = new Map<number, ChildProcess>()
  readonly #output = new Map<number, string>()

  private constructor(folder: string, ports: readonly number[]) {
    this.#folder = folder
    this.ports = ports
    this.connect = ports.map(port => `127.0.0.1:${port}`).join(',')
  }

  static async start(count: 1 | 3): Promise<TestEnsemble> {
    const folder = await mkdtemp(join(tmpdir(), 'zookeeper-client-'))
    const ports = await freePorts(count * 3)
    const clientPorts = ports.slice(0, count)
    const members = clientPorts.map(
      (_, i) => `server.${i + 1}=127.0.0.1:${ports[count + i * 2]}:${ports[count + i * 2 + 1]}`,
    )
    const ensemble = new TestEnsemble(folder, clientPorts)
    for (const [index, port] of clientPorts.entries()) {
      const dataDir = join(folder, `data${index}`)
      await mkdir(dataDir, { recursive: true })
      await writeFile(join(dataDir, 'myid'), String(index + 1))
      const lines = [
        `dataDir=${dataDir}`,
        `clientPort=${port}`,
        'clientPortAddress=127.0.0.1',
        'tickTime=500',
        'initLimit=20',
        'syncLimit=10',
        'admin.enableServer=false',
        'extendedTypesEnabled=true',
        '4lw.commands.whitelist=*',
        ...(count > 1 ? members : []),
      ]
      await writeFile(ensemble.#config(index), lines.join('\n'))
      ensemble.startServer(index)
    }
    try {
      await ensemble.serving()
    } catch (error) {
      await ensemble[Symbol.asyncDispose]()
      throw error
    }
    return ensemble
  }

  #config(index: number): string {
    return join(this.#folder, `zoo${index}.cfg`)
  }

  startServer(index: number): void {
    const child =
      apacheClasspath === undefined
        ? spawn(process.execPath, ['--conditions=source', ownMain, this.#config(index)])
        : spawn('java', [
            '-Xmx256m',
            '-Dzookeeper.extendedTypesEnabled=true',
            '-cp',
            apacheClasspath,
            'org.apache.zookeeper.server.quorum.QuorumPeerMain',
            this.#config(index),
          ])
    const collect = (chunk: Buffer) =>
      this.#output.set(index, `${this.#output.get(index) ?? ''}${chunk}`.slice(-4_000))
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    this.#processes.set(index, child)
  }

  /** kill -9. */
  async kill(index: number): Promise<void> {
    const child = this.#processes.get(index)
    this.#processes.delete(index)
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited
  }

  /** `leader`, `follower` or `standalone`; null when it serves nobody. */
  async mode(index: number): Promise<string | null> {
    try {
      const address = { host: '127.0.0.1', port: this.ports[index]! }
      return (
        /^Mode: (\w+)$/m.exec(await fourLetterWord(address, 'srvr', { ...world, timeoutMs: 1_000 }))?.[1] ??
        null
      )
    } catch {
      return null
    }
  }

  /** Waits until all running servers serve; fails at once when one has ended by itself. */
  async serving(): Promise<void> {
    const complaint = (what: string) => `${what}:\n${[...this.#output.values()].join('\n')}`
    const areServing = async () => {
      for (const child of this.#processes.values()) {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(complaint('a server has ended'))
      }
      const modes = await Promise.all([...this.#processes.keys()].map(index => this.mode(index)))
      return modes.every(mode => mode !== null)
    }
    await until(areServing, () => complaint('servers do not serve'))
  }

  async leader(): Promise<number> {
    const modes = await Promise.all(this.ports.map((_, index) => this.mode(index)))
    return modes.findIndex(mode => mode === 'leader' || mode === 'standalone')
  }

  /** A client with a session. */
  async client(options: Partial<ZooKeeperOptions> & { chroot?: string } = {}): Promise<ZooKeeper> {
    const { chroot = '', ...rest } = options
    const zk = new ZooKeeper({ connect: this.connect + chroot, sessionTimeoutMs: 8_000, ...world, ...rest })
    await zk.connected(20_000)
    return zk
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#processes.keys()].map(index => this.kill(index)))
    await rm(this.#folder, { recursive: true, force: true })
  }
}

/** Asks again and again until the answer is yes; fails with `reason` after half a minute. */
export async function until(isTrue: () => Promise<boolean> | boolean, reason: () => string): Promise<void> {
  const deadline = performance.now() + 30_000
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(reason())
    await delay(25)
  }
}

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../../platform/test/free-ports.ts'
import { fourLetterWord } from './wire-client.ts'

const ownMain = fileURLToPath(new URL('../src/main.ts', import.meta.url))

/** The servers of one ensemble, each a process of its own, in a folder that goes with them. Numbered from 1. */
export class Processes implements AsyncDisposable {
  readonly clientPorts: readonly number[]
  readonly folder: string
  readonly #running = new Map<number, ChildProcess>()
  readonly #output = new Map<number, string>()

  readonly #peerPorts: readonly number[]

  private constructor(folder: string, clientPorts: readonly number[], peerPorts: readonly number[]) {
    this.folder = folder
    this.clientPorts = clientPorts
    this.#peerPorts = peerPorts
  }

  /** Writes the configuration of `count` servers, the last `observers` of them observers; starts none. */
  static async configure(
    count: number,
    options: { observers?: number; config?: Record<string, string | number> } = {},
  ): Promise<Processes> {
    const folder = await mkdtemp(join(tmpdir(), 'zookeeper-ensemble-'))
    const ports = await freePorts(count * 3)
    const clientPorts = ports.slice(0, count)
    const isObserver = (index: number) => index >= count - (options.observers ?? 0)
    const members = clientPorts.map((_, index) => {
      const [quorum, election] = ports.slice(count + index * 2)
      return `server.${index + 1}=127.0.0.1:${quorum}:${election}${isObserver(index) ? ':observer' : ''}`
    })
    for (const [index, clientPort] of clientPorts.entries()) {
      const dataDir = join(folder, `data${index + 1}`)
      await mkdir(dataDir, { recursive: true })
      await writeFile(join(dataDir, 'myid'), String(index + 1))
      const config = {
        dataDir,
        clientPort,
        clientPortAddress: '127.0.0.1',
        tickTime: 500,
        initLimit: 20,
        syncLimit: 10,
        'admin.enableServer': 'false',
        '4lw.commands.whitelist': '*',
        preAllocSize: 64,
        ...(isObserver(index) ? { peerType: 'observer' } : {}),
        ...options.config,
      }
      const lines = Object.entries(config).map(([key, value]) => `${key}=${value}`)
      await writeFile(join(folder, `zoo${index + 1}.cfg`), [...lines, ...members].join('\n'))
    }
    return new Processes(folder, clientPorts, ports.slice(count))
  }

  /** Gives these servers other members to start with: whole `server.N` lines, which name the clients' ports too. */
  async setMembers(lines: readonly string[], ids: readonly number[]): Promise<void> {
    for (const id of ids) {
      const file = join(this.folder, `zoo${id}.cfg`)
      const moved = /^(server\.|clientPort|dynamicConfigFile)/
      const kept = (await readFile(file, 'utf8')).split('\n').filter(line => !moved.test(line))
      await writeFile(file, [...kept, ...lines].join('\n'))
    }
  }

  port(id: number): number {
    return this.clientPorts[id - 1]!
  }

  /** Quorum and election port. */
  peerPorts(id: number): [number, number] {
    return [this.#peerPorts[id * 2 - 2]!, this.#peerPorts[id * 2 - 1]!]
  }

  start(id: number): void {
    this.#run(id, process.execPath, ['--conditions=source', ownMain])
  }

  /** Starts Apache's server in that place, with further flags of the JVM. */
  startApache(id: number, classpath: string, flags: readonly string[] = []): void {
    const main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain'
    this.#run(id, 'java', ['-Xmx256m', ...flags, '-cp', classpath, main])
  }

  #run(id: number, command: string, options: readonly string[]): void {
    const child = spawn(command, [...options, join(this.folder, `zoo${id}.cfg`)])
    const collect = (chunk: Buffer) => {
      this.#output.set(id, `${this.#output.get(id) ?? ''}${chunk}`.slice(-200_000))
    }
    child.stdout.on('data', collect)
    child.stderr.on('data', collect)
    this.#running.set(id, child)
  }

  /** kill -9. */
  async kill(id: number): Promise<void> {
    const child = this.#running.get(id)
    this.#running.delete(id)
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise(resolve => child.once('exit', resolve))
    child.kill('SIGKILL')
    await exited
  }

  output(id: number): string {
    return this.#output.get(id) ?? ''
  }

  /** `leader`, `follower`, `observer`; null when it serves nobody. */
  async mode(id: number): Promise<string | null> {
    // Apache's server never answers a word that comes at a certain moment of its start.
    const text = await fourLetterWord(this.port(id), 'srvr', 2_000).catch(() => '')
    return /^Mode: (\w+)$/m.exec(text)?.[1] ?? null
  }

  /** Waits until all these servers serve; gives the leader's number. */
  async serving(ids: readonly number[]): Promise<number> {
    const deadlineMs = Date.now() + 30_000
    for (;;) {
      const modes = await Promise.all(ids.map(id => this.mode(id)))
      const leader = ids[modes.indexOf('leader')]
      if (leader !== undefined && modes.every(mode => mode !== null)) return leader
      if (Date.now() > deadlineMs)
        throw new Error(
          `not serving after 30 s: ${modes}\n${ids.map(id => this.output(id).slice(-4_000)).join('\n----\n')}`,
        )
      await delay(20)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#running.keys()].map(id => this.kill(id)))
    await rm(this.folder, { recursive: true, force: true })
  }
}

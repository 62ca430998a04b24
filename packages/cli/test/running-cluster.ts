import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isFree } from '../../platform/test/free-ports.ts'
import { readClusterFile } from '../src/up/cluster-file.ts'
import { serverMode } from '../src/up/probe.ts'

const vivarium = fileURLToPath(new URL('../../../bin/vivarium', import.meta.url))

const patienceMs = 90_000

/** `vivarium up` as people run it: three coordination servers, three brokers, monitor, dashboard, on ports of its own. */
export class RunningCluster implements AsyncDisposable {
  readonly folder: string
  readonly zookeeperPort: number
  readonly kafkaPort: number
  readonly dashboardPort: number
  readonly #more: readonly string[]
  #process: ChildProcess | null = null
  #output = ''

  private constructor(folder: string, basePort: number, more: readonly string[]) {
    this.folder = folder
    this.zookeeperPort = basePort
    this.kafkaPort = basePort + 10
    this.dashboardPort = basePort + 20
    this.#more = more
  }

  /** Resolves when it says that it is ready. `more` are further options of `vivarium up`. */
  static async start(...more: string[]): Promise<RunningCluster> {
    const folder = await mkdtemp(join(tmpdir(), 'vivarium-up-'))
    const cluster = new RunningCluster(folder, await freeBasePort(), more)
    try {
      await cluster.start()
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
    return cluster
  }

  get options(): string[] {
    const { folder, zookeeperPort, kafkaPort, dashboardPort } = this
    const ports = {
      'zookeeper-port': zookeeperPort,
      'kafka-port': kafkaPort,
      'dashboard-port': dashboardPort,
    }
    return ['--data', folder, ...Object.entries(ports).flatMap(([name, port]) => [`--${name}`, String(port)])]
  }

  get zookeeperConnect(): string {
    return [0, 1, 2].map(i => `127.0.0.1:${this.zookeeperPort + i}`).join(',')
  }

  get bootstrapServers(): string[] {
    return [0, 1, 2].map(i => `127.0.0.1:${this.kafkaPort + i}`)
  }

  /** All that the supervisor has printed. */
  get output(): string {
    return this.#output
  }

  async start(): Promise<void> {
    this.#output = ''
    const child = spawn(vivarium, ['up', ...this.options, ...this.#more])
    this.#process = child
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => {
        this.#output += text
      })
    }
    await this.until('ready', () => this.#output.includes('Ready after'))
  }

  /** The process of that name, or null while it is down. */
  pid(name: string): number | null {
    return this.#processes().find(p => p.name === name)?.pid ?? null
  }

  /** The name of the server that leads, or null. */
  async leader(): Promise<string | null> {
    for (const { name, role, address } of this.#processes()) {
      if (role === 'server' && (await serverMode(address!).catch(() => null)) === 'leader') return name
    }
    return null
  }

  kill(name: string): void {
    process.kill(this.pid(name)!, 'SIGKILL')
  }

  /** kill -9 of the supervisor and of every process it started, before any of them can react. */
  async killAll(): Promise<void> {
    const pids = this.#processes().map(({ pid }) => pid)
    const exit = this.#exit()
    this.#process?.kill('SIGKILL')
    for (const pid of pids) if (pid !== null) process.kill(pid, 'SIGKILL')
    await exit
  }

  /** Ctrl-C. Resolves with the exit code. */
  stop(): Promise<number | null> {
    const exit = this.#exit()
    this.#process?.kill('SIGINT')
    return exit
  }

  log(name: string): Promise<string> {
    return readFile(join(this.folder, 'logs', `${name}.log`), 'utf8')
  }

  async until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + patienceMs
    while (!(await isSo())) {
      if (performance.now() > deadlineMs) throw new Error(`not in ${patienceMs} ms: ${what}\n${this.#output}`)
      const { exitCode, signalCode } = this.#process!
      if (exitCode !== null || signalCode !== null)
        throw new Error(`it ended before: ${what}\n${this.#output}`)
      await delay(50)
    }
  }

  #processes() {
    return readClusterFile(this.folder)?.processes ?? []
  }

  #exit(): Promise<number | null> {
    const child = this.#process
    if (child === null || child.exitCode !== null || child.signalCode !== null)
      return Promise.resolve(child?.exitCode ?? null)
    return new Promise(resolve => child.once('exit', resolve))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killAll()
    await rm(this.folder, { recursive: true, force: true })
  }
}

/** What `vivarium up` says when it refuses to start. */
export async function failingStart(options: readonly string[]): Promise<string> {
  const { code, stderr } = await new Promise<{ code: unknown; stderr: string }>(resolve => {
    execFile(vivarium, ['up', ...options], (error, _, text) => resolve({ code: error?.code, stderr: text }))
  })
  assert.equal(code, 1, stderr)
  return stderr
}

/** What a command in bin/ prints; it must go well. */
export function runTool(name: string, ...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(join(vivarium, '..', name), args, (error, stdout, stderr) =>
      error === null ? resolve(stdout) : reject(new Error(`${name} failed: ${stdout}${stderr}`)),
    )
  })
}

/** A port below those of `freePorts` from which all the offsets a cluster uses are free. */
async function freeBasePort(): Promise<number> {
  for (;;) {
    const base = 10_000 + Math.floor(Math.random() * 13_000)
    const offsets = [0, 1, 2, 10, 11, 12, 20, 707, 708, 709, 1707, 1708, 1709]
    const areFree = await Promise.all(offsets.map(offset => isFree(base + offset)))
    if (areFree.every(Boolean)) return base
  }
}

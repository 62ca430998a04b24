import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { PlannedProcess } from './plan.ts'

/** What people are told about the processes. */
export interface SupervisorEvents {
  started(process: PlannedProcess, pid: number): void
  /** `restartInMs` is null when it stays down because it ended in order. */
  exited(process: PlannedProcess, how: string, restartInMs: number | null): void
}

interface Child {
  planned: PlannedProcess
  handle: ChildProcess | null
  startedAtMs: number
  /** Crashes in a row without a minute of healthy life between them. */
  crashes: number
  restart: NodeJS.Timeout | null
}

const root = fileURLToPath(new URL('../../../../', import.meta.url))
const guard = fileURLToPath(new URL('./child-guard.ts', import.meta.url))

/** What a package's program begins with: the file that the setup made of it, where bin/runtime.sh says so. */
function mainOf(name: string): string {
  const bundles = process.env.VIVARIUM_SERVERS
  const bundle = bundles ? join(bundles, `${name}.mjs`) : ''
  return existsSync(bundle) ? bundle : join(root, 'packages', name, 'src', 'main.ts')
}

/**
 * Keeps the processes of a cluster running: one that crashed is started again, after `restartDelayMs` at first and
 * twice as long after each further crash up to half a minute. One that ended in order stays down.
 */
export class Supervisor {
  readonly #children: Child[]
  readonly #events: SupervisorEvents
  readonly #restartDelayMs: number
  #isStopping = false

  constructor(
    processes: readonly PlannedProcess[],
    events: SupervisorEvents,
    options: { restartDelayMs: number },
  ) {
    this.#children = processes.map(planned => ({
      planned,
      handle: null,
      startedAtMs: 0,
      crashes: 0,
      restart: null,
    }))
    this.#events = events
    this.#restartDelayMs = options.restartDelayMs
  }

  startAll(): void {
    for (const child of this.#children) this.#start(child)
  }

  pids(): Record<string, number | null> {
    return Object.fromEntries(this.#children.map(c => [c.planned.name, c.handle?.pid ?? null]))
  }

  /** Whether `name` crashed before it was ever healthy, which a person should look at. */
  crashesOf(name: string): number {
    return this.#children.find(c => c.planned.name === name)?.crashes ?? 0
  }

  /** Stops in order: those who use others first. Whoever is not gone after `graceMs` is killed. */
  async stopAll(graceMs: number): Promise<void> {
    this.#isStopping = true
    for (const role of ['dashboard', 'monitor', 'broker', 'server'] as const) {
      const ofRole = this.#children.filter(c => c.planned.role === role)
      await Promise.all(ofRole.map(child => stop(child, graceMs)))
    }
  }

  /** Kills whoever is left, at once. */
  killAll(): void {
    this.#isStopping = true
    for (const { handle } of this.#children) handle?.kill('SIGKILL')
  }

  #start(child: Child): void {
    const { planned } = child
    const log = openSync(planned.logFile, 'a')
    child.restart = null
    child.startedAtMs = performance.now()
    child.handle = spawn(
      process.execPath,
      [...process.execArgv, '--import', guard, mainOf(planned.package), planned.configFile],
      // A process group of its own: Ctrl-C reaches the supervisor alone, which then stops the others in order.
      { stdio: ['ignore', log, log, 'ipc'], cwd: root, detached: true },
    )
    closeSync(log)
    child.handle.channel?.unref()
    const { handle } = child
    this.#events.started(planned, handle.pid ?? 0)
    handle.once('exit', (code, signal) => this.#exited(child, code, signal))
    handle.once('error', error => this.#exited(child, null, error.message))
  }

  #exited(child: Child, code: number | null, signal: string | null): void {
    if (child.handle === null) return
    child.handle = null
    if (this.#isStopping) return
    if (performance.now() - child.startedAtMs > 60_000) child.crashes = 0
    const how = signal === null ? `exit code ${code}` : signal
    if (code === 0 || signal === 'SIGTERM') {
      this.#events.exited(child.planned, how, null)
      return
    }
    const delayMs = Math.min(this.#restartDelayMs * 2 ** child.crashes++, 30_000)
    child.restart = setTimeout(() => this.#start(child), delayMs)
    this.#events.exited(child.planned, how, delayMs)
  }
}

async function stop(child: Child, graceMs: number): Promise<void> {
  if (child.restart !== null) clearTimeout(child.restart)
  const { handle } = child
  if (handle === null || handle.exitCode !== null || handle.signalCode !== null) return
  await new Promise<void>(resolve => {
    const kill = setTimeout(() => handle.kill('SIGKILL'), graceMs)
    handle.once('exit', () => {
      clearTimeout(kill)
      resolve()
    })
    handle.kill('SIGTERM')
  })
}

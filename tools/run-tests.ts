import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const lookEveryMs = 1_000
/** A machine that is only busy lets a program that does nothing wait for less. */
const stoodStillMs = 15_000

/**
 * Runs `node --test` and gives its exit code. A machine that was suspended meanwhile wakes up to sessions that have expired
 * and to patience that has run out, whatever is tested: what failed then is said, and run once more.
 */
export async function runTests(
  options: readonly string[],
  files: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'tests-'))
  const state = `--test-rerun-failures=${join(folder, 'passed.json')}`
  const run = async () => {
    const args = [...process.execArgv, '--test', state, ...options, ...files]
    const [code] = await once(spawn(process.execPath, args, { stdio: 'inherit', env }), 'exit')
    return (code as number | null) ?? 1
  }
  try {
    const pauses = new Pauses()
    const code = await run()
    const longestMs = pauses.stop()
    if (code === 0 || longestMs < stoodStillMs) return code
    console.error(
      `\nThis machine stood still for ${Math.round(longestMs / 1_000)} s. What failed is run once more.\n`,
    )
    return await run()
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Notices when no program ran for a while. */
class Pauses {
  readonly #timer: NodeJS.Timeout
  #lastMs = performance.now()
  #longestMs = 0

  constructor() {
    this.#timer = setInterval(() => this.#look(), lookEveryMs)
  }

  #look(): void {
    const nowMs = performance.now()
    this.#longestMs = Math.max(this.#longestMs, nowMs - this.#lastMs - lookEveryMs)
    this.#lastMs = nowMs
  }

  /** The longest of them, in milliseconds. */
  stop(): number {
    clearInterval(this.#timer)
    this.#look()
    return this.#longestMs
  }
}

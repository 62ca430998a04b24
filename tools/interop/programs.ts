import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { classpath, program } from './peers.ts'

export interface Outcome {
  exitCode: number
  stdout: string
  stderr: string
}

interface ProgramOptions {
  input?: string
  timeoutMs?: number
  cwd?: string
  env?: NodeJS.ProcessEnv
}

/** Runs a program to its end, which must come. */
export function runProgram(
  file: string,
  args: readonly string[],
  { input = '', timeoutMs = 120_000, ...options }: ProgramOptions = {},
): Promise<Outcome> {
  return new Promise(resolve => {
    const child = execFile(
      file,
      args,
      { timeout: timeoutMs, maxBuffer: 64 * 1024 * 1024, ...options },
      (error, stdout, stderr) => {
        const exitCode = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        resolve({ exitCode, stdout, stderr })
      },
    )
    child.stdin?.end(input)
  })
}

/** Runs a class of Apache's. */
export function java(
  peer: 'apache-3.9' | 'apache-4',
  mainClass: string,
  args: readonly string[],
  options?: { input?: string },
): Promise<Outcome> {
  return runProgram('java', ['-Xmx256m', '-cp', classpath(peer), mainClass, ...args], options)
}

/** Runs one of the Python programs beside this file. */
export function python(script: string, ...args: string[]): Promise<Outcome> {
  return runProgram(program('python', 'bin', 'python'), [pathOf(script), ...args])
}

/** The lines a program printed, which must have gone well. */
export function linesOf({ exitCode, stdout, stderr }: Outcome): string[] {
  assert.equal(exitCode, 0, `${stdout}\n${stderr}`)
  return stdout.split('\n').filter(line => line !== '')
}

/** A program that runs until it is told to stop by the end of its input, and prints a line for each thing it did. */
export class Worker implements AsyncDisposable {
  readonly lines: string[] = []
  readonly #child
  readonly #exit: Promise<number | null>
  #rest = ''
  #errors = ''

  constructor(file: string, args: readonly string[]) {
    this.#child = spawn(file, args)
    this.#child.stdout.on('data', (text: Buffer) => {
      const lines = (this.#rest + text).split('\n')
      this.#rest = lines.pop()!
      this.lines.push(...lines)
    })
    this.#child.stderr.on('data', (text: Buffer) => {
      this.#errors = (this.#errors + text).slice(-4000)
    })
    this.#exit = new Promise(resolve => this.#child.once('exit', resolve))
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Tells it to stop; it must end well. */
  async stop(): Promise<void> {
    this.#child.stdin.end('stop\n')
    assert.equal(await this.#exit, 0, this.#errors)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exit
  }
}

export function pathOf(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url))
}

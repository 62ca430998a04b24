import { readFileSync } from 'node:fs'
import { nodeClock, nodeNetwork, nodeRandom } from '@vivarium/platform/node'
import { type State, type WatchListener, ZooKeeper, ZooKeeperError } from '@vivarium/zookeeper-client'
import { errorCode, pathProblem } from '@vivarium/zookeeper-protocol'
import type { CommandIo } from '../io.ts'
import { accessCommands } from './access.ts'
import type { Context, ShellCommand } from './command.ts'
import { ensembleCommands } from './ensemble.ts'
import { messageOf, ShellError, UsageError } from './errors.ts'
import { numberOf, parseArguments, splitLine } from './options.ts'
import { quotaCommands } from './quotas.ts'
import { watchCommands } from './watches.ts'
import { znodeCommands } from './znodes.ts'

export interface ShellOptions {
  server: string
  sessionTimeoutMs: number
  readOnly: boolean
}

/** Apache tells of this on standard output. */
class NotConnected extends ShellError {}

/** Exit codes of a command, as Apache's. */
const exit = { ok: 0, failed: 1, unknownCommand: 127 } as const

/** `history` shows this many commands before itself. */
const historyLength = 10
const maxHistory = 1000

/** The states of a session as zkCli's prompt and its watch lines name them. */
const promptStates: Record<State, string> = {
  connecting: 'CONNECTING',
  connected: 'CONNECTED',
  expired: 'CLOSED',
  'auth-failed': 'AUTH_FAILED',
  closed: 'CLOSED',
}
const keeperStates: Record<State, string> = {
  connecting: 'Disconnected',
  connected: 'SyncConnected',
  expired: 'Expired',
  'auth-failed': 'AuthFailed',
  closed: 'Closed',
}

/** Runs commands against one session after another, and remembers them. */
export class Shell {
  readonly #io: CommandIo
  readonly #ownNames: ReadonlySet<string>
  #options: ShellOptions
  #zk: ZooKeeper | null = null
  #printsWatches = true
  #history: string[] = []
  #count = 0
  /** Whether `quit` was asked for. */
  isOver = false
  /** Called around what is printed while a person types. */
  aroundEvent: (print: () => void) => void = print => print()
  readonly commands: ReadonlyMap<string, ShellCommand>

  constructor(options: ShellOptions, io: CommandIo) {
    this.#options = options
    this.#io = io
    const own = this.#own()
    this.#ownNames = new Set(own.map(({ name }) => name))
    const all = [
      ...znodeCommands,
      ...accessCommands,
      ...watchCommands,
      ...quotaCommands,
      ...ensembleCommands,
      ...own,
    ]
    this.commands = new Map(
      all.sort((a, b) => (a.name < b.name ? -1 : 1)).map(command => [command.name, command]),
    )
  }

  /** Starts a session; does not wait for it. */
  connect(): void {
    const { server, sessionTimeoutMs, readOnly } = this.#options
    const zk = new ZooKeeper({
      connect: server,
      sessionTimeoutMs,
      readOnly,
      network: nodeNetwork,
      clock: nodeClock,
      random: nodeRandom,
    })
    zk.onState(state => {
      if (this.isOver) return
      const isReadOnly = state === 'connected' && zk.isReadOnly
      this.#printEvent(isReadOnly ? 'ConnectedReadOnly' : keeperStates[state], 'None', null, -1n)
    })
    this.#zk = zk
  }

  /** Waits for the session of `connect`. */
  async connected(timeoutMs: number): Promise<void> {
    await this.#zk?.connected(timeoutMs)
  }

  async close(): Promise<void> {
    await this.#zk?.close()
    this.#zk = null
  }

  /** Ends the session for good, in silence. */
  async finish(): Promise<void> {
    this.isOver = true
    await this.close()
  }

  /** Whether a command concerns the shell alone, so that no server is needed for it. */
  isOwn(name: string): boolean {
    return this.#ownNames.has(name)
  }

  get prompt(): string {
    const state = this.#zk === null ? 'CLOSED' : promptStates[this.#zk.state]
    return `[zk: ${this.#options.server}(${state}) ${this.#count}] `
  }

  /** Carries out one line and gives its exit code. */
  async runLine(line: string): Promise<number> {
    const words = splitLine(line)
    if (words.length === 0) return exit.ok
    this.#history.push(words.join(' '))
    if (this.#history.length > maxHistory) this.#history.shift()
    this.#count++
    return await this.runWords(words)
  }

  async runWords([name, ...rest]: readonly string[]): Promise<number> {
    const command = this.commands.get(name!)
    if (command === undefined) {
      this.#say(`${this.usage}\nCommand not found: Command not found ${name}`)
      return exit.unknownCommand
    }
    try {
      const args = parseArguments(rest, command)
      if (args.words.length < command.minWords) throw new UsageError('')
      await command.run(args, this.#context)
      return exit.ok
    } catch (error) {
      if (error instanceof UsageError) {
        this.#say(`${error.message === '' ? '' : `${error.message}\n`}${command.name} ${command.usage}`)
      } else if (error instanceof NotConnected) this.#print(error.message)
      else if (error instanceof ZooKeeperError || error instanceof ShellError) this.#say(wordedFor(error))
      else throw error
      return exit.failed
    }
  }

  get usage(): string {
    const lines = [...this.commands.values()].map(({ name, usage }) => `\t${name} ${usage}`)
    return ['ZooKeeper -server host:port -client-configuration properties-file cmd args', ...lines].join('\n')
  }

  /** What the last word of a line may become: names of commands, options and znodes. */
  async complete(line: string): Promise<[string[], string]> {
    const words = line.split(/\s+/)
    const last = words.at(-1)!
    if (words.length < 2)
      return [[...this.commands.keys()].filter(name => name.startsWith(last)).map(name => `${name} `), last]
    const command = this.commands.get(words[0]!)
    if (command === undefined) return [[], last]
    if (last.startsWith('-')) {
      const names = [...(command.switches ?? []), ...(command.values ?? [])].map(name => `-${name}`)
      return [names.filter(name => name.startsWith(last)), last]
    }
    if (!command.takesPath || !last.startsWith('/') || this.#zk?.state !== 'connected') return [[], last]
    const parent = last.slice(0, last.lastIndexOf('/')) || '/'
    const prefix = parent === '/' ? '/' : `${parent}/`
    try {
      const { children } = await this.#zk.getChildren(parent)
      return [
        children
          .map(child => prefix + child)
          .filter(path => path.startsWith(last))
          .sort(),
        last,
      ]
    } catch {
      // No such znode, or no right to see it: then there is nothing to offer.
      return [[], last]
    }
  }

  #print(text: string): void {
    this.#io.stdout.write(`${text}\n`)
  }

  #say(text: string): void {
    this.#io.stderr.write(`${text}\n`)
  }

  readonly #watcher: WatchListener = ({ type, path, zxid }) =>
    this.#printEvent('SyncConnected', type, path, zxid)

  #printEvent(state: string, type: string, path: string | null, zxid: bigint): void {
    if (!this.#printsWatches) return
    this.aroundEvent(() => {
      this.#print(`\nWATCHER::\n\nWatchedEvent state:${state} type:${type} path:${path} zxid: ${zxid}`)
    })
  }

  get #context(): Context {
    const session = () => {
      if (this.#zk === null || !['connecting', 'connected'].includes(this.#zk.state)) {
        throw new NotConnected('Not connected')
      }
      return this.#zk
    }
    return {
      get zk() {
        return session()
      },
      print: text => this.#print(text),
      say: text => this.#say(text),
      watcher: this.#watcher,
    }
  }

  // ---- commands about the shell itself -------------------------------------------------------------------------------

  #own(): ShellCommand[] {
    const plain = { minWords: 0, takesPath: false, usage: '' }
    return [
      {
        ...plain,
        name: 'close',
        about: 'end the session, stay in the shell',
        run: () => this.close(),
      },
      {
        ...plain,
        name: 'connect',
        usage: 'host:port',
        about: 'begin a session, with another server if one is given',
        run: async ({ words }) => {
          await this.close()
          this.#options = { ...this.#options, server: words[0] ?? this.#options.server }
          this.connect()
        },
      },
      {
        ...plain,
        name: 'quit',
        about: 'end the session and leave',
        run: () => this.finish(),
      },
      {
        ...plain,
        name: 'history',
        about: 'print the last commands with their numbers',
        run: async () => {
          const first = Math.max(this.#count - this.#history.length, this.#count - 1 - historyLength)
          for (let number = first; number < this.#count; number++) {
            this.#print(`${number} - ${this.#history[number - (this.#count - this.#history.length)]}`)
          }
        },
      },
      {
        ...plain,
        name: 'redo',
        usage: 'cmdno',
        about: 'run the command of that number again',
        minWords: 1,
        run: async ({ words }) => {
          const number = numberOf(words[0]!, 'cmdno')
          const line = this.#history[number - (this.#count - this.#history.length)]
          if (line === undefined || number >= this.#count - 1)
            throw new ShellError('Command index out of range')
          if (line.startsWith('redo ')) throw new ShellError('No redoing redos')
          this.#history[this.#history.length - 1] = line
          await this.runWords(splitLine(line))
        },
      },
      {
        ...plain,
        name: 'printwatches',
        usage: 'on|off',
        about: 'say whether watch events are printed, or change it',
        run: async ({ words }) => {
          if (words[0] === undefined) this.#print(`printwatches is ${this.#printsWatches ? 'on' : 'off'}`)
          else this.#printsWatches = words[0] === 'on'
        },
      },
      {
        ...plain,
        name: 'version',
        about: 'print the version of this shell',
        run: async () => this.#print(`ZooKeeper CLI version: Vivarium ${version()}`),
      },
      {
        ...plain,
        name: 'help',
        about: 'print this list',
        run: async () => {
          for (const { name, usage, about } of this.commands.values()) {
            this.#print(`${`${name} ${usage.replace(/ #.*/, '')}`.trimEnd()}\n        ${about}`)
          }
        },
      },
    ]
  }
}

/** Paths that are none are complained of in Apache's words. */
function wordedFor(error: Error): string {
  if (!(error instanceof ZooKeeperError) || error.code !== errorCode.BADARGUMENTS || error.path === null) {
    return messageOf(error)
  }
  const problem = pathProblem(error.path)
  if (problem === null) return messageOf(error)
  if (error.path[0] !== '/') return 'Path must start with / character'
  if (error.path.endsWith('/')) return 'Path must not end with / character'
  return `Invalid path string "${error.path}": ${problem}`
}

function version(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
}

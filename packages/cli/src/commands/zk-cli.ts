import { clearScreenDown, createInterface, cursorTo } from 'node:readline'
import { parseConnectString, ZooKeeperError } from '@vivarium/zookeeper-client'
import type { CommandIo } from '../io.ts'
import { messageOf } from '../zk-shell/errors.ts'
import { Shell, type ShellOptions } from '../zk-shell/shell.ts'

const help = `Usage: zkCli.sh [-server host:port,…[/chroot]] [-timeout ms] [-r] [-waitforconnection] [command [args]]

Runs one command, or the lines of standard input, or a shell when a person types.

Options:
  -server host:port   where the ensemble is (localhost:2181)
  -timeout ms         the session's timeout (30000)
  -r                  a server that has lost its quorum will do
  -waitforconnection  do nothing before there is a session

Exit codes: 0 done, 1 the command failed, 2 the options are wrong, 127 there is no such command.

Examples:
  zkCli.sh -server 127.0.0.1:2181 ls /brokers/ids
  zkCli.sh -server 127.0.0.1:2181,127.0.0.1:2182/app create -e /lock
  echo 'get -s /controller' | zkCli.sh
`

/** Who does not type at a prompt is told after this at most that no server answers. */
const firstAnswerMs = 10_000

interface Given extends ShellOptions {
  waitsForConnection: boolean
  words: string[]
}

/** Apache's zkCli: one command, or a shell. */
export async function run(argv: string[], io: CommandIo): Promise<number> {
  const given = parse(argv)
  if (typeof given === 'string') {
    const isHelp = given === ''
    if (isHelp) io.stdout.write(help)
    else io.stderr.write(`${given}\n${help}`)
    return isHelp ? 0 : 2
  }
  const shell = new Shell(given, io)
  io.stdout.write(`Connecting to ${given.server}\n`)
  if (given.words.length > 0) return await runOne(shell, given, io)
  shell.connect()
  return await runLines(shell, given, io)
}

async function runOne(shell: Shell, given: Given, io: CommandIo): Promise<number> {
  const [name] = given.words
  if (shell.isOwn(name!) || !shell.commands.has(name!)) return await shell.runWords(given.words)
  shell.connect()
  const exitCode = (await isConnected(shell, given, io)) ? await shell.runWords(given.words) : 1
  await shell.finish()
  return exitCode
}

async function isConnected(shell: Shell, given: Given, io: CommandIo): Promise<boolean> {
  const { sessionTimeoutMs, waitsForConnection } = given
  try {
    await shell.connected(waitsForConnection ? sessionTimeoutMs : Math.min(sessionTimeoutMs, firstAnswerMs))
    return true
  } catch (error) {
    if (!(error instanceof ZooKeeperError)) throw error
    io.stderr.write(`${messageOf(error)}\n`)
    await shell.finish()
    return false
  }
}

/** Lines until `quit` or the end of input; gives the exit code of the last. */
async function runLines(shell: Shell, given: Given, io: CommandIo): Promise<number> {
  const isTyped = io.isTty && (io.stdin as NodeJS.ReadStream).isTTY === true
  io.stdout.write('Welcome to ZooKeeper!\n')
  // A person sees at the prompt how it stands, and may call for help or connect elsewhere meanwhile.
  if ((!isTyped || given.waitsForConnection) && !(await isConnected(shell, given, io))) return 1
  const lines = createInterface({
    input: io.stdin,
    ...(isTyped && { output: io.stdout, completer: completer(shell) }),
    terminal: isTyped,
    historySize: 500,
  })
  let isAsking = false
  const ask = () => {
    isAsking = isTyped
    lines.setPrompt(shell.prompt)
    if (isTyped) lines.prompt(true)
  }
  if (isTyped) {
    // What is being typed stands again, below the event.
    shell.aroundEvent = print => {
      if (isAsking) {
        cursorTo(io.stdout, 0)
        clearScreenDown(io.stdout)
      }
      print()
      if (isAsking) ask()
    }
    lines.on('SIGINT', () => lines.close())
  }
  let exitCode = 0
  // Lines are read ahead; each waits for the one before.
  const input = lines[Symbol.asyncIterator]()
  ask()
  for (let next = await input.next(); !next.done; next = await input.next()) {
    isAsking = false
    if (!isTyped) io.stdout.write(`${shell.prompt}${next.value}\n`)
    if (next.value.trim() !== '') exitCode = await shell.runLine(next.value)
    if (shell.isOver) break
    ask()
  }
  isAsking = false
  lines.close()
  await shell.finish()
  return exitCode
}

function completer(shell: Shell) {
  return (line: string, done: (error: Error | null, result: [string[], string]) => void) => {
    shell.complete(line).then(result => done(null, result), done as never)
  }
}

/** What was given, '' for help, or what is wrong with it. */
function parse(argv: readonly string[]): Given | string {
  const given: Given = {
    server: 'localhost:2181',
    sessionTimeoutMs: 30_000,
    readOnly: false,
    waitsForConnection: false,
    words: [],
  }
  for (let i = 0; i < argv.length; i++) {
    const option = argv[i]!
    switch (option) {
      case '-server':
      case '--server':
        given.server = argv[++i] ?? ''
        break
      case '-timeout':
      case '--timeout':
        given.sessionTimeoutMs = Number(argv[++i])
        break
      case '-r':
        given.readOnly = true
        break
      case '-waitforconnection':
        given.waitsForConnection = true
        break
      case '-h':
      case '-help':
      case '--help':
        return ''
      case '-client-configuration':
        return '-client-configuration is not supported: this shell speaks plain TCP only, no TLS'
      default:
        if (option.startsWith('-')) return `There is no option ${option}`
        given.words = argv.slice(i)
        i = argv.length
    }
  }
  if (!Number.isInteger(given.sessionTimeoutMs) || given.sessionTimeoutMs < 1) {
    return '-timeout takes a number of milliseconds'
  }
  try {
    parseConnectString(given.server)
  } catch (error) {
    return (error as Error).message
  }
  return given
}

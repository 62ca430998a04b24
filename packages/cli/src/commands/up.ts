import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { styleText } from 'node:util'
import Table from 'cli-table3'
import { Command, InvalidArgumentError } from 'commander'
import type { CommandIo } from '../io.ts'
import { readClusterFile, removeClusterFile, writeClusterFile } from '../up/cluster-file.ts'
import { absolute, type Plan, type PlannedProcess, planCluster, type UpOptions } from '../up/plan.ts'
import { isReady } from '../up/probe.ts'
import { Supervisor } from '../up/supervisor.ts'

const root = fileURLToPath(new URL('../../../../', import.meta.url))

/** Long enough for a broker's controlled shutdown; then it is killed. */
const stopGraceMs = 20_000

/** Starts a cluster, keeps it running, stops it in order on Ctrl-C. */
export async function run(argv: string[], io: CommandIo): Promise<number> {
  const parsed = parse(argv, io)
  if (typeof parsed === 'number') return parsed
  const { options, restartDelayMs, readyTimeoutMs } = parsed

  const running = readClusterFile(options.dataDirectory)
  if (running !== null) {
    io.stderr.write(
      `A cluster already runs on ${options.dataDirectory} (process ${running.supervisorPid}).\n` +
        'Stop it with: bin/vivarium down, or give this one another directory with --data and other ports.\n',
    )
    return 1
  }
  const base = {
    zookeeper: readFileSync(join(root, 'config', 'zoo.cfg'), 'utf8'),
    broker: readFileSync(join(root, 'config', 'server.properties'), 'utf8'),
  }
  const plan = planCluster(options, base)
  const taken = await firstTakenPort(options.host, plan.processes)
  if (taken !== null) {
    io.stderr.write(
      `${taken.process}: port ${taken.port} on ${options.host} is taken by another program (${taken.key} of vivarium up). ` +
        `Fix: stop that program, or move this cluster, for example: npm start -- ${taken.key.split(' ')[0]} ${taken.port + 10_000}\n`,
    )
    return 1
  }
  writeFiles(plan)
  return supervise(plan, options, { restartDelayMs, readyTimeoutMs }, io)
}

async function supervise(
  plan: Plan,
  options: UpOptions,
  { restartDelayMs, readyTimeoutMs }: { restartDelayMs: number; readyTimeoutMs: number },
  io: CommandIo,
): Promise<number> {
  const say = (text: string) => io.stderr.write(`${text}\n`)
  const paint = (style: 'red' | 'green' | 'yellow' | 'bold' | 'dim', text: string) =>
    io.isTty ? styleText(style, text) : text
  const startedAt = new Date()
  const startedMs = performance.now()
  const ready = new Set<string>()

  const record = () =>
    writeClusterFile(options.dataDirectory, {
      supervisorPid: process.pid,
      startedAt: startedAt.toISOString(),
      processes: plan.processes.map(p => ({
        name: p.name,
        role: p.role,
        pid: supervisor.pids()[p.name] ?? null,
        address: p.address,
        logFile: p.logFile,
      })),
    })
  const supervisor: Supervisor = new Supervisor(
    plan.processes,
    {
      started: (p, pid) => {
        record()
        if (ready.has(p.name))
          say(paint('green', `${clockTime()} ${p.name} is started again (process ${pid})`))
      },
      exited: (p, how, restartInMs) => {
        record()
        const next = restartInMs === null ? 'it stays down' : `starting it again in ${restartInMs / 1000} s`
        say(
          paint(
            restartInMs === null ? 'yellow' : 'red',
            `${clockTime()} ${p.name} ended (${how}); ${next}. Its log: ${p.logFile}`,
          ),
        )
        const reason = ready.has(p.name) ? null : lastError(p.logFile)
        if (reason !== null) say(`  ${reason}`)
        // It counts as started again once its new process runs.
        if (restartInMs !== null) ready.add(p.name)
      },
    },
    { restartDelayMs },
  )

  const stopped = new Promise<void>(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
  })
  say(
    `Starting ${options.servers} coordination servers and ${options.brokers} brokers on ${options.dataDirectory} …`,
  )
  supervisor.startAll()

  const outcome = await Promise.race([
    allReady(plan, readyTimeoutMs).then(missing => (missing.length === 0 ? 'ready' : missing)),
    stopped.then(() => 'stopped' as const),
  ])
  if (Array.isArray(outcome)) {
    say(
      paint(
        'red',
        `Not ready after ${readyTimeoutMs / 1000} s: ${outcome.join(', ')}. Their logs: ${join(options.dataDirectory, 'logs')}`,
      ),
    )
  } else if (outcome === 'ready') {
    for (const p of plan.processes) ready.add(p.name)
    const seconds = ((performance.now() - startedMs) / 1000).toFixed(1)
    io.stdout.write(
      `${addressTable(plan, supervisor, io.isTty)}\n${paint('bold', `Ready after ${seconds} s.`)} ${threeThings(plan, options)}`,
    )
  }
  await stopped
  say('\nStopping in order: dashboard, monitor, brokers, ensemble … (Ctrl-C again kills them)')
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => supervisor.killAll())
  await supervisor.stopAll(stopGraceMs)
  removeClusterFile(options.dataDirectory)
  say('Stopped. The data stays; the next start finds it again.')
  return 0
}

/** Waits until every process does its part; gives the names of those that do not in time. */
async function allReady(plan: Plan, timeoutMs: number): Promise<string[]> {
  const deadline = performance.now() + timeoutMs
  const brokers = plan.processes.filter(p => p.role === 'broker').map(p => p.address!)
  let waiting: readonly PlannedProcess[] = plan.processes
  while (waiting.length > 0 && performance.now() < deadline) {
    const answers = await Promise.all(waiting.map(p => isReady(p, brokers)))
    waiting = waiting.filter((_, index) => !answers[index])
    if (waiting.length > 0) await new Promise(resolve => setTimeout(resolve, 50))
  }
  return waiting.map(p => p.name)
}

function addressTable(plan: Plan, supervisor: Supervisor, isTty: boolean): string {
  const table = new Table({
    head: ['process', 'address', 'pid', 'log'],
    style: isTty ? { head: ['bold'] } : { head: [], border: [] },
  })
  for (const p of plan.processes) {
    const url = p.role === 'dashboard' ? 'http://' : ''
    const address = p.address === null ? '–' : `${url}${p.address.host}:${p.address.port}`
    table.push([p.name, address, String(supervisor.pids()[p.name] ?? ''), p.logFile])
  }
  return table.toString()
}

function threeThings(plan: Plan, options: UpOptions): string {
  const broker = plan.processes.find(p => p.role === 'broker')?.address
  const dashboard = plan.processes.find(p => p.role === 'dashboard')?.address
  const data = options.dataDirectory === join(root, 'data') ? '' : ` --data ${options.dataDirectory}`
  const lines = ['Try, in a second terminal:', '']
  if (dashboard)
    lines.push(`  open http://${dashboard.host}:${dashboard.port}`, '      everything on one page, live')
  if (broker) {
    lines.push(
      `  bin/kafka-console-consumer.sh --bootstrap-server ${broker.host}:${broker.port} --topic zookeeper-logs --from-beginning`,
      "      the ensemble's own logs, as a stream",
    )
  }
  lines.push(
    `  bin/vivarium kill leader${data}`,
    '      a failover: another server leads, and an alert says so',
  )
  lines.push('', 'Ctrl-C stops everything in order.', '')
  return lines.join('\n')
}

function writeFiles(plan: Plan): void {
  for (const p of plan.processes) mkdirSync(dirname(p.logFile), { recursive: true })
  for (const [path, content] of plan.files) {
    mkdirSync(dirname(path), { recursive: true })
    if (!existsSync(path) || readFileSync(path, 'utf8') !== content) writeFileSync(path, content)
  }
}

async function firstTakenPort(
  host: string,
  processes: readonly PlannedProcess[],
): Promise<{ process: string; port: number; key: string } | null> {
  for (const { name, ports } of processes) {
    for (const { port, key } of ports) if (await isTaken(host, port)) return { process: name, port, key }
  }
  return null
}

function isTaken(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(true))
    server.listen(port, host, () => server.close(() => resolve(false)))
  })
}

/** The last line of a log that says what went wrong. */
function lastError(logFile: string): string | null {
  const lines = readFileSync(logFile, 'utf8').trimEnd().split('\n').slice(-20)
  return lines.findLast(line => /ERROR|Error|Fix:/.test(line)) ?? null
}

function clockTime(): string {
  return new Date().toTimeString().slice(0, 8)
}

function parse(
  argv: string[],
  io: CommandIo,
): { options: UpOptions; restartDelayMs: number; readyTimeoutMs: number } | number {
  const command = new Command('vivarium up')
    .description('Start an ensemble, brokers, monitor and dashboard on this machine, and keep them running.')
    .option('--data <directory>', 'where data, logs and generated configuration live', join(root, 'data'))
    .option('--servers <count>', 'coordination servers', count, 3)
    .option('--brokers <count>', 'brokers', count, 3)
    .option('--host <address>', 'address all of them listen on', '127.0.0.1')
    .option('--zookeeper-port <port>', 'first client port of the ensemble', port, 2181)
    .option('--kafka-port <port>', 'first port of the brokers', port, 9092)
    .option('--dashboard-port <port>', 'port of the dashboard', port, 8080)
    .option('--no-monitor', 'without the monitoring pipeline')
    .option('--no-dashboard', 'without the dashboard')
    .option('--webhook <url>', 'post alerts there (Alertmanager version 4 body)')
    .option('--restart-delay <seconds>', 'wait before a crashed process is started again', seconds, 5)
    .option('--ready-timeout <seconds>', 'say what is missing when not ready by then', seconds, 60)
    .addHelpText(
      'after',
      `
Settings of the servers are those of config/zoo.cfg and config/server.properties.

Examples:
  npm start                                        three servers, three brokers, in ./data
  npm start -- --servers 1 --brokers 1             the smallest cluster
  npm start -- --data /tmp/b --zookeeper-port 12181 --kafka-port 19092 --dashboard-port 18080
                                                   a second cluster beside the first`,
    )
    .exitOverride()
    .configureOutput({ writeOut: text => io.stdout.write(text), writeErr: text => io.stderr.write(text) })
  try {
    command.parse(argv, { from: 'user' })
  } catch (error) {
    return (error as { exitCode: number }).exitCode === 0 ? 0 : 2
  }
  const given = command.opts()
  const options: UpOptions = {
    dataDirectory: absolute(given.data, process.cwd()),
    servers: given.servers,
    brokers: given.brokers,
    host: given.host,
    zookeeperPort: given.zookeeperPort,
    kafkaPort: given.kafkaPort,
    dashboardPort: given.dashboardPort,
    withMonitor: given.monitor,
    withDashboard: given.dashboard,
    webhook: given.webhook ?? null,
  }
  return { options, restartDelayMs: given.restartDelay * 1000, readyTimeoutMs: given.readyTimeout * 1000 }
}

function count(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 99)
    throw new InvalidArgumentError('It is not a whole number from 1 to 99.')
  return value
}

function port(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 63_000)
    throw new InvalidArgumentError('It is not a port from 1 to 63000.')
  return value
}

function seconds(text: string): number {
  const value = Number(text)
  if (!(value >= 0 && value <= 3600))
    throw new InvalidArgumentError('It is not a number of seconds from 0 to 3600.')
  return value
}

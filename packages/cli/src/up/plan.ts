import { isAbsolute, join } from 'node:path'

/** What `vivarium up` was asked for. */
export interface UpOptions {
  /** Where data, logs and the generated configuration live. */
  dataDirectory: string
  /** Coordination servers; more than one form an ensemble. */
  servers: number
  brokers: number
  host: string
  /** First client port; quorum and election ports are 707 and 1707 above, as in 2181, 2888, 3888. */
  zookeeperPort: number
  /** First broker port. */
  kafkaPort: number
  dashboardPort: number
  withMonitor: boolean
  withDashboard: boolean
  /** Where alerts are posted, if anywhere. */
  webhook: string | null
}

export type Role = 'server' | 'broker' | 'monitor' | 'dashboard'

/** One process of the cluster: what it runs and what it must find on disk. */
export interface PlannedProcess {
  /** `server-1`, `broker-0`, `monitor`, `dashboard`: what people call it. */
  name: string
  role: Role
  /** The package whose `src/main.ts` it runs. */
  package: 'zookeeper-server' | 'broker' | 'monitor' | 'dashboard'
  configFile: string
  logFile: string
  /** Where it answers; null for the monitor, which only calls others. */
  address: { host: string; port: number } | null
  /** Ports it takes, each with the key that sets it. */
  ports: readonly { port: number; key: string }[]
}

export interface Plan {
  processes: readonly PlannedProcess[]
  /** Files to write before the start: path to content. */
  files: ReadonlyMap<string, string>
}

/** Texts the plan builds on: `config/zoo.cfg` and `config/server.properties`. */
export interface BaseConfigs {
  zookeeper: string
  broker: string
}

/** Lays out a cluster on one machine: processes, ports, directories, configuration. Touches nothing. */
export function planCluster(options: UpOptions, base: BaseConfigs): Plan {
  const at = (...parts: string[]) => join(options.dataDirectory, ...parts)
  const servers = planServers(options, base.zookeeper, at)
  const zookeeperConnect = servers.processes.map(p => `${options.host}:${p.address!.port}`).join(',')
  const brokers = planBrokers(options, base.broker, zookeeperConnect, at)
  const bootstrapServers = brokers.processes.map(p => `${options.host}:${p.address!.port}`)
  const watched = servers.processes.map((p, index) => ({
    name: p.name,
    myid: index + 1,
    address: `${options.host}:${p.address!.port}`,
    logFile: p.logFile,
  }))
  const processes = [...servers.processes, ...brokers.processes]
  const files = new Map([...servers.files, ...brokers.files])

  if (options.withMonitor) {
    const configFile = at('config', 'monitor.json')
    files.set(
      configFile,
      json({
        cluster: 'vivarium',
        servers: watched,
        bootstrapServers,
        stateDirectory: at('monitor'),
        ...(options.webhook === null ? {} : { webhook: { url: options.webhook } }),
      }),
    )
    const logFile = at('logs', 'monitor.log')
    processes.push({
      name: 'monitor',
      role: 'monitor',
      package: 'monitor',
      configFile,
      logFile,
      address: null,
      ports: [],
    })
  }
  if (options.withDashboard) {
    const configFile = at('config', 'dashboard.json')
    const address = { host: options.host, port: options.dashboardPort }
    files.set(configFile, json({ cluster: 'vivarium', ...address, servers: watched, bootstrapServers }))
    processes.push({
      name: 'dashboard',
      role: 'dashboard',
      package: 'dashboard',
      configFile,
      logFile: at('logs', 'dashboard.log'),
      address,
      ports: [{ port: options.dashboardPort, key: '--dashboard-port' }],
    })
  }
  return { processes, files }
}

type Part = { processes: PlannedProcess[]; files: Map<string, string> }
type PathBelow = (...parts: string[]) => string

function planServers(options: UpOptions, base: string, at: PathBelow): Part {
  const ids = Array.from({ length: options.servers }, (_, index) => index + 1)
  const clientPort = (id: number) => options.zookeeperPort + id - 1
  const quorumPort = (id: number) => clientPort(id) + 707
  const electionPort = (id: number) => clientPort(id) + 1707
  const members =
    options.servers === 1
      ? []
      : ids.map(
          id =>
            `server.${id}=${options.host}:${quorumPort(id)}:${electionPort(id)};${options.host}:${clientPort(id)}`,
        )
  const processes: PlannedProcess[] = []
  const files = new Map<string, string>()
  for (const id of ids) {
    const name = `server-${id}`
    const configFile = at('config', `${name}.cfg`)
    const own = { dataDir: at(name), clientPort: String(clientPort(id)), clientPortAddress: options.host }
    // In an ensemble the server line names the client address; naming it twice would be an error.
    const settings = options.servers === 1 ? own : { dataDir: own.dataDir }
    const text = overriding(base, settings, options.servers === 1 ? [] : ['clientPort', 'clientPortAddress'])
    files.set(configFile, `${text}${members.map(line => `${line}\n`).join('')}`)
    files.set(at(name, 'myid'), `${id}\n`)
    const ports = [{ port: clientPort(id), key: '--zookeeper-port' }]
    if (options.servers > 1) {
      ports.push({ port: quorumPort(id), key: '--zookeeper-port (+707)' })
      ports.push({ port: electionPort(id), key: '--zookeeper-port (+1707)' })
    }
    processes.push({
      name,
      role: 'server',
      package: 'zookeeper-server',
      configFile,
      logFile: at('logs', `${name}.log`),
      address: { host: options.host, port: clientPort(id) },
      ports,
    })
  }
  return { processes, files }
}

function planBrokers(options: UpOptions, base: string, zookeeperConnect: string, at: PathBelow): Part {
  const processes: PlannedProcess[] = []
  const files = new Map<string, string>()
  const copies = String(Math.min(3, options.brokers))
  for (let id = 0; id < options.brokers; id++) {
    const name = `broker-${id}`
    const port = options.kafkaPort + id
    const configFile = at('config', `${name}.properties`)
    files.set(
      configFile,
      overriding(base, {
        'broker.id': String(id),
        listeners: `PLAINTEXT://${options.host}:${port}`,
        'log.dirs': at(name),
        'zookeeper.connect': zookeeperConnect,
        'default.replication.factor': copies,
        'offsets.topic.replication.factor': copies,
        'transaction.state.log.replication.factor': copies,
        'transaction.state.log.min.isr': options.brokers >= 3 ? '2' : '1',
        'min.insync.replicas': options.brokers >= 3 ? '2' : '1',
      }),
    )
    processes.push({
      name,
      role: 'broker',
      package: 'broker',
      configFile,
      logFile: at('logs', `${name}.log`),
      address: { host: options.host, port },
      ports: [{ port, key: '--kafka-port' }],
    })
  }
  return { processes, files }
}

/** `text` with the lines of the given keys replaced (or added at the end) and those of `without` removed. */
function overriding(text: string, settings: Record<string, string>, without: readonly string[] = []): string {
  const keyOf = (line: string) => /^\s*([^#!\s=:]+)\s*[=:]/.exec(line)?.[1]
  const kept = text.split('\n').filter(line => {
    const key = keyOf(line)
    return key === undefined || !(key in settings || without.includes(key))
  })
  const added = Object.entries(settings).map(([key, value]) => `${key}=${value}`)
  return `${kept.join('\n').trimEnd()}\n\n# Of this process alone.\n${added.join('\n')}\n`
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}

/** The data directory as an absolute path, so that every process means the same place. */
export function absolute(path: string, workingDirectory: string): string {
  return isAbsolute(path) ? path : join(workingDirectory, path)
}

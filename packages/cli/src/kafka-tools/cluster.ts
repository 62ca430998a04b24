import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Api,
  type Encodable,
  errorCode,
  type Fields,
  findCoordinator,
  type Infer,
  type MetadataResponse,
  metadata,
} from '@vivarium/kafka-protocol'
import type { Address } from '@vivarium/platform'
import { BrokerConnection, ConnectionError } from './connection.ts'
import { ServerError } from './server-error.ts'
import { ToolError } from './tool.ts'

export interface ClusterOptions {
  clientId: string
  /** How long one request may take. */
  requestTimeoutMs: number
  /** How long a request that is refused for a passing reason is repeated. */
  totalTimeoutMs: number
}

const connectTimeoutMs = 5_000
const pauseBetweenTriesMs = 200
const maxBootstrapServers = 100

/** The brokers of a cluster, as an administrator sees them. Throws ToolError, ServerError among them. */
export class Cluster {
  readonly options: ClusterOptions
  readonly #bootstrap: readonly Address[]
  #seed: BrokerConnection
  readonly #connections = new Map<number, Promise<BrokerConnection>>()
  #brokers: ReadonlyMap<number, Address> = new Map()
  #controllerId = -1

  private constructor(bootstrap: readonly Address[], seed: BrokerConnection, options: ClusterOptions) {
    this.#bootstrap = bootstrap
    this.#seed = seed
    this.options = options
  }

  /** Takes the first of `host:port,…` that answers. */
  static async connect(bootstrapServers: string, options: ClusterOptions): Promise<Cluster> {
    const addresses = parseAddresses(bootstrapServers)
    return new Cluster(addresses, await firstOf(addresses, options.clientId), options)
  }

  /** The versions the broker at hand understands. */
  get seed(): BrokerConnection {
    return this.#seed
  }

  /** Whether the broker at hand knows an API. */
  supports(api: { key: number }): boolean {
    return this.#seed.versions.has(api.key)
  }

  async any<Q extends Fields, R extends Fields>(
    api: Api<Q, R>,
    body: Encodable<Infer<Q>>,
  ): Promise<Infer<R>> {
    if (this.#seed.isClosed) this.#seed = await firstOf(this.#bootstrap, this.options.clientId)
    return this.#seed.request(api, body, { timeoutMs: this.options.requestTimeoutMs })
  }

  /** Topics by name, or all of them. Never creates one. */
  async metadata(topics: readonly string[] | null): Promise<MetadataResponse> {
    const answer = await this.any(metadata, {
      topics: topics === null ? null : topics.map(name => ({ name })),
      allowAutoTopicCreation: false,
      includeTopicAuthorizedOperations: false,
    })
    this.#brokers = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]))
    this.#controllerId = answer.controllerId
    return answer
  }

  /** Returns once a topic has leaders. One that is missing is created by brokers that do so; else throws ServerError. */
  async awaitTopic(name: string): Promise<void> {
    await this.retry(async () => {
      const { topics } = await this.any(metadata, {
        topics: [{ name }],
        allowAutoTopicCreation: true,
        includeTopicAuthorizedOperations: false,
      })
      const code = topics[0]?.errorCode ?? errorCode.UNKNOWN_TOPIC_OR_PARTITION
      if (code === errorCode.UNKNOWN_TOPIC_OR_PARTITION)
        throw new ServerError(code, `Topic '${name}' does not exist.`)
      if (code !== errorCode.NONE) throw new ServerError(code)
    })
  }

  /** A request to one broker. */
  async broker<Q extends Fields, R extends Fields>(
    id: number,
    api: Api<Q, R>,
    body: Encodable<Infer<Q>>,
  ): Promise<Infer<R>> {
    const connection = await this.connection(id)
    return connection.request(api, body, { timeoutMs: this.options.requestTimeoutMs })
  }

  async connection(id: number): Promise<BrokerConnection> {
    const open = await this.#connections.get(id)
    if (open !== undefined && !open.isClosed) return open
    if (!this.#brokers.has(id)) await this.metadata([])
    const address = this.#brokers.get(id)
    if (address === undefined)
      throw new ServerError(errorCode.BROKER_NOT_AVAILABLE, `Broker ${id} is not available.`)
    const connecting = BrokerConnection.open(address, {
      clientId: this.options.clientId,
      timeoutMs: connectTimeoutMs,
    })
    this.#connections.set(id, connecting)
    connecting.catch(() => this.#connections.delete(id))
    return connecting
  }

  /** A request to the controller; repeated while the controller is changing. `codes` lists the outcomes of an answer. */
  async controller<Q extends Fields, R extends Fields>(
    api: Api<Q, R>,
    body: Encodable<Infer<Q>>,
    codes: (answer: Infer<R>) => readonly number[],
  ): Promise<Infer<R>> {
    return this.retry(async () => {
      await this.metadata([])
      if (this.#controllerId < 0)
        throw new ServerError(errorCode.NOT_CONTROLLER, 'The cluster has no controller.')
      const answer = await this.broker(this.#controllerId, api, body)
      if (codes(answer).includes(errorCode.NOT_CONTROLLER)) throw new ServerError(errorCode.NOT_CONTROLLER)
      return answer
    })
  }

  /** The broker that coordinates a group. */
  async groupCoordinator(groupId: string): Promise<{ id: number; host: string; port: number }> {
    return this.retry(async () => {
      const isBatched = this.#seed.versionOf(findCoordinator as unknown as Api) >= 4
      const answer = await this.any(
        findCoordinator,
        isBatched ? { keyType: 0, coordinatorKeys: [groupId] } : { key: groupId, keyType: 0 },
      )
      const found = isBatched ? answer.coordinators[0] : answer
      if (found === undefined) throw new ToolError(`no coordinator was named for group ${groupId}`)
      if (found.errorCode !== 0) throw new ServerError(found.errorCode, found.errorMessage)
      if (!this.#brokers.has(found.nodeId)) await this.metadata([])
      return { id: found.nodeId, host: found.host, port: found.port }
    })
  }

  /** Repeats `attempt` while it fails for a passing reason and time is left. */
  async retry<T>(attempt: () => Promise<T>): Promise<T> {
    const deadlineMs = performance.now() + this.options.totalTimeoutMs
    for (;;) {
      try {
        return await attempt()
      } catch (error) {
        const isPassing =
          (error instanceof ServerError && error.isRetriable) || error instanceof ConnectionError
        if (!isPassing || performance.now() + pauseBetweenTriesMs > deadlineMs) throw error
      }
      await sleep(pauseBetweenTriesMs)
    }
  }

  async close(): Promise<void> {
    this.#seed.close()
    for (const result of await Promise.allSettled(this.#connections.values()))
      if (result.status === 'fulfilled') result.value.close()
  }
}

/** `host:port,…`; IPv6 addresses stand in brackets. Throws ToolError. */
export function parseAddresses(text: string): Address[] {
  const entries = text
    .split(',')
    .map(entry => entry.trim())
    .filter(entry => entry !== '')
  if (entries.length === 0) throw new ToolError('--bootstrap-server names no broker')
  if (entries.length > maxBootstrapServers)
    throw new ToolError(`--bootstrap-server names more than ${maxBootstrapServers} brokers`)
  return entries.map(entry => {
    const [, host, port] = /^(?:[A-Z_]+:\/\/)?\[?([^[\]]+?)\]?:(\d{1,5})$/.exec(entry) ?? []
    if (host === undefined || Number(port) < 1 || Number(port) > 65_535)
      throw new ToolError(`Invalid url in bootstrap.servers: ${entry}; it takes host:port`)
    return { host, port: Number(port) }
  })
}

async function firstOf(addresses: readonly Address[], clientId: string): Promise<BrokerConnection> {
  const problems: string[] = []
  for (const address of addresses) {
    try {
      return await BrokerConnection.open(address, { clientId, timeoutMs: connectTimeoutMs })
    } catch (error) {
      if (!(error instanceof ToolError)) throw error
      problems.push(error.message)
    }
  }
  throw new ConnectionError(
    `No broker could be reached: ${problems.join('; ')}. Is one running there, and is the address right?`,
  )
}

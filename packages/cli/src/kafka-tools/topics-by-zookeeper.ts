import { nodeClock, nodeNetwork, nodeRandom } from '@vivarium/platform/node'
import { errorCode, MultiError, type Operation, ZooKeeper, ZooKeeperError } from '@vivarium/zookeeper-client'
import { assignReplicas, type BrokerPlace } from './replica-assignment.ts'
import { ToolError } from './tool.ts'
import type { TopicDescription } from './topic-description.ts'
import { collisions } from './topic-names.ts'

const sessionTimeoutMs = 30_000
const connectTimeoutMs = 15_000

interface Assignment {
  partitions: Record<string, number[]>
  adding_replicas?: Record<string, number[]>
  removing_replicas?: Record<string, number[]>
  topic_id?: string
}

/**
 * Topics as the tools before Kafka 3.0 handled them: by reading and writing the znodes that the controller watches.
 * Brokers need not be reachable from here.
 */
export class ZooKeeperTopics {
  readonly #zk: ZooKeeper

  private constructor(zk: ZooKeeper) {
    this.#zk = zk
  }

  /** Connects to `host:port,…[/chroot]`; throws ToolError if no server answers. */
  static async connect(connect: string): Promise<ZooKeeperTopics> {
    let zk: ZooKeeper
    try {
      zk = new ZooKeeper({
        connect,
        sessionTimeoutMs,
        network: nodeNetwork,
        clock: nodeClock,
        random: nodeRandom,
      })
    } catch (error) {
      throw new ToolError(`--zookeeper ${connect}: ${(error as Error).message}`)
    }
    try {
      await zk.connected(connectTimeoutMs)
    } catch (error) {
      await zk.close()
      throw new ToolError(
        `No ZooKeeper server answered at ${connect} within ${connectTimeoutMs} ms: ${(error as Error).message}`,
      )
    }
    return new ZooKeeperTopics(zk)
  }

  close(): Promise<void> {
    return this.#zk.close()
  }

  async names(): Promise<string[]> {
    return (await this.#children('/brokers/topics')).sort()
  }

  async markedForDeletion(): Promise<Set<string>> {
    return new Set(await this.#children('/admin/delete_topics'))
  }

  async liveBrokers(): Promise<BrokerPlace[]> {
    const brokers: BrokerPlace[] = []
    for (const id of await this.#children('/brokers/ids')) {
      const registration = await this.#json<{ rack?: string }>(`/brokers/ids/${id}`)
      if (registration !== null) brokers.push({ id: Number(id), rack: registration.rack ?? null })
    }
    return brokers
  }

  /** Writes configuration and assignment in one step: the controller does the rest. */
  async create(topic: {
    name: string
    partitions: number
    replicationFactor: number
    assignment: readonly (readonly number[])[] | null
    configs: ReadonlyMap<string, string>
    isRackAware: boolean
  }): Promise<void> {
    const { name, configs } = topic
    const existing = await this.names()
    if (existing.includes(name)) throw new ToolError(`Topic '${name}' already exists.`)
    const colliding = collisions(name, existing)
    if (colliding.length > 0)
      throw new ToolError(`Topic '${name}' collides with existing topics: ${colliding.join(', ')}`)
    const replicas =
      topic.assignment ??
      assignReplicas({
        brokers: await this.#placesFor(topic.isRackAware),
        from: 0,
        count: topic.partitions,
        replicationFactor: topic.replicationFactor,
        random: nodeRandom,
      })
    const config = configNode(configs)
    const configPath = `/config/topics/${name}`
    await this.#zk.createRecursive('/config/topics')
    await this.#zk.createRecursive('/brokers/topics')
    const hasConfig = (await this.#zk.exists(configPath)) !== null
    await this.#multi([
      hasConfig
        ? { op: 'setData', path: configPath, data: config }
        : { op: 'create', path: configPath, data: config },
      { op: 'create', path: `/brokers/topics/${name}`, data: assignmentNode({}, replicas) },
    ])
  }

  /** Raises the number of partitions; the new ones have as many replicas as partition 0. */
  async addPartitions(
    name: string,
    count: number,
    assignment: readonly (readonly number[])[] | null,
    isRackAware: boolean,
  ): Promise<void> {
    const path = `/brokers/topics/${name}`
    const { data, stat } = await this.#zk.getData(path)
    const current = parse<Assignment>(path, data)
    const existing = Object.keys(current.partitions).length
    if (count <= existing)
      throw new ToolError(
        `The number of partitions for a topic can only be increased. Topic ${name} currently has ${existing} partitions, ${count} would not be an increase.`,
      )
    const added =
      assignment?.slice(existing) ??
      assignReplicas({
        brokers: await this.#placesFor(isRackAware),
        from: existing,
        count: count - existing,
        replicationFactor: current.partitions['0']?.length ?? 1,
        leaderOfFirst: current.partitions['0']?.[0],
        random: nodeRandom,
      })
    if (added.length !== count - existing)
      throw new ToolError(
        `--replica-assignment names ${assignment?.length} partitions, --partitions says ${count}`,
      )
    const all = Array.from({ length: count }, (_, i) => current.partitions[String(i)] ?? added[i - existing]!)
    await this.#zk.setData(path, assignmentNode(current, all), stat.version)
  }

  /** Changes overrides and tells the brokers. */
  async alterConfig(
    name: string,
    added: ReadonlyMap<string, string>,
    removed: readonly string[],
  ): Promise<void> {
    const path = `/config/topics/${name}`
    const node = await this.#json<{ config: Record<string, string> }>(path)
    const configs = new Map(Object.entries(node?.config ?? {}))
    for (const key of removed) configs.delete(key)
    for (const [key, value] of added) configs.set(key, value)
    if (node === null) await this.#zk.createRecursive(path, configNode(configs))
    else await this.#zk.setData(path, configNode(configs))
    await this.#zk.create(
      '/config/changes/config_change_',
      JSON.stringify({ version: 2, entity_path: `topics/${name}` }),
      { mode: 'persistent-sequential' },
    )
  }

  async delete(name: string): Promise<'marked' | 'marked already'> {
    try {
      await this.#zk.create(`/admin/delete_topics/${name}`)
      return 'marked'
    } catch (error) {
      if (!(error instanceof ZooKeeperError) || error.code !== errorCode.NODEEXISTS) throw error
      return 'marked already'
    }
  }

  /** Null if there is no such topic. */
  async describe(name: string, isMarkedForDeletion: boolean): Promise<TopicDescription | null> {
    const assignment = await this.#json<Assignment>(`/brokers/topics/${name}`)
    if (assignment === null) return null
    const config = await this.#json<{ config: Record<string, string> }>(`/config/topics/${name}`)
    const indexes = Object.keys(assignment.partitions)
      .map(Number)
      .sort((a, b) => a - b)
    const partitions = []
    for (const index of indexes) {
      const path = `/brokers/topics/${name}/partitions/${index}/state`
      const state = await this.#json<{ leader: number; isr: number[] }>(path)
      partitions.push({
        index,
        leader: state === null || state.leader < 0 ? null : state.leader,
        replicas: assignment.partitions[String(index)]!,
        isr: state?.isr ?? [],
        adding: assignment.adding_replicas?.[String(index)] ?? [],
        removing: assignment.removing_replicas?.[String(index)] ?? [],
      })
    }
    return {
      name,
      topicId: assignment.topic_id ?? null,
      partitions,
      configs: new Map(Object.entries(config?.config ?? {})),
      isMarkedForDeletion,
    }
  }

  async #placesFor(isRackAware: boolean): Promise<BrokerPlace[]> {
    const brokers = await this.liveBrokers()
    return isRackAware ? brokers : brokers.map(({ id }) => ({ id, rack: null }))
  }

  async #children(path: string): Promise<string[]> {
    try {
      const { children } = await this.#zk.getChildren(path)
      return [...children]
    } catch (error) {
      if (error instanceof ZooKeeperError && error.code === errorCode.NONODE) return []
      throw error
    }
  }

  /** Null if the znode is not there or empty. */
  async #json<T>(path: string): Promise<T | null> {
    try {
      const { data } = await this.#zk.getData(path)
      return data === null || data.length === 0 ? null : parse<T>(path, data)
    } catch (error) {
      if (error instanceof ZooKeeperError && error.code === errorCode.NONODE) return null
      throw error
    }
  }

  async #multi(operations: readonly Operation[]): Promise<void> {
    try {
      await this.#zk.multi(operations)
    } catch (error) {
      if (error instanceof MultiError)
        throw new ToolError(`The znodes could not be written: ${error.message}`)
      throw error
    }
  }
}

function parse<T>(path: string, data: Buffer | null): T {
  try {
    return JSON.parse(data?.toString() ?? '') as T
  } catch (error) {
    throw new ToolError(`The znode ${path} holds no JSON: ${(error as Error).message}`)
  }
}

function configNode(configs: ReadonlyMap<string, string>): string {
  return JSON.stringify({ version: 1, config: Object.fromEntries(configs) })
}

/** A topic keeps its id and its moves; the controller gives an id to a topic that has none. */
function assignmentNode(current: Partial<Assignment>, replicas: readonly (readonly number[])[]): string {
  return JSON.stringify({
    ...(current.topic_id === undefined ? {} : { topic_id: current.topic_id }),
    version: 3,
    partitions: Object.fromEntries(replicas.map((brokers, i) => [String(i), brokers])),
    adding_replicas: current.adding_replicas ?? {},
    removing_replicas: current.removing_replicas ?? {},
  })
}

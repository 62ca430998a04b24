import { join } from 'node:path'
import { background, parseProperties } from '@vivarium/platform'
import { readCheckpoint, writeCheckpoint } from './checkpoint-file.ts'
import { LogDirectoryError } from './log-error.ts'
import { type LogWorld, PartitionLog } from './partition-log.ts'
import type { TopicLogConfig } from './topic-log-config.ts'

const cleanShutdownFile = '.kafka_cleanshutdown'
const recoveryPointFile = 'recovery-point-offset-checkpoint'
const logStartFile = 'log-start-offset-checkpoint'
const highWatermarkFile = 'replication-offset-checkpoint'
/** Partitions opened at a time. */
const openParallel = 8

export interface LogDirectoryOptions {
  path: string
  brokerId: number
  clusterId: string
  configOf(topic: string): TopicLogConfig
  /** The disk refused: nothing in this directory can be trusted to be written any more. */
  onFailure(error: Error): void
}

/** One of `log.dirs`: the partitions it holds and the checkpoints that describe them, in Kafka's layout. */
export class LogDirectory {
  readonly path: string
  readonly #world: LogWorld
  readonly #options: LogDirectoryOptions
  readonly #partitions = new Map<string, PartitionLog>()

  private constructor(world: LogWorld, options: LogDirectoryOptions) {
    this.path = options.path
    this.#world = world
    this.#options = options
  }

  /** Opens the directory and every partition in it; after an unclean stop each is checked. */
  static async open(world: LogWorld, options: LogDirectoryOptions): Promise<LogDirectory> {
    const directory = new LogDirectory(world, options)
    await world.disk.makeDirectory(options.path)
    await directory.#checkOwner()
    await directory.#openPartitions()
    return directory
  }

  /** The broker and cluster a directory belongs to, or null for a new one. */
  static async readOwner(
    world: LogWorld,
    path: string,
  ): Promise<{ brokerId: number; clusterId: string | null } | null> {
    try {
      const properties = parseProperties(
        (await world.disk.readFile(join(path, 'meta.properties'))).toString('utf8'),
        'meta.properties',
      )
      const id = Number(properties.get('broker.id')?.value)
      if (!Number.isInteger(id))
        throw new LogDirectoryError(
          join(path, 'meta.properties'),
          'it names no broker.id',
          'restore the file',
        )
      return { brokerId: id, clusterId: properties.get('cluster.id')?.value ?? null }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  async #checkOwner(): Promise<void> {
    const { path, brokerId, clusterId } = this.#options
    const owner = await LogDirectory.readOwner(this.#world, path)
    if (owner === null) {
      await this.#world.disk.replaceFile(
        join(path, 'meta.properties'),
        `#\nversion=0\nbroker.id=${brokerId}\ncluster.id=${clusterId}\n`,
      )
      return
    }
    if (owner.brokerId !== brokerId) {
      throw new LogDirectoryError(
        path,
        `it belongs to broker ${owner.brokerId}, and this is broker ${brokerId}`,
        'give this broker its own log.dirs, or set its broker.id right',
      )
    }
    if (owner.clusterId !== null && owner.clusterId !== clusterId) {
      throw new LogDirectoryError(
        path,
        `it belongs to cluster ${owner.clusterId}, and the ensemble of zookeeper.connect holds cluster ${clusterId}`,
        'check zookeeper.connect; a broker must not take the data of another cluster along',
      )
    }
  }

  async #openPartitions(): Promise<void> {
    const { disk, log, clock } = this.#world
    const names = (await disk.list(this.path)) ?? []
    const isClean = names.includes(cleanShutdownFile)
    await disk.remove(join(this.path, cleanShutdownFile))
    const recoveryPoints = await this.#readOffsets(recoveryPointFile)
    const logStarts = await this.#readOffsets(logStartFile)
    const startedMs = clock.monotonicMs()
    const waiting: PartitionLog[] = []
    for (const name of names) {
      const isDirectory = (await disk.stat(join(this.path, name)))?.isDirectory === true
      if (!isDirectory) continue
      if (name.endsWith('-delete')) {
        await disk.removeTree(join(this.path, name))
        continue
      }
      const dash = name.lastIndexOf('-')
      const partition = Number(name.slice(dash + 1))
      if (dash <= 0 || !Number.isInteger(partition) || partition < 0) {
        throw new LogDirectoryError(
          join(this.path, name),
          'it is no partition, and nothing else may stand here',
          'move it away',
        )
      }
      waiting.push(this.#newLog(name.slice(0, dash), partition))
    }
    const count = waiting.length
    const openNext = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const { name } = next
        await next.open({
          isClean,
          recoveryPoint: recoveryPoints.get(name) ?? 0,
          logStartOffset: logStarts.get(name) ?? 0,
        })
        this.#partitions.set(name, next)
      }
    }
    await Promise.all(Array.from({ length: openParallel }, openNext))
    const how = isClean ? '' : ', checked after an unclean stop'
    log.info(`Loaded ${count} logs of ${this.path}${how} in ${Math.round(clock.monotonicMs() - startedMs)}ms`)
  }

  #newLog(topic: string, partition: number): PartitionLog {
    const folder = join(this.path, `${topic}-${partition}`)
    return new PartitionLog(this.#world, { topic, partition, folder }, this.#options.configOf(topic), error =>
      this.#options.onFailure(error),
    )
  }

  partitions(): Iterable<PartitionLog> {
    return this.#partitions.values()
  }

  get(topic: string, partition: number): PartitionLog | null {
    return this.#partitions.get(`${topic}-${partition}`) ?? null
  }

  async create(topic: string, partition: number): Promise<PartitionLog> {
    const log = this.#newLog(topic, partition)
    await log.open({ isClean: true, recoveryPoint: 0, logStartOffset: 0 })
    this.#partitions.set(log.name, log)
    return log
  }

  /** Takes a partition away: renamed at once, so that a namesake finds nothing of it; removed behind. */
  async delete(topic: string, partition: number, uniqueName: string): Promise<void> {
    const name = `${topic}-${partition}`
    const log = this.#partitions.get(name)
    if (log === undefined) return
    this.#partitions.delete(name)
    await log.abandon()
    const doomed = join(this.path, `${topic.slice(0, 200)}-${partition}.${uniqueName}-delete`)
    await this.#world.disk.rename(log.folder, doomed)
    background(this.#world.disk.removeTree(doomed), error =>
      this.#world.log.error(`${doomed} could not be removed`, error),
    )
  }

  async #readOffsets(file: string): Promise<Map<string, number>> {
    const lines = await readCheckpoint(this.#world.disk, join(this.path, file), 3)
    return new Map(lines.map(([topic, partition, offset]) => [`${topic}-${partition}`, Number(offset)]))
  }

  readHighWatermarks(): Promise<Map<string, number>> {
    return this.#readOffsets(highWatermarkFile)
  }

  writeHighWatermarks(offsetOf: (log: PartitionLog) => number): Promise<void> {
    return this.#writeOffsets(highWatermarkFile, offsetOf)
  }

  async #writeOffsets(file: string, offsetOf: (log: PartitionLog) => number): Promise<void> {
    const lines = [...this.#partitions.values()].map(log => [log.topic, log.partition, offsetOf(log)])
    await writeCheckpoint(this.#world.disk, join(this.path, file), lines)
  }

  /** Writes down how far each log is durable and where it starts. */
  async checkpoint(): Promise<void> {
    await this.#writeOffsets(recoveryPointFile, log => log.recoveryPoint)
    await this.#writeOffsets(logStartFile, log => log.logStartOffset)
  }

  /** Closes every log in order and marks the directory as clean. */
  async close(): Promise<void> {
    for (const log of this.#partitions.values()) await log.close()
    await this.checkpoint()
    await this.#world.disk.replaceFile(join(this.path, cleanShutdownFile), '{"version":0,"brokerEpoch":-1}')
  }
}

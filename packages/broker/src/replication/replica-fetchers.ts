import { errorCode, type FetchResponse, fetch, listOffsets } from '@vivarium/kafka-protocol'
import { LogError } from '@vivarium/log-storage'
import { background, type Log } from '@vivarium/platform'
import type { Broker } from '../broker.ts'
import type { Partition } from './partition.ts'

const fetchVersion = 12
const listOffsetsVersion = 5
/** How long an answer may take beyond the wait it was given. */
const answerMarginMs = 30_000

interface Followed {
  partition: Partition
  leaderEpoch: number
  /** Not asked for before this moment: the leader refused, or did not know of its role yet. */
  delayedUntilMs: number
}

type FetchedPartition = FetchResponse['responses'][number]['partitions'][number]

/** Follows the leaders of the partitions this broker only replicates: one loop for each broker that leads some. */
export class ReplicaFetchers {
  readonly #broker: Broker
  readonly #log: Log
  readonly #byLeader = new Map<number, Map<Partition, Followed>>()
  readonly #running = new Set<number>()
  /** Logs being cut right now: such a partition may not take a new role before that is done. */
  readonly #cutting = new Map<Partition, Promise<void>>()
  #isStopped = false

  constructor(broker: Broker) {
    this.#broker = broker
    this.#log = broker.log.named('kafka.server.ReplicaFetcherThread')
  }

  /** Begins (or goes on, at a new leader) to follow. */
  add(partition: Partition): void {
    this.remove(partition)
    const { leader, leaderEpoch } = partition.state
    if (leader < 0) return
    const followed = this.#byLeader.get(leader) ?? new Map<Partition, Followed>()
    this.#byLeader.set(leader, followed)
    followed.set(partition, { partition, leaderEpoch, delayedUntilMs: 0 })
    if (this.#running.has(leader) || this.#isStopped) return
    this.#running.add(leader)
    background(this.#loop(leader, followed), error => {
      this.#running.delete(leader)
      this.#log.error(`[ReplicaFetcher leaderId=${leader}] the loop ended`, error)
    })
  }

  remove(partition: Partition): void {
    for (const followed of this.#byLeader.values()) followed.delete(partition)
  }

  /** Ends following; resolves when nothing cuts the log any more, rejects if a cut failed. */
  async release(partition: Partition): Promise<void> {
    this.remove(partition)
    await this.#cutting.get(partition)
  }

  stop(): void {
    this.#isStopped = true
    for (const followed of this.#byLeader.values()) followed.clear()
  }

  async #loop(leader: number, followed: Map<Partition, Followed>): Promise<void> {
    const { clock, settings } = this.#broker
    const backoffMs = settings.values['replica.fetch.backoff.ms']!
    while (followed.size > 0 && !this.#isStopped) {
      const nowMs = clock.monotonicMs()
      const ready = [...followed.values()].filter(one => one.delayedUntilMs <= nowMs)
      if (ready.length === 0) {
        await this.#pause(Math.min(backoffMs, 100))
        continue
      }
      try {
        await this.#fetch(leader, ready)
      } catch (error) {
        if (this.#isStopped) break
        this.#log.warn(
          `[ReplicaFetcher replicaId=${this.#broker.id}, leaderId=${leader}] Error in response for fetch request (${(error as Error).message})`,
        )
        await this.#pause(backoffMs)
      }
    }
    this.#running.delete(leader)
  }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => this.#broker.clock.after(ms, resolve))
  }

  async #fetch(leader: number, ready: readonly Followed[]): Promise<void> {
    const { id, settings, channels } = this.#broker
    const { values } = settings
    const topics = new Map<string, Followed[]>()
    for (const one of ready) {
      const together = topics.get(one.partition.topic)
      if (together === undefined) topics.set(one.partition.topic, [one])
      else together.push(one)
    }
    const asked = new Map(ready.map(one => [one, one.partition.log.logEndOffset]))
    const response = await channels.request(
      leader,
      fetch,
      fetchVersion,
      {
        replicaId: id,
        maxWaitMs: values['replica.fetch.wait.max.ms']!,
        minBytes: values['replica.fetch.min.bytes']!,
        maxBytes: values['replica.fetch.response.max.bytes']!,
        topics: [...topics].map(([topic, together]) => ({
          topic,
          partitions: together.map(({ partition, leaderEpoch }) => ({
            partition: partition.partition,
            currentLeaderEpoch: leaderEpoch,
            fetchOffset: partition.log.logEndOffset,
            lastFetchedEpoch: partition.log.leaderEpochs.latest,
            logStartOffset: partition.log.logStartOffset,
            partitionMaxBytes: values['replica.fetch.max.bytes']!,
          })),
        })),
      },
      { timeoutMs: values['replica.fetch.wait.max.ms']! + answerMarginMs, purpose: 'replication' },
    )
    if (response.errorCode !== errorCode.NONE)
      throw new Error(`fetch was refused with error ${response.errorCode}`)
    for (const { topic, partitions } of response.responses) {
      for (const fetched of partitions) {
        const one = topics
          .get(topic)
          ?.find(candidate => candidate.partition.partition === fetched.partitionIndex)
        if (one !== undefined) await this.#take(leader, one, asked.get(one)!, fetched)
      }
    }
  }

  async #take(leader: number, one: Followed, askedOffset: number, fetched: FetchedPartition): Promise<void> {
    const { partition } = one
    const { log } = partition
    // The role may have changed while the answer was on its way.
    const isCurrent =
      partition.leaderEpoch === one.leaderEpoch && !partition.isLeader && log.logEndOffset === askedOffset
    if (!isCurrent || this.#byLeader.get(leader)?.get(partition) !== one) return
    switch (fetched.errorCode) {
      case errorCode.NONE:
        break
      case errorCode.OFFSET_OUT_OF_RANGE:
        return this.#outOfRange(leader, one)
      default:
        one.delayedUntilMs =
          this.#broker.clock.monotonicMs() + this.#broker.settings.values['replica.fetch.backoff.ms']!
        return
    }
    if (fetched.divergingEpoch.epoch >= 0) return this.#truncate(leader, one, fetched.divergingEpoch)
    try {
      if (fetched.records !== null && fetched.records.length > 0) log.appendAsFollower(fetched.records)
      partition.followHighWatermark(fetched.highWatermark)
      if (fetched.logStartOffset > log.logStartOffset && fetched.logStartOffset <= log.logEndOffset)
        await log.deleteRecordsBefore(fetched.logStartOffset)
      // Asking for the next offset says that this one is here: it must be handed to the system before.
      await log.written()
    } catch (error) {
      if (!(error instanceof LogError)) throw error
      this.#log.error(`[ReplicaFetcher leaderId=${leader}] ${log.name}: ${error.message}`)
      one.delayedUntilMs =
        this.#broker.clock.monotonicMs() + this.#broker.settings.values['replica.fetch.backoff.ms']!
    }
  }

  /** The logs part where the leader says, or where this log's epochs say, whichever is earlier (KIP-101, KIP-595). */
  async #truncate(
    leader: number,
    one: Followed,
    diverging: { epoch: number; endOffset: number },
  ): Promise<void> {
    const { partition } = one
    const { log } = partition
    const own = log.leaderEpochs.endOffsetFor(diverging.epoch, log.logEndOffset)
    const common =
      own.epoch === diverging.epoch
        ? Math.min(own.endOffset, diverging.endOffset)
        : own.epoch >= 0
          ? own.endOffset
          : diverging.endOffset
    await this.#cut(leader, one, async () => {
      await log.truncateTo(Math.min(common, log.logEndOffset))
      partition.followHighWatermark(partition.highWatermark)
    })
  }

  /** Changes the end of a log that is still followed; a new role waits for it. */
  async #cut(leader: number, one: Followed, task: () => Promise<void>): Promise<void> {
    const { partition } = one
    if (this.#byLeader.get(leader)?.get(partition) !== one) return
    const done = task()
    this.#cutting.set(partition, done)
    try {
      await done
    } finally {
      this.#cutting.delete(partition)
    }
  }

  /** This log ends where the leader's does not reach, or begins later than this one ends. */
  async #outOfRange(leader: number, one: Followed): Promise<void> {
    const { partition, leaderEpoch } = one
    const { log } = partition
    const latest = await this.#leaderOffset(leader, partition, leaderEpoch, -1)
    if (latest < log.logEndOffset) return this.#cut(leader, one, () => log.truncateTo(latest))
    const earliest = await this.#leaderOffset(leader, partition, leaderEpoch, -2)
    await this.#cut(leader, one, async () => {
      if (earliest > log.logEndOffset) {
        await log.truncateFullyAndStartAt(earliest)
        partition.followHighWatermark(earliest)
      } else if (earliest > log.logStartOffset) {
        await log.deleteRecordsBefore(earliest)
      }
    })
  }

  async #leaderOffset(
    leader: number,
    partition: Partition,
    leaderEpoch: number,
    timestamp: number,
  ): Promise<number> {
    const response = await this.#broker.channels.request(
      leader,
      listOffsets,
      listOffsetsVersion,
      {
        replicaId: this.#broker.id,
        topics: [
          {
            name: partition.topic,
            partitions: [{ partitionIndex: partition.partition, currentLeaderEpoch: leaderEpoch, timestamp }],
          },
        ],
      },
      { timeoutMs: answerMarginMs },
    )
    const result = response.topics[0]?.partitions[0]
    if (result === undefined || result.errorCode !== errorCode.NONE)
      throw new Error(
        `${partition.log.name}: its leader does not tell its offsets (error ${result?.errorCode})`,
      )
    return result.offset
  }
}

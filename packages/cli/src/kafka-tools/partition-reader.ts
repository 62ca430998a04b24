import { setTimeout as sleep } from 'node:timers/promises'
import {
  BatchCursor,
  CorruptBatchError,
  type DecodedRecord,
  decodeRecords,
  errorCode,
  type FetchResponse,
  fetch,
} from '@vivarium/kafka-protocol'
import type { Cluster } from './cluster.ts'
import { ConnectionError } from './connection.ts'
import { leadersOf, offsetsAt, partitionName, type TopicPartition } from './offsets.ts'
import { ServerError } from './server-error.ts'
import { ToolError } from './tool.ts'

export interface ReadRecord extends DecodedRecord, TopicPartition {
  /** `CreateTime` or `LogAppendTime`. */
  timestampType: string
}

interface Place extends TopicPartition {
  nextOffset: number
}

export interface ReaderOptions {
  isReadCommitted: boolean
  /** Where to go on (`latest` or `earliest`) when the wanted offset is not there any more. */
  resetTo: number
  /** Called when nothing can be read for a while, with the reason. */
  onTrouble: (problem: string) => void
}

// Newer versions name topics by id; this one by name, and every broker since 2.7 knows it.
const newestFetchVersion = 12
const maxWaitMs = 500
const partitionMaxBytes = 1024 * 1024
const responseMaxBytes = 50 * 1024 * 1024
const pauseAfterTroubleMs = 200

type Partitions = FetchResponse['responses'][number]['partitions'][number]

/** Reads partitions without a group: follows their leaders, goes on where it stopped. */
export class PartitionReader {
  readonly #cluster: Cluster
  readonly #options: ReaderOptions
  readonly #places: ReadonlyMap<string, Place>
  readonly #inFlight = new Map<number, Promise<{ leader: number; answer: FetchResponse | null }>>()
  #leaders: ReadonlyMap<string, number> = new Map()

  /** `from`: the offset to begin at, by partition. */
  constructor(
    cluster: Cluster,
    from: readonly (TopicPartition & { offset: number })[],
    options: ReaderOptions,
  ) {
    this.#cluster = cluster
    this.#options = options
    this.#places = new Map(
      from.map(({ topic, partition, offset }) => [
        partitionName({ topic, partition }),
        { topic, partition, nextOffset: offset },
      ]),
    )
  }

  /** The next records that come, of one leader; none if nothing came for half a second. */
  async next(): Promise<ReadRecord[]> {
    if (this.#leaders.size < this.#places.size) await this.#findLeaders()
    this.#askIdleLeaders()
    if (this.#inFlight.size === 0) {
      await sleep(pauseAfterTroubleMs)
      return []
    }
    const { leader, answer } = await Promise.race(this.#inFlight.values())
    this.#inFlight.delete(leader)
    if (answer === null) {
      this.#leaders = new Map()
      await sleep(pauseAfterTroubleMs)
      return []
    }
    const records: ReadRecord[] = []
    for (const { topic, partitions } of answer.responses)
      for (const partition of partitions) {
        const place = this.#places.get(partitionName({ topic, partition: partition.partitionIndex }))
        if (place !== undefined) await this.#take(place, partition, records)
      }
    return records
  }

  async #findLeaders(): Promise<void> {
    try {
      const topics = [...this.#places.values()].map(({ topic }) => topic)
      this.#leaders = await leadersOf(this.#cluster, topics)
    } catch (error) {
      if (!(error instanceof ToolError)) throw error
      this.#options.onTrouble(error.message)
    }
  }

  #askIdleLeaders(): void {
    const byLeader = new Map<number, Place[]>()
    for (const [name, place] of this.#places) {
      const leader = this.#leaders.get(name)
      if (leader === undefined || this.#inFlight.has(leader)) continue
      byLeader.set(leader, [...(byLeader.get(leader) ?? []), place])
    }
    for (const [leader, places] of byLeader) this.#inFlight.set(leader, this.#ask(leader, places))
  }

  async #ask(leader: number, places: readonly Place[]) {
    try {
      const connection = await this.#cluster.connection(leader)
      const version = Math.min(newestFetchVersion, connection.versionOf(fetch as never))
      const answer = await connection.request(
        fetch,
        {
          replicaId: -1,
          maxWaitMs,
          minBytes: 1,
          maxBytes: responseMaxBytes,
          isolationLevel: this.#options.isReadCommitted ? 1 : 0,
          topics: [...Map.groupBy(places, ({ topic }) => topic)].map(([topic, list]) => ({
            topic,
            partitions: list.map(({ partition, nextOffset }) => ({
              partition,
              fetchOffset: nextOffset,
              partitionMaxBytes,
            })),
          })),
          forgottenTopicsData: [],
        },
        { timeoutMs: this.#cluster.options.requestTimeoutMs, version },
      )
      if (answer.errorCode !== errorCode.NONE) throw new ServerError(answer.errorCode)
      return { leader, answer }
    } catch (error) {
      const isPassing = error instanceof ConnectionError || error instanceof ServerError
      if (!isPassing) throw error
      this.#options.onTrouble(error.message)
      return { leader, answer: null }
    }
  }

  async #take(place: Place, partition: Partitions, into: ReadRecord[]): Promise<void> {
    const { errorCode: code, records, abortedTransactions } = partition
    if (code === errorCode.NONE) {
      if (records !== null && records.length > 0) takeRecords(place, records, abortedTransactions, into)
      return
    }
    if (code === errorCode.OFFSET_OUT_OF_RANGE) {
      this.#options.onTrouble(`offset ${place.nextOffset} of ${partitionName(place)} is out of range`)
      const offsets = await offsetsAt(this.#cluster, [place], this.#options.resetTo)
      place.nextOffset = offsets.get(partitionName(place))!
      return
    }
    const error = new ServerError(code)
    if (!error.isRetriable && code !== errorCode.UNKNOWN_TOPIC_OR_PARTITION) throw error
    this.#options.onTrouble(`${partitionName(place)}: ${error.message}`)
    this.#leaders = new Map()
    await sleep(pauseAfterTroubleMs)
  }
}

/** Appends the records from `place` on to `into`, without markers and aborted transactions, and moves `place` behind them. */
function takeRecords(
  place: Place,
  stored: Buffer,
  aborted: readonly { producerId: number; firstOffset: number }[] | null,
  into: ReadRecord[],
): void {
  const { topic, partition } = place
  const waiting = [...(aborted ?? [])].sort((a, b) => a.firstOffset - b.firstOffset)
  const aborting = new Set<number>()
  const batch = new BatchCursor(stored)
  try {
    while (batch.next()) {
      batch.validate()
      const { lastOffset, producerId, isTransactional, isControl, start, sizeBytes } = batch
      while (waiting.length > 0 && waiting[0]!.firstOffset <= lastOffset)
        aborting.add(waiting.shift()!.producerId)
      if (isControl) aborting.delete(producerId)
      const isVisible = !isControl && !(isTransactional && aborting.has(producerId))
      if (isVisible && lastOffset >= place.nextOffset) {
        const timestampType = batch.isLogAppendTime ? 'LogAppendTime' : 'CreateTime'
        for (const record of decodeRecords(stored.subarray(start, start + sizeBytes)))
          if (record.offset >= place.nextOffset) into.push({ ...record, topic, partition, timestampType })
      }
      place.nextOffset = Math.max(place.nextOffset, lastOffset + 1)
    }
  } catch (error) {
    if (!(error instanceof CorruptBatchError)) throw error
    throw new ToolError(`${partitionName(place)} at offset ${place.nextOffset}: ${error.message}`)
  }
}

import { randomUUID } from 'node:crypto'
import {
  Admin,
  Consumer,
  ListOffsetTimestamps,
  MessagesStreamModes,
  stringDeserializers,
} from '@platformatic/kafka'
import type { TopologyView } from '../api.ts'

// The only file of this package that knows the Kafka client library.

export interface TopicRecord {
  topic: string
  key: string | null
  /** null: a tombstone. */
  value: string | null
}

export interface TopicsReader {
  close(): Promise<void>
}

/** How far back a topic is read before what comes new. */
export interface ReadFrom {
  topic: string
  /** Records per partition; Infinity: all there are. */
  last: number
}

/**
 * Reads topics from their newest records on, and goes on with what comes. `onTrouble` is told when brokers cannot be
 * reached; the reader goes on trying.
 */
export async function readTopics(
  bootstrapServers: readonly string[],
  from: readonly ReadFrom[],
  onRecord: (record: TopicRecord) => void,
  onTrouble: (error: Error) => void,
): Promise<TopicsReader> {
  const consumer = new Consumer({
    groupId: `vivarium-dashboard-${randomUUID()}`,
    clientId: 'vivarium-dashboard',
    bootstrapBrokers: [...bootstrapServers],
    deserializers: stringDeserializers,
    autocommit: false,
    retries: true,
    metadataMaxAge: 5000,
  })
  const topics = from.map(({ topic }) => topic)
  const ends = await consumer.listOffsets({ topics, timestamp: ListOffsetTimestamps.LATEST })
  const starts = await consumer.listOffsets({ topics, timestamp: ListOffsetTimestamps.EARLIEST })
  const offsets = from.flatMap(({ topic, last }) =>
    (ends.get(topic) ?? []).map((end, partition) => {
      const start = starts.get(topic)?.[partition] ?? 0n
      const wanted = Number.isFinite(last) ? end - BigInt(last) : start
      return { topic, partition, offset: wanted > start ? wanted : start }
    }),
  )
  const stream = await consumer.consume({
    topics,
    mode: MessagesStreamModes.MANUAL,
    offsets,
    maxWaitTime: 500,
    autocommit: false,
  })
  stream.on('data', message =>
    onRecord({ topic: message.topic, key: message.key ?? null, value: message.value ?? null }),
  )
  stream.on('error', onTrouble)
  return {
    close: async () => {
      await stream.close()
      await consumer.close(true)
    },
  }
}

/** Asks brokers what there is and how far it goes. */
export class TopologyReader {
  readonly #admin: Admin
  /** Never joins its group: only consumers can be asked for offsets across all leaders. */
  readonly #offsets: Consumer

  constructor(bootstrapServers: readonly string[]) {
    this.#offsets = new Consumer({
      groupId: 'vivarium-dashboard-offsets',
      clientId: 'vivarium-dashboard',
      bootstrapBrokers: [...bootstrapServers],
      retries: 1,
      timeout: 3000,
      metadataMaxAge: 2000,
    })
    this.#admin = new Admin({
      clientId: 'vivarium-dashboard',
      bootstrapBrokers: [...bootstrapServers],
      retries: 1,
      timeout: 3000,
    })
  }

  async read(): Promise<TopologyView> {
    const names = await this.#admin.listTopics()
    const metadata = await this.#admin.metadata({ topics: names, forceUpdate: true, autocreateTopics: false })
    const ends = await this.#endOffsets(metadata.topics)
    const topics = [...metadata.topics].map(([name, { partitions }]) => ({
      name,
      partitions: partitions.map(({ leader, replicas, isr }, partition) => ({
        partition,
        leader,
        replicas,
        isr,
        endOffset: ends.get(`${name} ${partition}`) ?? -1,
      })),
    }))
    const all = topics.flatMap(topic => topic.partitions)
    const brokers = [...metadata.brokers].map(([id, { host, port }]) => ({
      id,
      address: `${host}:${port}`,
      isController: id === metadata.controllerId,
      leads: all.filter(partition => partition.leader === id).length,
      holds: all.filter(partition => partition.replicas.includes(id)).length,
    }))
    return {
      clusterId: metadata.id,
      brokers: brokers.sort((a, b) => a.id - b.id),
      topics: topics.sort((a, b) => a.name.localeCompare(b.name)),
      error: null,
    }
  }

  async #endOffsets(
    topics: ReadonlyMap<string, { partitions: { leader: number }[] }>,
  ): Promise<Map<string, number>> {
    const asked = [...topics]
      .filter(([, { partitions }]) => partitions.every(({ leader }) => leader >= 0))
      .map(([name]) => name)
    const ends = new Map<string, number>()
    if (asked.length === 0) return ends
    for (const [name, offsets] of await this.#offsets.listOffsets({
      topics: asked,
      timestamp: ListOffsetTimestamps.LATEST,
    })) {
      for (const [partition, offset] of offsets.entries()) ends.set(`${name} ${partition}`, Number(offset))
    }
    return ends
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#admin.close(), this.#offsets.close(true)])
  }
}

import { randomUUID } from 'node:crypto'
import {
  Admin,
  Consumer,
  ListOffsetTimestamps,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'

// The only file of this package that knows the Kafka client library.

export interface Outgoing {
  topic: string
  key: string
  value: string
}

export interface Incoming {
  topic: string
  partition: number
  offset: number
  key: string
  value: string | null
}

export interface TopicSpec {
  name: string
  partitions: number
  configs: Readonly<Record<string, string>>
}

/** What the monitor asks of Kafka. */
export class KafkaPort {
  readonly #brokers: string[]
  #producer: Producer<string, string, string, string>
  readonly #closing: (() => Promise<unknown>)[] = []

  constructor(bootstrapServers: readonly string[]) {
    this.#brokers = [...bootstrapServers]
    this.#producer = this.#newProducer()
  }

  #newProducer(): Producer<string, string, string, string> {
    return new Producer({
      clientId: 'vivarium-monitor',
      bootstrapBrokers: this.#brokers,
      serializers: stringSerializers,
      idempotent: true,
      acks: -1,
      retries: 10,
      metadataMaxAge: 5000,
    })
  }

  /** Creates what is missing, as often replicated as there are brokers, up to three times. */
  async ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    const admin = new Admin({ clientId: 'vivarium-monitor', bootstrapBrokers: this.#brokers, retries: 3 })
    try {
      const existing = new Set(await admin.listTopics({ includeInternals: true }))
      const { brokers } = await admin.metadata({ topics: [] })
      const replicas = Math.min(3, brokers.size)
      for (const { name, partitions, configs } of specs) {
        if (existing.has(name)) continue
        await admin.createTopics({
          topics: [name],
          partitions,
          replicas,
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        })
      }
    } finally {
      await admin.close()
    }
  }

  /** Resolves when every record is on all in-sync replicas. After a failure a new producer begins with a clean slate. */
  async send(records: readonly Outgoing[]): Promise<void> {
    if (records.length === 0) return
    try {
      // One topic a call: the library sends a call whole to the leader of its first record.
      for (const [, together] of Map.groupBy(records, record => record.topic))
        await this.#producer.send({ messages: together.map(record => ({ ...record })) })
    } catch (error) {
      const broken = this.#producer
      this.#producer = this.#newProducer()
      broken.close().catch(() => {})
      throw error
    }
  }

  /** The newest records of a topic, oldest first: up to `last` of each partition. */
  async readTail(topic: string, last: number): Promise<Incoming[]> {
    const consumer = this.#newConsumer()
    try {
      const [ends, starts] = await this.#bounds(consumer, [topic])
      const wanted = (ends.get(topic) ?? []).map((end, partition) => {
        const start = starts.get(topic)?.[partition] ?? 0n
        const from = end - BigInt(last)
        return { topic, partition, offset: from > start ? from : start, end }
      })
      const open = new Map(
        wanted.filter(({ offset, end }) => offset < end).map(one => [one.partition, one.end]),
      )
      const found: Incoming[] = []
      if (open.size === 0) return found
      const stream = await consumer.consume({
        topics: [topic],
        mode: MessagesStreamModes.MANUAL,
        offsets: wanted,
        maxWaitTime: 200,
        autocommit: false,
      })
      for await (const message of stream) {
        found.push(incoming(message))
        if (message.offset + 1n >= (open.get(message.partition) ?? 0n)) open.delete(message.partition)
        if (open.size === 0) break
      }
      await stream.close()
      return found
    } finally {
      await consumer.close(true)
    }
  }

  /** Reads topics from the given offsets (those not named: from their end) until closed. */
  async follow(
    topics: readonly string[],
    from: ReadonlyMap<string, number>,
    onRecord: (record: Incoming) => void,
    onTrouble: (error: Error) => void,
  ): Promise<void> {
    const consumer = this.#newConsumer()
    this.#closing.push(() => consumer.close(true))
    const [ends, starts] = await this.#bounds(consumer, topics)
    const offsets = topics.flatMap(topic =>
      (ends.get(topic) ?? []).map((end, partition) => {
        const saved = from.get(`${topic} ${partition}`)
        const start = starts.get(topic)?.[partition] ?? 0n
        const wanted = saved === undefined ? end : BigInt(saved)
        return { topic, partition, offset: wanted < start ? start : wanted > end ? end : wanted }
      }),
    )
    const stream = await consumer.consume({
      topics: [...topics],
      mode: MessagesStreamModes.MANUAL,
      offsets,
      maxWaitTime: 200,
      autocommit: false,
    })
    stream.on('data', message => onRecord(incoming(message)))
    stream.on('error', onTrouble)
  }

  #newConsumer(): Consumer<string, string, string, string> {
    return new Consumer({
      groupId: `vivarium-monitor-${randomUUID()}`,
      clientId: 'vivarium-monitor',
      bootstrapBrokers: this.#brokers,
      deserializers: stringDeserializers,
      autocommit: false,
      retries: true,
      metadataMaxAge: 5000,
    })
  }

  async #bounds(consumer: Consumer<string, string, string, string>, topics: readonly string[]) {
    const ends = await consumer.listOffsets({ topics: [...topics], timestamp: ListOffsetTimestamps.LATEST })
    const starts = await consumer.listOffsets({
      topics: [...topics],
      timestamp: ListOffsetTimestamps.EARLIEST,
    })
    return [ends, starts] as const
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.#producer.close(), ...this.#closing.map(close => close())])
  }
}

function incoming(message: {
  topic: string
  partition: number
  offset: bigint
  key: string | null | undefined
  value: string | null | undefined
}): Incoming {
  return {
    topic: message.topic,
    partition: message.partition,
    offset: Number(message.offset),
    key: message.key ?? '',
    value: message.value ?? null,
  }
}

import {
  Consumer,
  compatibilityPartitioner,
  findErrorBy,
  type GroupPartitionsAssigner,
  type Message,
  Producer,
} from '@platformatic/kafka'
import { ToolError } from './kafka-tools/tool.ts'

// The only file of this package that knows the Kafka client library.

export interface RecordToSend {
  key: Buffer | null
  value: Buffer | null
  headers: readonly (readonly [string, Buffer | null])[]
}

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

export interface Sender {
  /** Resolves when all records have been acknowledged as asked for; rejects with ToolError if some were not. */
  send(records: readonly RecordToSend[]): Promise<void>
  close(): Promise<void>
}

/** Sends records to one topic. Those without key go to one partition per call, chosen by chance; others where Java puts them. */
export function openSender(options: {
  bootstrapServers: string
  clientId: string
  topic: string
  acks: -1 | 0 | 1
  compression: Compression
  isIdempotent: boolean
  retries: number
  retryPauseMs: number
  requestTimeoutMs: number
  metadataMaxAgeMs: number
}): Sender {
  const { topic, acks, compression, isIdempotent } = options
  const producer = new Producer({
    clientId: options.clientId,
    bootstrapBrokers: options.bootstrapServers.split(',').map(server => server.trim()),
    retries: options.retries,
    retryDelay: options.retryPauseMs,
    timeout: options.requestTimeoutMs,
    metadataMaxAge: options.metadataMaxAgeMs,
    autocreateTopics: true,
  })
  let partitionCount = 0
  const partitionOf = (key: Buffer | null, chosen: number) =>
    (key === null ? chosen : compatibilityPartitioner(undefined as never, key)) % partitionCount
  // One partition a call: the library sends all records of a call that once had one leader to the leader of the first.
  const sendTo = (partition: number, records: readonly RecordToSend[]) =>
    producer.send({
      acks,
      compression,
      idempotent: isIdempotent,
      messages: records.map(({ key, value, headers }) => ({
        topic,
        partition,
        ...(key !== null && { key }),
        ...(value !== null && { value }),
        headers: new Map(headers.map(([name, content]) => [Buffer.from(name), content as Buffer])),
      })),
    })
  return {
    async send(records) {
      const chosen = Math.floor(Math.random() * 2 ** 31)
      try {
        const { topics } = await producer.metadata({ topics: [topic], autocreateTopics: true })
        partitionCount = topics.get(topic)!.partitionsCount
        const byPartition = Map.groupBy(records, ({ key }) => partitionOf(key, chosen))
        const outcomes = await Promise.allSettled(
          [...byPartition].map(([partition, list]) => sendTo(partition, list)),
        )
        const failure = outcomes.find(outcome => outcome.status === 'rejected')
        if (failure !== undefined) throw failure.reason
      } catch (error) {
        throw new ToolError(reasonOf(error))
      }
    },
    close: () => producer.close(),
  }
}

export interface GroupRecord {
  topic: string
  partition: number
  offset: bigint
  timestampMs: bigint
  key: Buffer | null
  value: Buffer | null
  headers: readonly (readonly [Buffer, Buffer | null])[]
  leaderEpoch: number
}

/** Errors the library takes for final, though a member that joins anew gets over them. */
const lostMembership = [
  'REBALANCE_IN_PROGRESS',
  'ILLEGAL_GENERATION',
  'UNKNOWN_MEMBER_ID',
  'NOT_COORDINATOR',
  'COORDINATOR_NOT_AVAILABLE',
  'COORDINATOR_LOAD_IN_PROGRESS',
  'NOT_LEADER_OR_FOLLOWER',
]

/** The client could not go on; `isPassing` says whether a new attempt may. */
export class ClientError extends ToolError {
  override name = 'ClientError'
  readonly isPassing: boolean
  /** The membership that was lost, which the group still waits for. */
  readonly memberId: string | null

  constructor(error: unknown, memberId: string | null) {
    super(reasonOf(error))
    this.memberId = memberId
    this.isPassing =
      findErrorBy(error as Error, 'canRetry', false) === null ||
      lostMembership.some(name => findErrorBy(error as Error, 'apiId', name) !== null)
  }
}

export interface GroupReader {
  records: AsyncIterable<GroupRecord>
  /** The group goes on behind these records; in partitions nothing was read from yet, where this member began. */
  commit(records: readonly GroupRecord[]): Promise<void>
  close(): Promise<void>
}

/** Reads topics as a member of a group; begins where the group stopped, or at `startAt` if it has never been here. */
export async function joinGroup(options: {
  bootstrapServers: string
  clientId: string
  groupId: string
  topics: readonly string[]
  startAt: 'earliest' | 'latest'
  isReadCommitted: boolean
  requestTimeoutMs: number
}): Promise<GroupReader> {
  const consumer = new Consumer({
    clientId: options.clientId,
    groupId: options.groupId,
    bootstrapBrokers: options.bootstrapServers.split(',').map(server => server.trim()),
    timeout: options.requestTimeoutMs,
    autocommit: false,
    maxWaitTime: 500,
    sessionTimeout: 45_000,
    rebalanceTimeout: 60_000,
    heartbeatInterval: 3_000,
    // The name Apache's consumers offer, so that both may be in one group.
    protocols: [{ name: 'range', version: 1 }],
    partitionAssigner: assignRanges,
    isolationLevel: options.isReadCommitted ? 1 : 0,
    // Who calls begins anew with other leaders and coordinators, which the library does not look for while it repeats.
    retries: 3,
    retryDelay: 300,
    metadataMaxAge: 1_000,
  })
  try {
    const stream = await consumer.consume({
      topics: [...options.topics],
      mode: 'committed',
      fallbackMode: options.startAt,
      autocommit: false,
    })
    // A member that begins at the end and reads nothing must leave that place behind, or records sent before the group
    // comes back would be passed over.
    const starts = new Map<string, bigint>(stream.offsetsToFetch)
    stream.on('offsets', () => {
      starts.clear()
      for (const [name, offset] of stream.offsetsToFetch) starts.set(name, offset)
    })
    return {
      records: readRecords(consumer, stream, starts),
      async commit(records) {
        const offsets = records.map(({ topic, partition, offset, leaderEpoch }) => ({
          topic,
          partition,
          offset: offset + 1n,
          leaderEpoch,
        }))
        const begun = [...starts]
        for (const [name, offset] of begun) {
          const colon = name.lastIndexOf(':')
          const place = { topic: name.slice(0, colon), partition: Number(name.slice(colon + 1)) }
          offsets.push({ ...place, offset, leaderEpoch: -1 })
        }
        try {
          if (offsets.length > 0) await consumer.commit({ offsets })
        } catch (error) {
          throw new ToolError(`the offsets could not be committed: ${reasonOf(error)}`)
        }
        for (const [name, offset] of begun) if (starts.get(name) === offset) starts.delete(name)
      },
      async close() {
        try {
          await stream.close()
          await consumer.close()
        } catch {
          // The group notices by its session timeout that this member has gone.
          await consumer.close(true).catch(() => {})
        }
      },
    }
  } catch (error) {
    const { memberId } = consumer
    await consumer.close(true).catch(() => {})
    throw new ClientError(error, memberId)
  }
}

async function* readRecords(
  consumer: Consumer,
  stream: AsyncIterable<Message>,
  starts: Map<string, bigint>,
): AsyncGenerator<GroupRecord> {
  try {
    for await (const message of stream) {
      const { topic, partition, offset, timestamp, leaderEpoch } = message
      starts.delete(`${topic}:${partition}`)
      yield {
        topic,
        partition,
        offset,
        timestampMs: timestamp,
        key: message.key ?? null,
        value: message.value ?? null,
        headers: message.headerEntries,
        leaderEpoch,
      }
    }
  } catch (error) {
    throw new ClientError(error, consumer.memberId)
  }
}

/** Each topic's partitions in runs of equal length, the first members getting one more (Apache's RangeAssignor). */
const assignRanges: GroupPartitionsAssigner = (_current, members, topics, metadata) => {
  const result = [...members.keys()].sort().map(memberId => ({
    memberId,
    assignments: new Map<string, { topic: string; partitions: number[] }>(),
  }))
  for (const topic of topics) {
    const subscribers = result.filter(({ memberId }) => members.get(memberId)!.topics?.includes(topic))
    const count = metadata.topics.get(topic)?.partitionsCount ?? 0
    let next = 0
    for (const [i, { assignments }] of subscribers.entries()) {
      const share = Math.floor(count / subscribers.length) + (i < count % subscribers.length ? 1 : 0)
      if (share > 0)
        assignments.set(topic, { topic, partitions: Array.from({ length: share }, (_, j) => next + j) })
      next += share
    }
  }
  return result
}

/** The innermost messages of an error of the library, which wraps them several times over. */
function reasonOf(error: unknown): string {
  const reasons = new Set<string>()
  const visit = (at: unknown, depth: number) => {
    if (!(at instanceof Error) || depth > 8) return
    const inner = [...(at instanceof AggregateError ? at.errors : []), at.cause].filter(Boolean)
    if (inner.length === 0) reasons.add(at.message)
    for (const next of inner) visit(next, depth + 1)
  }
  visit(error, 0)
  return reasons.size === 0 ? String(error) : [...reasons].slice(0, 3).join('; ')
}

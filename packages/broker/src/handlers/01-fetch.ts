import { errorCode, type FetchRequest, fetch } from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import type { FetchedFrom, SessionVerdict } from '../replication/fetch-sessions.ts'
import type { Partition } from '../replication/partition.ts'
import { firstVersionOfAnyFormat, suitConsumer } from './fetch-formats.ts'
import { handler } from './handler.ts'

/** From this version on topics are named by id. */
const firstVersionWithIds = 13
/** A consumer that wants to read past the high watermark, for looking at a log that is broken. */
const debuggingConsumer = -2

interface Read {
  from: FetchedFrom
  partition: Partition | null
  errorCode: number
  diverging: { epoch: number; endOffset: number } | null
  records: Buffer[]
  sizeBytes: number
}

/** Reads what is there; waits, up to `maxWaitMs`, until there is enough. */
export default handler(fetch, [0, 17], async (request, { apiVersion }, broker) => {
  const nowMs = broker.clock.monotonicMs()
  const usesIds = apiVersion >= firstVersionWithIds
  const verdict = broker.fetchSessions.open(
    request,
    usesIds,
    id => broker.metadata.topicName(id) ?? '',
    nowMs,
  )
  if (verdict.kind === 'error') {
    return {
      errorCode:
        verdict.error === 'not-found'
          ? errorCode.FETCH_SESSION_ID_NOT_FOUND
          : errorCode.INVALID_FETCH_SESSION_EPOCH,
    }
  }
  const replicaId = apiVersion >= 15 ? request.replicaState.replicaId : request.replicaId
  const wanted = [...verdict.partitions]
  const reads = wanted.map(from => begin(broker, from, replicaId, usesIds, nowMs))
  const deadlineMs = nowMs + request.maxWaitMs
  for (;;) {
    const seen = reads.map(read => boundOf(read.partition, replicaId, request.isolationLevel))
    await fill(broker, reads, request, replicaId)
    const leftMs = deadlineMs - broker.clock.monotonicMs()
    if (leftMs <= 0 || !mustWait(reads, request)) break
    await somethingMoved(broker, reads, { seen, leftMs, replicaId, isolationLevel: request.isolationLevel })
    for (const read of reads) recheck(broker, read)
  }
  if (apiVersion < firstVersionOfAnyFormat) await suit(broker, reads, request, apiVersion)
  return respond(verdict, reads, usesIds)
})

/** Looks the partition up, and takes note of how far a follower is. */
function begin(broker: Broker, from: FetchedFrom, replicaId: number, usesIds: boolean, nowMs: number): Read {
  const read: Read = {
    from,
    partition: null,
    errorCode: errorCode.NONE,
    diverging: null,
    records: [],
    sizeBytes: 0,
  }
  if (from.topic === '')
    return { ...read, errorCode: usesIds ? errorCode.UNKNOWN_TOPIC_ID : errorCode.UNKNOWN_TOPIC_OR_PARTITION }
  const partition = broker.replicas.partition(from.topic, from.partition)
  if (partition === null) {
    const isKnown = broker.metadata.partition(from.topic, from.partition) !== null
    return {
      ...read,
      errorCode: isKnown ? errorCode.NOT_LEADER_OR_FOLLOWER : errorCode.UNKNOWN_TOPIC_OR_PARTITION,
    }
  }
  read.partition = partition
  recheck(broker, read)
  if (usesIds && partition.log.topicId !== null && partition.log.topicId !== from.topicId)
    read.errorCode = errorCode.INCONSISTENT_TOPIC_ID
  if (read.errorCode !== errorCode.NONE || replicaId < 0) return read
  if (!partition.followers.has(replicaId)) {
    return {
      ...read,
      errorCode:
        from.currentLeaderEpoch >= 0 ? errorCode.UNKNOWN_LEADER_EPOCH : errorCode.NOT_LEADER_OR_FOLLOWER,
    }
  }
  read.diverging = divergence(partition, from)
  if (read.diverging !== null) return read
  if (partition.followerFetched(replicaId, from.fetchOffset, from.logStartOffset, nowMs))
    broker.replicas.proposeExpansion(partition, replicaId)
  return read
}

/** Role, epoch and range: what can have changed while a request waited. */
function recheck(broker: Broker, read: Read): void {
  const { partition, from } = read
  if (partition === null || read.errorCode !== errorCode.NONE) return
  if (broker.replicas.partition(from.topic, from.partition) !== partition || !partition.isLeader) {
    read.errorCode = errorCode.NOT_LEADER_OR_FOLLOWER
    return
  }
  read.errorCode = partition.checkEpoch(from.currentLeaderEpoch)
  const { logStartOffset, logEndOffset } = partition.log
  if (
    read.errorCode === errorCode.NONE &&
    (from.fetchOffset < logStartOffset || from.fetchOffset > logEndOffset)
  ) {
    read.errorCode = errorCode.OFFSET_OUT_OF_RANGE
  }
}

/** Where the reader's log and this one part, if the last batch it has is none of ours (KIP-595). */
function divergence(partition: Partition, from: FetchedFrom): Read['diverging'] {
  if (from.lastFetchedEpoch < 0) return null
  const end = partition.log.leaderEpochs.endOffsetFor(from.lastFetchedEpoch, partition.log.logEndOffset)
  if (end.epoch < 0) return null
  return end.epoch < from.lastFetchedEpoch || end.endOffset < from.fetchOffset ? end : null
}

function boundOf(partition: Partition | null, replicaId: number, isolationLevel: number): number {
  if (partition === null) return 0
  if (replicaId >= 0 || replicaId === debuggingConsumer) return partition.log.logEndOffset
  return isolationLevel === 1 ? partition.lastStableOffset : partition.highWatermark
}

/** Reads into every partition without error, within the limits of the request. */
async function fill(
  broker: Broker,
  reads: readonly Read[],
  request: FetchRequest,
  replicaId: number,
): Promise<void> {
  const cap =
    replicaId >= 0 ? request.maxBytes : Math.min(request.maxBytes, broker.settings.values['fetch.max.bytes']!)
  let left = cap
  for (const read of reads) {
    read.records = []
    read.sizeBytes = 0
    const { partition, from } = read
    if (partition === null || read.errorCode !== errorCode.NONE || read.diverging !== null || left <= 0)
      continue
    const upTo = boundOf(partition, replicaId, request.isolationLevel)
    const limit = Math.min(from.maxBytes, left)
    const cached = partition.log.readCached(from.fetchOffset, limit, upTo)
    const records = cached ?? (await partition.log.read(from.fetchOffset, limit, upTo))
    let sizeBytes = 0
    for (const piece of records) sizeBytes += piece.length
    // One batch larger than the limits is sent when nothing else is, so that its reader gets past it (KIP-74).
    if (sizeBytes > left && left < cap) continue
    read.records = records
    read.sizeBytes = sizeBytes
    left -= sizeBytes
  }
}

/** Old consumers do not understand all that is stored. */
async function suit(
  broker: Broker,
  reads: readonly Read[],
  request: FetchRequest,
  apiVersion: number,
): Promise<void> {
  for (const read of reads) {
    const { partition, from } = read
    if (partition === null || read.sizeBytes === 0) continue
    const upTo = boundOf(partition, request.replicaId, request.isolationLevel)
    const suited = await suitConsumer(broker, partition, {
      apiVersion,
      batches: read.records,
      fromOffset: from.fetchOffset,
      maxBytes: from.maxBytes,
      upTo,
    })
    Object.assign(read, suited)
  }
}

function mustWait(reads: readonly Read[], request: FetchRequest): boolean {
  if (request.maxWaitMs <= 0 || reads.length === 0) return false
  let sizeBytes = 0
  for (const read of reads) {
    if (read.errorCode !== errorCode.NONE || read.diverging !== null) return false
    sizeBytes += read.sizeBytes
  }
  return sizeBytes < request.minBytes
}

/** Resolves when a partition has more to read than was `seen`, a role changes, or the time is over. */
function somethingMoved(
  broker: Broker,
  reads: readonly Read[],
  {
    seen,
    leftMs,
    replicaId,
    isolationLevel,
  }: { seen: readonly number[]; leftMs: number; replicaId: number; isolationLevel: number },
): Promise<void> {
  return new Promise(resolve => {
    const ends: (() => void)[] = []
    const settle = () => {
      for (const end of ends) end()
      timer.cancel()
      resolve()
    }
    const timer = broker.clock.after(leftMs, settle)
    for (const [index, { partition, from }] of reads.entries()) {
      if (partition === null) continue
      const epoch = partition.leaderEpoch
      const isReady = () =>
        boundOf(partition, replicaId, isolationLevel) > Math.max(seen[index]!, from.fetchOffset) ||
        partition.leaderEpoch !== epoch ||
        !partition.isLeader
      // What came while the others were read must not be waited for.
      if (isReady()) return settle()
      ends.push(partition.onChange(() => isReady() && settle()))
    }
  })
}

function respond(
  verdict: Exclude<SessionVerdict, { kind: 'error' }>,
  reads: readonly Read[],
  usesIds: boolean,
) {
  const topics = new Map<
    string,
    { topic: string; topicId: string; partitions: ReturnType<typeof partitionResponse>[] }
  >()
  for (const read of reads) {
    const { from } = read
    const response = partitionResponse(read)
    if (verdict.kind === 'incremental' && !hasNews(read, response)) continue
    from.lastHighWatermark = response.highWatermark
    from.lastLogStartOffset = response.logStartOffset
    const key = usesIds ? from.topicId : from.topic
    const topic = topics.get(key) ?? { topic: from.topic, topicId: from.topicId, partitions: [] }
    topics.set(key, topic)
    topic.partitions.push(response)
  }
  return { sessionId: verdict.session?.id ?? 0, responses: [...topics.values()] }
}

function hasNews(read: Read, response: { highWatermark: number; logStartOffset: number }): boolean {
  if (read.sizeBytes > 0 || read.errorCode !== errorCode.NONE || read.diverging !== null) return true
  return (
    response.highWatermark !== read.from.lastHighWatermark ||
    response.logStartOffset !== read.from.lastLogStartOffset
  )
}

function partitionResponse(read: Read) {
  const { partition, from } = read
  const isReadable =
    partition !== null &&
    (read.errorCode === errorCode.NONE || read.errorCode === errorCode.OFFSET_OUT_OF_RANGE)
  return {
    partitionIndex: from.partition,
    errorCode: read.errorCode,
    highWatermark: isReadable ? partition.highWatermark : -1,
    lastStableOffset: isReadable ? partition.lastStableOffset : -1,
    logStartOffset: isReadable ? partition.log.logStartOffset : -1,
    divergingEpoch: read.diverging ?? { epoch: -1, endOffset: -1 },
    abortedTransactions: null,
    records: read.records,
  }
}

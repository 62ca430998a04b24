import type { FetchRequest } from '@vivarium/kafka-protocol'

/** One partition a session asks for. */
export interface FetchedFrom {
  topic: string
  topicId: string
  partition: number
  currentLeaderEpoch: number
  fetchOffset: number
  lastFetchedEpoch: number
  logStartOffset: number
  maxBytes: number
  /** What the last answer said, to leave out what did not change. */
  lastHighWatermark: number
  lastLogStartOffset: number
}

export interface FetchSession {
  readonly id: number
  epoch: number
  readonly partitions: Map<string, FetchedFrom>
  lastUsedMs: number
}

/** Idle for this long, a session may make room for another. */
const evictAfterMs = 120_000

export type SessionVerdict =
  | { kind: 'error'; error: 'not-found' | 'wrong-epoch' }
  /** Everything is asked and answered in full; `session` when one is opened by it. */
  | { kind: 'full'; session: FetchSession | null; partitions: Iterable<FetchedFrom> }
  | { kind: 'incremental'; session: FetchSession; partitions: Iterable<FetchedFrom> }

/**
 * What consumers and followers asked for last time, so that they need send, and are sent, only what changed (KIP-227).
 */
export class FetchSessions {
  readonly #sessions = new Map<number, FetchSession>()
  readonly #maxSessions: number
  readonly #randomBelow: (bound: number) => number

  constructor(maxSessions: number, randomBelow: (bound: number) => number) {
    this.#maxSessions = maxSessions
    this.#randomBelow = randomBelow
  }

  /** `names` gives the topic of an id, '' if it is unknown. */
  open(
    request: FetchRequest,
    usesIds: boolean,
    nameOf: (topicId: string) => string,
    nowMs: number,
  ): SessionVerdict {
    const { sessionId, sessionEpoch } = request
    if (sessionEpoch === -1 || sessionEpoch === 0) {
      this.#sessions.delete(sessionId)
      const partitions = new Map<string, FetchedFrom>()
      merge(partitions, request, usesIds, nameOf)
      const session = sessionEpoch === 0 ? this.#create(partitions, nowMs) : null
      return { kind: 'full', session, partitions: partitions.values() }
    }
    const session = this.#sessions.get(sessionId)
    if (session === undefined) return { kind: 'error', error: 'not-found' }
    if (sessionEpoch !== session.epoch) return { kind: 'error', error: 'wrong-epoch' }
    session.epoch = session.epoch === 2 ** 31 - 1 ? 1 : session.epoch + 1
    session.lastUsedMs = nowMs
    for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
      const name = usesIds ? topicId : topic
      for (const partition of partitions) session.partitions.delete(`${name} ${partition}`)
    }
    merge(session.partitions, request, usesIds, nameOf)
    // A topic that was unknown when it was first asked for may be known by now.
    for (const from of session.partitions.values()) if (from.topic === '') from.topic = nameOf(from.topicId)
    return { kind: 'incremental', session, partitions: session.partitions.values() }
  }

  #create(partitions: Map<string, FetchedFrom>, nowMs: number): FetchSession | null {
    if (this.#sessions.size >= this.#maxSessions && !this.#evict(nowMs)) return null
    let id: number
    do id = 1 + this.#randomBelow(2 ** 31 - 2)
    while (this.#sessions.has(id))
    const session = { id, epoch: 1, partitions, lastUsedMs: nowMs }
    this.#sessions.set(id, session)
    return session
  }

  #evict(nowMs: number): boolean {
    for (const session of this.#sessions.values()) {
      if (nowMs - session.lastUsedMs > evictAfterMs) return this.#sessions.delete(session.id)
    }
    return false
  }
}

function merge(
  partitions: Map<string, FetchedFrom>,
  request: FetchRequest,
  usesIds: boolean,
  nameOf: (topicId: string) => string,
): void {
  for (const topic of request.topics) {
    const key = usesIds ? topic.topicId : topic.topic
    const name = usesIds ? nameOf(topic.topicId) : topic.topic
    for (const {
      partition,
      currentLeaderEpoch,
      fetchOffset,
      lastFetchedEpoch,
      logStartOffset,
      partitionMaxBytes,
    } of topic.partitions) {
      const known = partitions.get(`${key} ${partition}`)
      partitions.set(`${key} ${partition}`, {
        topic: name,
        topicId: topic.topicId,
        partition,
        currentLeaderEpoch,
        fetchOffset,
        lastFetchedEpoch,
        logStartOffset,
        maxBytes: partitionMaxBytes,
        lastHighWatermark: known?.lastHighWatermark ?? -1,
        lastLogStartOffset: known?.lastLogStartOffset ?? -1,
      })
    }
  }
}

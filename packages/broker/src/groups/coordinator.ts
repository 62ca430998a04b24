import {
  buildBatch,
  coordinatorPartition,
  decodeRecords,
  decodeStored,
  encodeStored,
  errorCode,
  groupMetadataKey,
  groupMetadataValue,
  offsetCommitKey,
  offsetCommitValue,
} from '@vivarium/kafka-protocol'
import { background, type Log, type Timer } from '@vivarium/platform'
import type { Broker } from '../broker.ts'
import { Group, type GroupOptions } from './group.ts'

export const offsetsTopic = '__consumer_offsets'
const tickMs = 100
const groupMetadataVersion = 3
const offsetCommitVersion = 3

export interface CommittedOffset {
  offset: number
  leaderEpoch: number
  metadata: string
  commitTimestampMs: number
}

interface Coordinated {
  /** Leader epoch of the partition when it was loaded: an older load is of no account. */
  epoch: number
  isLoaded: boolean
  groups: Map<string, Group>
  /** By group, then by `topic partition`. */
  offsets: Map<string, Map<string, CommittedOffset>>
}

/**
 * Coordinates the groups whose partition of `__consumer_offsets` this broker leads. What members are told is in that
 * partition first: another broker that takes it over goes on from there.
 */
export class GroupCoordinator {
  readonly #broker: Broker
  readonly #log: Log
  readonly #partitions = new Map<number, Coordinated>()
  readonly #options: GroupOptions
  readonly #timers: Timer[] = []

  constructor(broker: Broker) {
    this.#broker = broker
    this.#log = broker.log.named('kafka.coordinator.group.GroupCoordinator')
    const { values } = broker.settings
    this.#options = {
      minSessionTimeoutMs: values['group.min.session.timeout.ms']!,
      maxSessionTimeoutMs: values['group.max.session.timeout.ms']!,
      maxSize: values['group.max.size']!,
      initialDelayMs: values['group.initial.rebalance.delay.ms']!,
    }
  }

  start(): void {
    const { clock, replicas, settings } = this.#broker
    replicas.onLeaderChange(({ topic, partition, role, leaderEpoch }) => {
      if (topic !== offsetsTopic) return
      if (role === 'leader') this.#takeOver(partition, leaderEpoch)
      else this.#letGo(partition, leaderEpoch)
    })
    this.#timers.push(
      clock.every(tickMs, () => {
        const nowMs = clock.monotonicMs()
        for (const { groups } of this.#partitions.values())
          for (const group of groups.values()) group.elapse(nowMs)
      }),
      clock.every(settings.values['offsets.retention.check.interval.ms']!, () =>
        background(this.#expireOffsets(), error => this.#log.error('Offsets could not be expired', error)),
      ),
    )
  }

  stop(): void {
    for (const timer of this.#timers) timer.cancel()
    for (const index of [...this.#partitions.keys()]) this.#letGo(index, Number.MAX_SAFE_INTEGER)
  }

  get partitionCount(): number {
    return (
      this.#broker.metadata.topic(offsetsTopic)?.partitions.size ??
      this.#broker.settings.values['offsets.topic.num.partitions']!
    )
  }

  partitionFor(groupId: string): number {
    return coordinatorPartition(groupId, this.partitionCount)
  }

  /** The groups of the partition `groupId` belongs to, or the error for whoever asks here. */
  #coordinated(groupId: string): Coordinated | number {
    const coordinated = this.#partitions.get(this.partitionFor(groupId))
    if (coordinated === undefined) return errorCode.NOT_COORDINATOR
    return coordinated.isLoaded ? coordinated : errorCode.COORDINATOR_LOAD_IN_PROGRESS
  }

  /** The group, or the error: not coordinated here, still loading, or (UNKNOWN_MEMBER_ID as `ifAbsent`) not there. */
  group(groupId: string, ifAbsent: number): Group | number {
    const coordinated = this.#coordinated(groupId)
    if (typeof coordinated === 'number') return coordinated
    return coordinated.groups.get(groupId) ?? ifAbsent
  }

  /** The group, made if need be. */
  groupForJoining(groupId: string): Group | number {
    if (groupId === '') return errorCode.INVALID_GROUP_ID
    const coordinated = this.#coordinated(groupId)
    if (typeof coordinated === 'number') return coordinated
    return coordinated.groups.get(groupId) ?? this.#create(coordinated, groupId)
  }

  #create(coordinated: Coordinated, groupId: string): Group {
    const { clock, random } = this.#broker
    const group = new Group(
      groupId,
      this.#options,
      {
        newMemberId: prefix => `${prefix}-${uuidText(random.bytes(16))}`,
        persist: (changed, done) =>
          background(this.#persist(changed).then(done), error => {
            this.#log.error(`Group ${groupId} could not be written down`, error)
            done(errorCode.UNKNOWN_SERVER_ERROR)
          }),
      },
      clock.wallMs(),
    )
    group.onStateChange = ({ state, generation }) => {
      group.stateSinceMs = clock.wallMs()
      this.#log.info(
        `[GroupCoordinator ${this.#broker.id}]: Group ${groupId} is ${state} with generation ${generation}`,
      )
    }
    coordinated.groups.set(groupId, group)
    return group
  }

  groups(): Group[] | number {
    const all: Group[] = []
    for (const { isLoaded, groups } of this.#partitions.values()) {
      if (!isLoaded) return errorCode.COORDINATOR_LOAD_IN_PROGRESS
      all.push(...groups.values())
    }
    return all
  }

  // ---- offsets --------------------------------------------------------------------------------------------------------------

  /** Commits offsets of one group; gives the error. Only what is stored on every in-sync replica can be fetched. */
  async commit(
    groupId: string,
    offsets: readonly {
      topic: string
      partition: number
      offset: number
      leaderEpoch: number
      metadata: string
    }[],
  ): Promise<number> {
    const coordinated = this.#coordinated(groupId)
    if (typeof coordinated === 'number') return coordinated
    if (offsets.length === 0) return errorCode.NONE
    const nowMs = this.#broker.clock.wallMs()
    const records = offsets.map(({ topic, partition, offset, leaderEpoch, metadata }) => ({
      key: encodeStored(offsetCommitKey, 1, { group: groupId, topic, partition }),
      value: encodeStored(offsetCommitValue, offsetCommitVersion, {
        offset,
        leaderEpoch,
        metadata,
        commitTimestamp: nowMs,
      }),
      timestampMs: nowMs,
    }))
    const error = await this.#append(groupId, records)
    if (error !== errorCode.NONE) return commitErrors.get(error) ?? error
    if (!coordinated.groups.has(groupId)) this.#create(coordinated, groupId)
    const stored = coordinated.offsets.get(groupId) ?? new Map<string, CommittedOffset>()
    coordinated.offsets.set(groupId, stored)
    for (const { topic, partition, offset, leaderEpoch, metadata } of offsets) {
      stored.set(`${topic} ${partition}`, { offset, leaderEpoch, metadata, commitTimestampMs: nowMs })
    }
    return errorCode.NONE
  }

  /** Committed offsets of a group by topic and partition, or the error. */
  offsets(groupId: string): ReadonlyMap<string, CommittedOffset> | number {
    const coordinated = this.#coordinated(groupId)
    if (typeof coordinated === 'number') return coordinated
    return coordinated.offsets.get(groupId) ?? new Map()
  }

  /** Removes committed offsets; gives the error. */
  async deleteOffsets(
    groupId: string,
    partitions: readonly { topic: string; partition: number }[],
  ): Promise<number> {
    const coordinated = this.#coordinated(groupId)
    if (typeof coordinated === 'number') return coordinated
    if (partitions.length === 0) return errorCode.NONE
    const timestampMs = this.#broker.clock.wallMs()
    const records = partitions.map(({ topic, partition }) => ({
      key: encodeStored(offsetCommitKey, 1, { group: groupId, topic, partition }),
      value: null,
      timestampMs,
    }))
    const error = await this.#append(groupId, records)
    if (error !== errorCode.NONE) return commitErrors.get(error) ?? error
    for (const { topic, partition } of partitions)
      coordinated.offsets.get(groupId)?.delete(`${topic} ${partition}`)
    return errorCode.NONE
  }

  /** Removes a group that has no members, with its offsets; gives the error. */
  async deleteGroup(groupId: string): Promise<number> {
    const coordinated = this.#coordinated(groupId)
    if (typeof coordinated === 'number') return coordinated
    const group = coordinated.groups.get(groupId)
    if (group === undefined) return errorCode.GROUP_ID_NOT_FOUND
    if (group.state !== 'Empty') return errorCode.NON_EMPTY_GROUP
    const timestampMs = this.#broker.clock.wallMs()
    const keys = [...(coordinated.offsets.get(groupId)?.keys() ?? [])].map(splitPartition)
    const records = keys.map(({ topic, partition }) => ({
      key: encodeStored(offsetCommitKey, 1, { group: groupId, topic, partition }),
      value: null,
      timestampMs,
    }))
    records.push({ key: encodeStored(groupMetadataKey, 2, { group: groupId }), value: null, timestampMs })
    const error = await this.#append(groupId, records)
    if (error !== errorCode.NONE) return commitErrors.get(error) ?? error
    group.end(errorCode.COORDINATOR_NOT_AVAILABLE)
    coordinated.groups.delete(groupId)
    coordinated.offsets.delete(groupId)
    return errorCode.NONE
  }

  async #expireOffsets(): Promise<void> {
    const retentionMs = this.#broker.settings.values['offsets.retention.minutes']! * 60_000
    const nowMs = this.#broker.clock.wallMs()
    for (const { isLoaded, groups, offsets } of [...this.#partitions.values()]) {
      if (!isLoaded) continue
      for (const [groupId, stored] of [...offsets]) {
        const group = groups.get(groupId)
        if (group !== undefined && group.state !== 'Empty') continue
        const sinceMs = (commit: CommittedOffset) =>
          Math.max(commit.commitTimestampMs, group?.protocolType == null ? 0 : group.stateSinceMs)
        const expired = [...stored]
          .filter(([, commit]) => nowMs - sinceMs(commit) >= retentionMs)
          .map(([key]) => splitPartition(key))
        if (expired.length > 0) await this.deleteOffsets(groupId, expired)
        if (stored.size === 0 && group !== undefined) await this.deleteGroup(groupId)
      }
    }
  }

  // ---- the log ------------------------------------------------------------------------------------------------------------------

  async #persist(group: Group): Promise<number> {
    const timestampMs = this.#broker.clock.wallMs()
    const value = encodeStored(groupMetadataValue, groupMetadataVersion, {
      protocolType: group.protocolType ?? '',
      generation: group.generation,
      protocol: group.protocol,
      leader: group.leader,
      currentStateTimestamp: timestampMs,
      members: [...group.members.values()].map(member => ({
        memberId: member.id,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeout: member.rebalanceTimeoutMs,
        sessionTimeout: member.sessionTimeoutMs,
        subscription: group.metadataOf(member),
        assignment: member.assignment,
      })),
    })
    const error = await this.#append(group.id, [
      { key: encodeStored(groupMetadataKey, 2, { group: group.id }), value, timestampMs },
    ])
    return groupErrors.get(error) ?? error
  }

  async #append(
    groupId: string,
    records: readonly { key: Buffer; value: Buffer | null; timestampMs: number }[],
  ): Promise<number> {
    const { replicas, settings } = this.#broker
    const outcome = await replicas.append({
      topic: offsetsTopic,
      partition: this.partitionFor(groupId),
      records: buildBatch({ records }),
      acks: -1,
      timeoutMs: settings.values['offsets.commit.timeout.ms']!,
      origin: 'coordinator',
    })
    return outcome.errorCode
  }

  #takeOver(index: number, epoch: number): void {
    const known = this.#partitions.get(index)
    if (known !== undefined && known.epoch >= epoch) return
    if (known?.isLoaded) {
      known.epoch = epoch
      return
    }
    const coordinated: Coordinated = { epoch, isLoaded: false, groups: new Map(), offsets: new Map() }
    this.#partitions.set(index, coordinated)
    background(this.#load(index, coordinated), error => {
      this.#log.error(`${offsetsTopic}-${index} could not be loaded`, error)
      this.#partitions.delete(index)
    })
  }

  /** Reads the partition from its start: the newest record of each key is what holds. */
  async #load(index: number, coordinated: Coordinated): Promise<void> {
    const partition = this.#broker.replicas.partition(offsetsTopic, index)
    if (partition === null) return
    const { log } = partition
    const maxBytes = this.#broker.settings.values['offsets.load.buffer.size']!
    for (
      let offset = log.logStartOffset;
      offset < log.logEndOffset && this.#partitions.get(index) === coordinated;
    ) {
      const pieces = await log.read(offset, maxBytes, log.logEndOffset)
      if (pieces.length === 0) break
      for (const piece of pieces) {
        for (const record of decodeRecords(piece)) {
          offset = record.offset + 1
          if (record.key !== null) this.#replay(coordinated, record.key, record.value)
        }
      }
    }
    coordinated.isLoaded = true
    const count = coordinated.groups.size
    if (count > 0) this.#log.info(`Loaded ${count} groups from ${offsetsTopic}-${index}`)
  }

  #replay(coordinated: Coordinated, key: Buffer, value: Buffer | null): void {
    const version = key.readInt16BE(0)
    if (version <= 1) {
      const { group, topic, partition } = decodeStored(offsetCommitKey, key).value
      const stored = coordinated.offsets.get(group) ?? new Map<string, CommittedOffset>()
      coordinated.offsets.set(group, stored)
      if (value === null) {
        stored.delete(`${topic} ${partition}`)
        return
      }
      const { offset, leaderEpoch, metadata, commitTimestamp } = decodeStored(offsetCommitValue, value).value
      stored.set(`${topic} ${partition}`, {
        offset,
        leaderEpoch,
        metadata,
        commitTimestampMs: commitTimestamp,
      })
      if (!coordinated.groups.has(group)) this.#create(coordinated, group)
    } else if (version === 2) {
      const { group: groupId } = decodeStored(groupMetadataKey, key).value
      coordinated.groups.delete(groupId)
      if (value !== null) this.#restore(coordinated, groupId, value)
    } else {
      this.#log.warn(
        `A record of key version ${version} in ${offsetsTopic} is of a newer kind and is passed over`,
      )
    }
  }

  #restore(coordinated: Coordinated, groupId: string, bytes: Buffer): void {
    const saved = decodeStored(groupMetadataValue, bytes).value
    this.#create(coordinated, groupId).restore(
      {
        generation: saved.generation,
        protocolType: saved.protocolType,
        protocol: saved.protocol,
        leader: saved.leader,
        stateSinceMs: saved.currentStateTimestamp,
        members: saved.members.map(member => ({
          id: member.memberId,
          groupInstanceId: member.groupInstanceId,
          clientId: member.clientId,
          clientHost: member.clientHost,
          sessionTimeoutMs: member.sessionTimeout,
          rebalanceTimeoutMs: member.rebalanceTimeout < 0 ? member.sessionTimeout : member.rebalanceTimeout,
          protocols: [{ name: saved.protocol ?? '', metadata: Buffer.from(member.subscription) }],
          assignment: Buffer.from(member.assignment),
        })),
      },
      this.#broker.clock.monotonicMs(),
    )
  }

  #letGo(index: number, epoch: number): void {
    const coordinated = this.#partitions.get(index)
    if (coordinated === undefined || coordinated.epoch > epoch) return
    this.#partitions.delete(index)
    for (const group of coordinated.groups.values()) group.end(errorCode.NOT_COORDINATOR)
  }
}

/** What a failed write means to whoever commits offsets. */
const commitErrors = new Map<number, number>([
  [errorCode.UNKNOWN_TOPIC_OR_PARTITION, errorCode.COORDINATOR_NOT_AVAILABLE],
  [errorCode.NOT_ENOUGH_REPLICAS, errorCode.COORDINATOR_NOT_AVAILABLE],
  [errorCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND, errorCode.COORDINATOR_NOT_AVAILABLE],
  [errorCode.NOT_LEADER_OR_FOLLOWER, errorCode.NOT_COORDINATOR],
  [errorCode.KAFKA_STORAGE_ERROR, errorCode.NOT_COORDINATOR],
  [errorCode.MESSAGE_TOO_LARGE, errorCode.INVALID_COMMIT_OFFSET_SIZE],
  [errorCode.RECORD_LIST_TOO_LARGE, errorCode.INVALID_COMMIT_OFFSET_SIZE],
])

/** What it means to members waiting for their assignment. */
const groupErrors = new Map<number, number>([
  ...commitErrors,
  [errorCode.REQUEST_TIMED_OUT, errorCode.REBALANCE_IN_PROGRESS],
  [errorCode.MESSAGE_TOO_LARGE, errorCode.UNKNOWN_SERVER_ERROR],
  [errorCode.RECORD_LIST_TOO_LARGE, errorCode.UNKNOWN_SERVER_ERROR],
])

export function splitPartition(key: string): { topic: string; partition: number } {
  const blank = key.lastIndexOf(' ')
  return { topic: key.slice(0, blank), partition: Number(key.slice(blank + 1)) }
}

/** 8-4-4-4-12, as Java prints a uuid. */
function uuidText(bytes: Buffer): string {
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

import {
  type Api,
  consumerGroupDescribe,
  consumerProtocolAssignment,
  decodeStored,
  deleteGroups,
  describeGroups,
  errorCode,
  leaveGroup,
  listGroups,
  offsetCommit,
  offsetDelete,
  offsetFetch,
} from '@vivarium/kafka-protocol'
import type { Cluster } from './cluster.ts'
import { byTopicAndPartition, type TopicPartition } from './offsets.ts'
import { check, ServerError } from './server-error.ts'

export interface ListedGroup {
  id: string
  protocolType: string
  /** `Stable`, `Empty` …; empty where brokers do not say. */
  state: string
  /** `Classic` or `Consumer`. */
  type: string
}

export interface GroupMember {
  memberId: string
  instanceId: string | null
  clientId: string
  /** With the leading slash that brokers put before it. */
  host: string
  assignment: TopicPartition[]
}

export interface GroupDescription {
  id: string
  state: string
  assignor: string
  coordinator: { id: number; host: string; port: number }
  members: GroupMember[]
}

/** Groups of every broker, sorted by name. `states` and `types` narrow them down; empty means all. */
export async function groupsOf(
  cluster: Cluster,
  states: readonly string[] = [],
  types: readonly string[] = [],
): Promise<ListedGroup[]> {
  const { brokers } = await cluster.metadata([])
  const found = new Map<string, ListedGroup>()
  for (const { nodeId } of brokers) {
    const answer = await cluster.retry(async () => {
      const outcome = await cluster.broker(nodeId, listGroups, {
        ...(states.length > 0 && { statesFilter: [...states] }),
        ...(types.length > 0 && { typesFilter: [...types] }),
      })
      check(outcome.errorCode)
      return outcome
    })
    for (const { groupId, protocolType, groupState, groupType } of answer.groups)
      found.set(groupId, {
        id: groupId,
        protocolType,
        state: groupState,
        type: capitalised(groupType === '' ? 'classic' : groupType),
      })
  }
  return [...found.values()]
    .filter(({ protocolType }) => protocolType === 'consumer' || protocolType === '')
    .sort((a, b) => (a.id < b.id ? -1 : 1))
}

function capitalised(word: string): string {
  return `${word.slice(0, 1).toUpperCase()}${word.slice(1).toLowerCase()}`
}

/** Null if there is no such group. */
export async function describeGroup(cluster: Cluster, id: string): Promise<GroupDescription | null> {
  return cluster.retry(async () => {
    const coordinator = await cluster.groupCoordinator(id)
    return (
      (await describeNewStyle(cluster, id, coordinator)) ?? (await describeClassic(cluster, id, coordinator))
    )
  })
}

/** A group of KIP-848's protocol; null if the group is none, or brokers have none. */
async function describeNewStyle(
  cluster: Cluster,
  id: string,
  coordinator: GroupDescription['coordinator'],
): Promise<GroupDescription | null> {
  if (!cluster.supports(consumerGroupDescribe)) return null
  const answer = await cluster.broker(coordinator.id, consumerGroupDescribe, {
    groupIds: [id],
    includeAuthorizedOperations: false,
  })
  const group = answer.groups[0]
  const isOther: readonly number[] = [errorCode.GROUP_ID_NOT_FOUND, errorCode.UNSUPPORTED_VERSION]
  if (group === undefined || isOther.includes(group.errorCode)) return null
  check(group.errorCode, group.errorMessage)
  return {
    id,
    state: group.groupState,
    assignor: group.assignorName,
    coordinator,
    members: group.members.map(member => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      clientId: member.clientId,
      host: member.clientHost,
      assignment: member.assignment.topicPartitions
        .flatMap(({ topicName, partitions }) =>
          partitions.map(partition => ({ topic: topicName, partition })),
        )
        .sort(byTopicAndPartition),
    })),
  }
}

async function describeClassic(
  cluster: Cluster,
  id: string,
  coordinator: GroupDescription['coordinator'],
): Promise<GroupDescription | null> {
  const { groups } = await cluster.broker(coordinator.id, describeGroups, {
    groups: [id],
    includeAuthorizedOperations: false,
  })
  const group = groups[0]
  if (group === undefined || group.errorCode === errorCode.GROUP_ID_NOT_FOUND) return null
  check(group.errorCode, group.errorMessage)
  if (group.groupState === 'Dead') return null
  return {
    id,
    state: group.groupState,
    assignor: group.protocolData,
    coordinator,
    members: group.members.map(member => ({
      memberId: member.memberId,
      instanceId: member.groupInstanceId,
      clientId: member.clientId,
      host: member.clientHost,
      assignment: assignmentIn(member.memberAssignment),
    })),
  }
}

function assignmentIn(bytes: Buffer): TopicPartition[] {
  if (bytes.length === 0) return []
  const { value } = decodeStored(consumerProtocolAssignment, bytes)
  return value.assignedPartitions
    .flatMap(({ topic, partitions }) => partitions.map(partition => ({ topic, partition })))
    .sort(byTopicAndPartition)
}

export interface CommittedOffset extends TopicPartition {
  offset: number
}

/** What a group has committed, by topic and partition. */
export async function committedOffsets(cluster: Cluster, id: string): Promise<CommittedOffset[]> {
  return cluster.retry(async () => {
    const coordinator = await cluster.groupCoordinator(id)
    const connection = await cluster.connection(coordinator.id)
    // From version 10 on topics are named by id.
    const version = Math.min(9, connection.versionOf(offsetFetch as unknown as Api))
    const answer = await connection.request(
      offsetFetch,
      version >= 8
        ? { groups: [{ groupId: id, topics: null }], requireStable: false }
        : { groupId: id, topics: null, requireStable: false },
      { timeoutMs: cluster.options.requestTimeoutMs, version },
    )
    const group = version >= 8 ? answer.groups[0] : answer
    if (group === undefined) return []
    check(group.errorCode)
    return group.topics
      .flatMap(({ name, partitions }) =>
        partitions
          .filter(({ errorCode: code, committedOffset }) => code === errorCode.NONE && committedOffset >= 0)
          .map(({ partitionIndex, committedOffset }) => ({
            topic: name,
            partition: partitionIndex,
            offset: committedOffset,
          })),
      )
      .sort(byTopicAndPartition)
  })
}

/** Sets the committed offsets of a group without members. */
export async function setOffsets(
  cluster: Cluster,
  id: string,
  offsets: readonly CommittedOffset[],
): Promise<void> {
  await cluster.retry(async () => {
    const coordinator = await cluster.groupCoordinator(id)
    const connection = await cluster.connection(coordinator.id)
    const version = Math.min(9, connection.versionOf(offsetCommit as unknown as Api))
    const answer = await connection.request(
      offsetCommit,
      {
        groupId: id,
        generationIdOrMemberEpoch: -1,
        memberId: '',
        topics: [...Map.groupBy(offsets, ({ topic }) => topic)].map(([name, list]) => ({
          name,
          partitions: list.map(({ partition, offset }) => ({
            partitionIndex: partition,
            committedOffset: offset,
            committedLeaderEpoch: -1,
            committedMetadata: '',
          })),
        })),
      },
      { timeoutMs: cluster.options.requestTimeoutMs, version },
    )
    for (const { partitions } of answer.topics) for (const { errorCode: code } of partitions) check(code)
  })
}

/** Outcome of each partition whose committed offset was to be forgotten: an error code. */
export async function deleteOffsets(
  cluster: Cluster,
  id: string,
  partitions: readonly TopicPartition[],
): Promise<(TopicPartition & { code: number })[]> {
  return cluster.retry(async () => {
    const coordinator = await cluster.groupCoordinator(id)
    const answer = await cluster.broker(coordinator.id, offsetDelete, {
      groupId: id,
      topics: [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, list]) => ({
        name,
        partitions: list.map(({ partition }) => ({ partitionIndex: partition })),
      })),
    })
    check(answer.errorCode)
    return answer.topics.flatMap(({ name, partitions: results }) =>
      results.map(({ partitionIndex, errorCode: code }) => ({
        topic: name,
        partition: partitionIndex,
        code,
      })),
    )
  })
}

/** Tells a group that a member will not come back, so that it need not wait for its session to end. */
export async function removeMember(cluster: Cluster, id: string, memberId: string): Promise<void> {
  await cluster.retry(async () => {
    const coordinator = await cluster.groupCoordinator(id)
    const connection = await cluster.connection(coordinator.id)
    const version = connection.versionOf(leaveGroup as unknown as Api)
    const answer = await connection.request(
      leaveGroup,
      version >= 3 ? { groupId: id, members: [{ memberId }] } : { groupId: id, memberId },
      { timeoutMs: cluster.options.requestTimeoutMs, version },
    )
    const codes = [answer.errorCode, ...answer.members.map(member => member.errorCode)]
    for (const code of codes) if (code !== errorCode.UNKNOWN_MEMBER_ID) check(code)
  })
}

/** Null if the group was deleted, or why not. */
export async function deleteGroup(cluster: Cluster, id: string): Promise<ServerError | null> {
  try {
    await cluster.retry(async () => {
      const coordinator = await cluster.groupCoordinator(id)
      const answer = await cluster.broker(coordinator.id, deleteGroups, { groupsNames: [id] })
      for (const { errorCode: code, errorMessage } of answer.results) check(code, errorMessage)
    })
    return null
  } catch (error) {
    if (error instanceof ServerError) return error
    throw error
  }
}

import type { CommandIo } from '../io.ts'
import type { Cluster } from './cluster.ts'
import { committedOffsets, type GroupDescription } from './groups.ts'
import { byTopicAndPartition, latest, offsetsAt, partitionName, type TopicPartition } from './offsets.ts'
import { columnWidth, row } from './table.ts'
import { ToolError } from './tool.ts'

// Columns and widths are those of Apache's kafka-consumer-groups: scripts cut them apart.

interface OffsetRow extends TopicPartition {
  offset: number | null
  consumerId: string
  host: string
  clientId: string
}

/** Committed offset, end and lag of every partition a group has committed in or reads. */
export async function printOffsets(cluster: Cluster, group: GroupDescription, io: CommandIo): Promise<void> {
  const rows = new Map<string, OffsetRow>()
  for (const entry of await committedOffsets(cluster, group.id))
    rows.set(partitionName(entry), { ...entry, consumerId: '-', host: '-', clientId: '-' })
  for (const { memberId, host, clientId, assignment } of group.members)
    for (const place of assignment) {
      const offset = rows.get(partitionName(place))?.offset ?? null
      rows.set(partitionName(place), { ...place, offset, consumerId: memberId, host, clientId })
    }
  const sorted = [...rows.values()].sort(byTopicAndPartition)
  const ends = await endsOf(cluster, sorted)
  const widths = [
    columnWidth(15, [group.id]),
    columnWidth(
      15,
      sorted.map(({ topic }) => topic),
    ),
    10,
    15,
    15,
    15,
    columnWidth(
      15,
      sorted.map(({ consumerId }) => consumerId),
    ),
    columnWidth(
      15,
      sorted.map(({ host }) => host),
    ),
    0,
  ]
  if (sorted.length === 0) return
  io.stdout.write(
    `\n${row(widths, ['GROUP', 'TOPIC', 'PARTITION', 'CURRENT-OFFSET', 'LOG-END-OFFSET', 'LAG', 'CONSUMER-ID', 'HOST', 'CLIENT-ID'])}`,
  )
  for (const { topic, partition, offset, consumerId, host, clientId } of sorted) {
    const end = ends.get(partitionName({ topic, partition }))
    const lag = end === undefined || offset === null ? '-' : end - offset
    io.stdout.write(
      row(widths, [group.id, topic, partition, offset ?? '-', end ?? '-', lag, consumerId, host, clientId]),
    )
  }
}

/** Ends by partition; one that cannot be had (its topic is gone, it has no leader) is missing. */
async function endsOf(cluster: Cluster, rows: readonly TopicPartition[]): Promise<Map<string, number>> {
  const ends = new Map<string, number>()
  for (const list of Map.groupBy(rows, ({ topic }) => topic).values()) {
    try {
      for (const [name, end] of await offsetsAt(cluster, list, latest)) ends.set(name, end)
    } catch (error) {
      if (!(error instanceof ToolError)) throw error
    }
  }
  return ends
}

export function printMembers(groups: readonly GroupDescription[], isVerbose: boolean, io: CommandIo): void {
  for (const { id, members } of groups) {
    const hasInstances = members.some(({ instanceId }) => instanceId !== null)
    const widths = [
      columnWidth(15, [id]),
      columnWidth(
        15,
        members.map(({ memberId }) => memberId),
      ),
      ...(hasInstances
        ? [
            columnWidth(
              17,
              members.map(({ instanceId }) => instanceId ?? ''),
            ),
          ]
        : []),
      columnWidth(
        15,
        members.map(({ host }) => host),
      ),
      columnWidth(
        15,
        members.map(({ clientId }) => clientId),
      ),
      15,
      0,
    ]
    const instanceHeading = hasInstances ? ['GROUP-INSTANCE-ID'] : []
    const last = isVerbose ? ['ASSIGNMENT'] : []
    const heading = ['GROUP', 'CONSUMER-ID', ...instanceHeading, 'HOST', 'CLIENT-ID', '#PARTITIONS', ...last]
    io.stdout.write(`\n${row(widths, heading)}`)
    for (const { memberId, instanceId, host, clientId, assignment } of members) {
      const cells = [id, memberId, ...(hasInstances ? [instanceId ?? ''] : []), host, clientId]
      const assigned = isVerbose ? [assignmentText(assignment)] : []
      io.stdout.write(row(widths, [...cells, assignment.length, ...assigned]))
    }
  }
}

/** `orders(0,1), payments(2)`; `-` for nothing. */
function assignmentText(assignment: readonly TopicPartition[]): string {
  if (assignment.length === 0) return '-'
  return [...Map.groupBy(assignment, ({ topic }) => topic)]
    .map(([topic, list]) => `${topic}(${list.map(({ partition }) => partition).join(',')})`)
    .join(', ')
}

export function printStates(groups: readonly GroupDescription[], io: CommandIo): void {
  for (const { id, state, assignor, coordinator, members } of groups) {
    const place = `${coordinator.host}:${coordinator.port}  (${coordinator.id})`
    const widths = [columnWidth(25, [id]), columnWidth(25, [place]), 20, 15, 0]
    io.stdout.write(
      `\n${row(widths, ['GROUP', 'COORDINATOR (ID)', 'ASSIGNMENT-STRATEGY', 'STATE', '#MEMBERS'])}`,
    )
    io.stdout.write(row(widths, [id, place, assignor, state, members.length]))
  }
}

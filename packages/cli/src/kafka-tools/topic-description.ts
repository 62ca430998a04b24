export interface PartitionDescription {
  index: number
  /** Null: no leader. */
  leader: number | null
  replicas: readonly number[]
  isr: readonly number[]
  /** Replicas that a reassignment in progress adds and takes away. */
  adding: readonly number[]
  removing: readonly number[]
}

export interface TopicDescription {
  name: string
  /** Null where the topic has none. */
  topicId: string | null
  partitions: readonly PartitionDescription[]
  /** Overrides of the defaults, in the order they are printed. */
  configs: ReadonlyMap<string, string>
  isMarkedForDeletion?: boolean
}

export function topicLine(topic: TopicDescription): string {
  const { name, topicId, partitions, configs } = topic
  const first = partitions[0]
  const replicationFactor = first === undefined ? 0 : first.replicas.length - first.adding.length
  const cells = [
    `Topic: ${name}`,
    ...(topicId === null ? [] : [`TopicId: ${topicId}`]),
    `PartitionCount: ${partitions.length}`,
    `ReplicationFactor: ${replicationFactor}`,
    `Configs: ${[...configs].map(([key, value]) => `${key}=${value}`).join(',')}`,
    ...(topic.isMarkedForDeletion ? ['MarkedForDeletion: true'] : []),
  ]
  return `${cells.join('\t')}\n`
}

/** `withElr`: whether eligible leader replicas are named (KIP-966), which clusters with ZooKeeper do not have. */
export function partitionLine(
  topic: TopicDescription,
  partition: PartitionDescription,
  withElr: boolean,
): string {
  const { index, leader, replicas, isr, adding, removing } = partition
  const cells = [
    `\tTopic: ${topic.name}`,
    `Partition: ${index}`,
    `Leader: ${leader ?? 'none'}`,
    `Replicas: ${replicas.join(',')}`,
    `Isr: ${isr.join(',')}`,
    ...(adding.length + removing.length > 0
      ? [`Adding Replicas: ${adding.join(',')}`, `Removing Replicas: ${removing.join(',')}`]
      : []),
    ...(withElr ? ['Elr: N/A', 'LastKnownElr: N/A'] : []),
    ...(topic.isMarkedForDeletion ? ['MarkedForDeletion: true'] : []),
  ]
  return `${cells.join('\t')}\n`
}

/** Which partitions `--describe` is narrowed to. */
export type PartitionFilter = 'under-replicated' | 'unavailable' | 'under-min-isr' | 'at-min-isr'

export function passes(
  filter: PartitionFilter,
  partition: PartitionDescription,
  liveBrokers: ReadonlySet<number>,
  minIsr: number,
): boolean {
  const { leader, isr, replicas, adding } = partition
  switch (filter) {
    case 'under-replicated':
      return isr.length < replicas.length - adding.length
    case 'unavailable':
      return leader === null || !liveBrokers.has(leader)
    case 'under-min-isr':
      return isr.length < minIsr
    case 'at-min-isr':
      return isr.length === minIsr
  }
}

/** What `--describe` prints: with filters only the partitions that pass one of them. */
export function describe(
  topics: readonly TopicDescription[],
  options: {
    filters: readonly PartitionFilter[]
    onlyOverridden: boolean
    liveBrokers: ReadonlySet<number>
    minIsrOf: (topic: TopicDescription) => number
    withElr: boolean
  },
): string {
  const { filters, onlyOverridden, liveBrokers, minIsrOf, withElr } = options
  let text = ''
  for (const topic of topics) {
    if (onlyOverridden && topic.configs.size === 0) continue
    if (filters.length === 0) text += topicLine(topic)
    if (onlyOverridden) continue
    for (const partition of topic.partitions) {
      const isWanted =
        filters.length === 0 ||
        filters.some(filter => passes(filter, partition, liveBrokers, minIsrOf(topic)))
      if (isWanted) text += partitionLine(topic, partition, withElr)
    }
  }
  return text
}

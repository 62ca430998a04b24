import { paths, readConfig, readPartitionState, writePartitionState } from '../metadata/zookeeper-layout.ts'
import type { ControlBatch } from './control-batch.ts'
import type { ControlledPartition, ControllerContext, Leadership } from './controller-context.ts'
import { type Deciding, read, type SingleWrite, write, type Znode, znodeCode } from './effects.ts'
import { elect, type Strategy } from './leader-election.ts'

/** What became of one partition that was to get a leader. */
export type ElectionOutcome =
  | { kind: 'elected' }
  /** Nobody qualifies. */
  | { kind: 'no-candidate' }
  /** Another controller is at work, or ZooKeeper refused. */
  | { kind: 'failed'; reason: string }

/** Each round meets somebody else's write; more than a few mean that something is badly wrong. */
const maxRounds = 10

/** Gives partitions a leader: new ones their first, the others the one `strategy` finds. */
export function* bringOnline(
  context: ControllerContext,
  batch: ControlBatch,
  partitions: readonly ControlledPartition[],
  strategy: Strategy,
): Deciding<Map<ControlledPartition, ElectionOutcome>> {
  const outcomes = new Map<ControlledPartition, ElectionOutcome>()
  const existing = partitions.filter(({ status }) => status === 'online' || status === 'offline')
  const fresh = partitions.filter(({ status }) => status === 'new')
  // A partition that turns out to have a state already is treated like any other that has one.
  existing.push(...(yield* initialize(context, batch, fresh, outcomes)))
  yield* electLeaders(context, batch, existing, strategy, outcomes)
  return outcomes
}

/** Gives partitions that never had a leader their first one; gives those that had one after all. */
function* initialize(
  context: ControllerContext,
  batch: ControlBatch,
  partitions: readonly ControlledPartition[],
  outcomes: Map<ControlledPartition, ElectionOutcome>,
): Deciding<ControlledPartition[]> {
  const writes: SingleWrite[] = []
  const started: { partition: ControlledPartition; leadership: Leadership; result: number }[] = []
  const topics = new Set<string>()
  for (const partition of partitions) {
    const { topic, index } = partition
    const live = partition.replicas.filter(broker => context.isOnline(partition, broker))
    if (live.length === 0) {
      outcomes.set(partition, { kind: 'no-candidate' })
      continue
    }
    const leadership = {
      leader: live[0]!,
      leaderEpoch: 0,
      isr: live,
      leaderRecoveryState: 0,
      controllerEpoch: context.epoch,
      partitionEpoch: 0,
    }
    if (!topics.has(topic)) writes.push({ op: 'create', path: paths.partitions(topic), data: null })
    topics.add(topic)
    writes.push({ op: 'create', path: paths.partition(topic, index), data: null })
    started.push({ partition, leadership, result: writes.length })
    writes.push({
      op: 'create',
      path: paths.partitionState(topic, index),
      data: writePartitionState(leadership),
    })
  }
  const results = yield* write(writes)
  const met: ControlledPartition[] = []
  for (const { partition, leadership, result } of started) {
    const { code } = results[result]!
    if (code === znodeCode.OK) {
      partition.leadership = leadership
      partition.status = 'online'
      outcomes.set(partition, { kind: 'elected' })
      batch.addLeaderAndIsr(leadership.isr, partition, true)
    } else if (code === znodeCode.NODEEXISTS) {
      met.push(partition)
    } else {
      outcomes.set(partition, { kind: 'failed', reason: `ZooKeeper answered ${code}` })
    }
  }
  // Either an earlier controller made it, or this one did and lost the connection before the answer.
  for (const partition of met) partition.status = 'offline'
  yield* refresh(context, met, outcomes)
  return met.filter(partition => !outcomes.has(partition))
}

function* electLeaders(
  context: ControllerContext,
  batch: ControlBatch,
  partitions: readonly ControlledPartition[],
  strategy: Strategy,
  outcomes: Map<ControlledPartition, ElectionOutcome>,
): Deciding<void> {
  let left = [...partitions]
  const unclean = strategy.kind === 'offline' ? yield* uncleanTopics(context, left) : new Set<string>()
  const asked: Strategy =
    strategy.kind === 'offline'
      ? {
          kind: 'offline',
          isUncleanAllowed: partition => strategy.isUncleanAllowed(partition) || unclean.has(partition.topic),
        }
      : strategy
  for (let round = 0; left.length > 0 && round < maxRounds; round++) {
    left = yield* refresh(context, left, outcomes)
    const chosen: { partition: ControlledPartition; next: Leadership; recipients: readonly number[] }[] = []
    for (const partition of left) {
      const election = elect(context, partition, partition.leadership!, asked)
      if (election === null) {
        outcomes.set(partition, { kind: 'no-candidate' })
        continue
      }
      if (election.isUnclean) {
        context.note(
          `No broker in ISR ${partition.leadership!.isr.join(',')} of ${partition} is alive: electing ${election.leader} from its replicas; records may be lost`,
        )
      }
      const next = {
        ...partition.leadership!,
        leader: election.leader,
        isr: election.isr,
        leaderRecoveryState: election.leaderRecoveryState,
        leaderEpoch: partition.leadership!.leaderEpoch + 1,
        controllerEpoch: context.epoch,
      }
      chosen.push({ partition, next, recipients: election.recipients })
    }
    const results = yield* storeLeaderships(chosen)
    left = []
    for (const [index, { partition, recipients }] of chosen.entries()) {
      const code = results[index]!
      if (code === znodeCode.OK) {
        partition.status = 'online'
        outcomes.set(partition, { kind: 'elected' })
        batch.addLeaderAndIsr(recipients, partition, false)
      } else if (code === znodeCode.BADVERSION) {
        left.push(partition)
      } else {
        outcomes.set(partition, { kind: 'failed', reason: `ZooKeeper answered ${code}` })
      }
    }
  }
  for (const partition of left) {
    outcomes.set(partition, { kind: 'failed', reason: `its state changed ${maxRounds} times meanwhile` })
  }
}

/** Reads the states anew; gives the partitions this controller may decide about. */
export function* refresh(
  context: ControllerContext,
  partitions: readonly ControlledPartition[],
  outcomes?: Map<ControlledPartition, ElectionOutcome>,
): Deciding<ControlledPartition[]> {
  const states = yield* read(partitions.map(({ topic, index }) => paths.partitionState(topic, index)))
  return partitions.filter((partition, at) => {
    const problem = adopt(context, partition, states[at] ?? null)
    if (problem !== null) outcomes?.set(partition, { kind: 'failed', reason: problem })
    return problem === null
  })
}

/** Takes over a state as stored; gives what forbids to go on from it. */
export function adopt(
  context: ControllerContext,
  partition: ControlledPartition,
  znode: Znode | null,
): string | null {
  if (znode === null) return 'it has no state in ZooKeeper'
  const state = readPartitionState(partition.topic, partition.index, znode.data)
  if (state.controllerEpoch > context.epoch) {
    return `a controller of epoch ${state.controllerEpoch} has written its state; this one has ${context.epoch}`
  }
  partition.leadership = { ...state, partitionEpoch: znode.version }
  return null
}

/** Writes new leaderships, each only over the version known here; those that succeed are taken over. Gives the codes. */
export function* storeLeaderships(
  changes: readonly { partition: ControlledPartition; next: Leadership }[],
): Deciding<number[]> {
  const results = yield* write(
    changes.map(({ partition: { topic, index, leadership }, next }) => ({
      op: 'set',
      path: paths.partitionState(topic, index),
      data: writePartitionState(next),
      version: leadership!.partitionEpoch,
    })),
  )
  return changes.map(({ partition, next }, at) => {
    const { code, version } = results[at]!
    if (code === znodeCode.OK) partition.leadership = { ...next, partitionEpoch: version }
    return code
  })
}

/** Topics among those of `partitions` that would rather lose records than have no leader. */
function* uncleanTopics(
  context: ControllerContext,
  partitions: readonly ControlledPartition[],
): Deciding<Set<string>> {
  const dark = partitions.filter(
    partition => !(partition.leadership?.isr.some(broker => context.isOnline(partition, broker)) ?? true),
  )
  const topics = [...new Set(dark.map(({ topic }) => topic))]
  const configs = yield* read(topics.map(topic => paths.config('topics', topic)))
  return new Set(
    topics.filter((topic, at) => {
      const own = readConfig(paths.config('topics', topic), configs[at]?.data ?? null)
      const setting = own['unclean.leader.election.enable']
      return setting === undefined ? context.settings.uncleanLeaderElection : setting === 'true'
    }),
  )
}

export const cleanOnly: Strategy = { kind: 'offline', isUncleanAllowed: () => false }

/** Tries to give a leader to every partition that has none, but for topics that are to be deleted. */
export function* bringAllOnline(context: ControllerContext, batch: ControlBatch): Deciding<void> {
  const dark = [...context.partitions()].filter(
    ({ status, topic }) => (status === 'offline' || status === 'new') && !context.isDeleting(topic),
  )
  const outcomes = yield* bringOnline(context, batch, dark, cleanOnly)
  for (const [partition, outcome] of outcomes) {
    if (outcome.kind === 'failed')
      context.note(`Electing a leader for ${partition} failed: ${outcome.reason}`)
  }
}

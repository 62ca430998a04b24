import type { ControlledPartition, ControllerContext, Leadership } from './controller-context.ts'

/** Why a leader is chosen, which decides who may be one. */
export type Strategy =
  | { kind: 'offline'; isUncleanAllowed: (partition: ControlledPartition) => boolean }
  | { kind: 'reassignment' }
  | { kind: 'preferred' }
  | { kind: 'controlled-shutdown' }

export interface Election {
  leader: number
  isr: readonly number[]
  leaderRecoveryState: number
  /** Who is to be told by LeaderAndIsr. */
  recipients: readonly number[]
  isUnclean: boolean
}

/** The partition's next leader and ISR, given the present ones; null if nobody qualifies. */
export function elect(
  context: ControllerContext,
  partition: ControlledPartition,
  present: Leadership,
  strategy: Strategy,
): Election | null {
  const { replicas } = partition
  const { isr } = present
  const { leaderRecoveryState } = present
  const isOnline = (broker: number) => context.isOnline(partition, broker)
  const isInSync = (broker: number) => isr.includes(broker)
  switch (strategy.kind) {
    case 'offline': {
      const recipients = replicas.filter(isOnline)
      const leader = recipients.find(isInSync)
      if (leader !== undefined) {
        return { leader, isr: isr.filter(isOnline), leaderRecoveryState, recipients, isUnclean: false }
      }
      const unclean = recipients[0]
      if (unclean === undefined || !strategy.isUncleanAllowed(partition)) return null
      return { leader: unclean, isr: [unclean], leaderRecoveryState: 1, recipients, isUnclean: true }
    }
    case 'reassignment': {
      const recipients = partition.target
      const leader = recipients.find(broker => isOnline(broker) && isInSync(broker))
      return leader === undefined ? null : { leader, isr, leaderRecoveryState, recipients, isUnclean: false }
    }
    case 'preferred': {
      const leader = replicas[0]
      if (leader === undefined || !isOnline(leader) || !isInSync(leader)) return null
      return { leader, isr, leaderRecoveryState, recipients: replicas, isUnclean: false }
    }
    case 'controlled-shutdown': {
      const recipients = replicas.filter(broker => context.isOnline(partition, broker, true))
      const leader = recipients.find(broker => isInSync(broker) && !context.shuttingDown.has(broker))
      if (leader === undefined) return null
      const remaining = isr.filter(broker => !context.shuttingDown.has(broker))
      return { leader, isr: remaining, leaderRecoveryState, recipients, isUnclean: false }
    }
  }
}

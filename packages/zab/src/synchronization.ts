/** A committed transaction of the leader. */
export interface CommittedTxn {
  readonly zxid: bigint
  readonly entry: Uint8Array
}

/** How a learner that last logged some transaction is brought to the leader's history. */
export type SyncPlan =
  /** The learner keeps all it has; `txns` follow. `zxid`: what the leader has committed. */
  | { mode: 'diff'; zxid: bigint; txns: readonly CommittedTxn[] }
  /** The learner drops what lies behind `zxid`; `txns` follow. */
  | { mode: 'trunc'; zxid: bigint; txns: readonly CommittedTxn[] }
  | { mode: 'snap' }
  /** The memory does not reach back far enough: read the log files from `fromZxid` and plan with `continuePlan`. */
  | { mode: 'read-log'; fromZxid: bigint }

/**
 * Chooses DIFF, TRUNC or SNAP. `memory` is the leader's newest committed transactions without a gap up to
 * `lastProcessed`; it may be empty. Source: LearnerHandler.syncFollower.
 */
export function planSync(
  peerLastZxid: bigint,
  memory: readonly CommittedTxn[],
  lastProcessed: bigint,
  mayReadLog: boolean,
): SyncPlan {
  const oldest = memory[0]?.zxid ?? lastProcessed
  const newest = memory.at(-1)?.zxid ?? lastProcessed
  if (peerLastZxid === lastProcessed) return { mode: 'diff', zxid: peerLastZxid, txns: [] }
  // A learner at the very start of an epoch has logged nothing of it: there is nothing to cut.
  if (peerLastZxid > newest && !isEpochStart(peerLastZxid)) return { mode: 'trunc', zxid: newest, txns: [] }
  if (peerLastZxid >= oldest && peerLastZxid <= newest) return planFrom(peerLastZxid, memory)
  if (peerLastZxid > newest) return { mode: 'diff', zxid: newest, txns: [] }
  return mayReadLog ? { mode: 'read-log', fromZxid: peerLastZxid } : { mode: 'snap' }
}

/** Plans from transactions read off the log: they begin at or before the learner's last one, without a gap; null if not. */
export function continuePlan(peerLastZxid: bigint, txns: readonly CommittedTxn[] | null): SyncPlan {
  if (txns === null || txns.length === 0) return { mode: 'snap' }
  return planFrom(peerLastZxid, txns)
}

function planFrom(peerLastZxid: bigint, txns: readonly CommittedTxn[]): SyncPlan {
  const newest = txns.at(-1)!.zxid
  const index = txns.findIndex(txn => txn.zxid >= peerLastZxid)
  const first = txns[index]
  if (first === undefined) return { mode: 'snap' }
  if (first.zxid === peerLastZxid) return { mode: 'diff', zxid: newest, txns: txns.slice(index + 1) }
  if (isEpochStart(peerLastZxid)) return { mode: 'diff', zxid: newest, txns: txns.slice(index) }
  const before = txns[index - 1]
  // What the learner has behind the common part was never committed: it goes. Not across epochs: Apache's learners cannot.
  if (before !== undefined && first.zxid >> 32n === peerLastZxid >> 32n) {
    return { mode: 'trunc', zxid: before.zxid, txns: txns.slice(index) }
  }
  return { mode: 'snap' }
}

function isEpochStart(zxid: bigint): boolean {
  return (zxid & 0xffff_ffffn) === 0n
}

import type { Address, Clock, Log, Network } from '@vivarium/platform'
import type { Sid } from '@vivarium/zab'
import { formatZxid } from '@vivarium/zookeeper-protocol'
import type { LogDamage } from '../persistence/log-repair.ts'
import { borrow, CannotBorrow, maxLentBytes } from './log-lending.ts'
import type { Mending, Replica } from './replica.ts'

/** More than a record usually has. */
const mostRecordBytes = 2 * 1024 * 1024

export interface Mender {
  readonly myId: Sid
  readonly network: Network
  readonly clock: Clock
  readonly log: Log
  isOver(): boolean
}

/**
 * Of the records that a damaged log lacks any whole copy is right: a zxid names one transaction only. So each of the others
 * is asked, whatever state it is in, for one damage after another. True if everything could be loaded then.
 */
export async function mendFromOthers(
  replica: Replica,
  others: ReadonlyMap<Sid, readonly Address[]>,
  mender: Mender,
): Promise<boolean> {
  let mendedUpTo: LogDamage | null = null
  for (let { damage } = replica; damage !== null && !mender.isOver(); { damage } = replica) {
    const { path, start, end, before } = damage
    const lost = end > start ? `${end - start} bytes` : 'what stood'
    const place = `${lost} at position ${start} of ${path}, behind transaction 0x${formatZxid(before)}`
    if (mendedUpTo?.path === path && start < Math.max(mendedUpTo.end, mendedUpTo.start + 1)) {
      mender.log.error(`Damaged again: ${place}. The disk does not keep what is written there`)
      return false
    }
    const found = await askEach(replica, damage, others, mender)
    if (found === null) {
      mender.log.warn(`Damaged: ${place}. No server has what stood there; all are asked again`)
      return false
    }
    mender.log.info(`Mended with what server ${found.lender} had: ${place}`)
    if (found.outcome === 'whole') return true
    mendedUpTo = damage
  }
  return false
}

/** The server whose records fit, and what came of them; null if nobody's do. */
async function askEach(
  replica: Replica,
  { before, start, end, last, isAtEnd }: LogDamage,
  others: ReadonlyMap<Sid, readonly Address[]>,
  mender: Mender,
): Promise<{ lender: Sid; outcome: Mending } | null> {
  if (end - start > maxLentBytes) return null
  const missing = last === null ? 1 : Number(last - before)
  const maxBytes = Math.min(end - start + (isAtEnd ? missing * mostRecordBytes : 0), maxLentBytes)
  for (const [lender, addresses] of others) {
    if (mender.isOver()) return null
    try {
      const records = await borrow(mender, addresses, { sid: mender.myId, before, maxBytes })
      const outcome = await replica.mend(records)
      if (outcome !== 'unfit') return { lender, outcome }
    } catch (error) {
      if (!(error instanceof CannotBorrow)) throw error
      mender.log.info(`Server ${lender} lends nothing: ${error.message}`)
    }
  }
  return null
}

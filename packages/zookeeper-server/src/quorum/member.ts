import type { Clock, Log, Network } from '@vivarium/platform'
import type { QuorumRule, Sid } from '@vivarium/zab'
import type { PeerAddress } from '../settings.ts'
import type { Replica } from './replica.ts'

/** What leading and following need to know of this server and its world. */
export interface MemberContext {
  readonly myId: Sid
  readonly own: PeerAddress
  readonly rule: QuorumRule
  readonly replica: Replica
  readonly network: Network
  readonly clock: Clock
  readonly log: Log
  readonly tickMs: number
  readonly initLimit: number
  readonly syncLimit: number
  readonly connectRetryMs: number
  readonly listenOnAll: boolean
  /** How much of the log may be read for a learner that the memory does not cover; 0: none. */
  readonly logSyncBytes: number
  /** The members, as clients read them at /zookeeper/config. */
  readonly configText: string
  /** The log of this server could not be cut where a leader wanted it: it must be sent a whole database. */
  readonly needsDatabase: boolean
  databaseNeeded(isNeeded: boolean): void
  /** The epoch is established here: later joiners must be told so. */
  established(epoch: bigint): void
  /** This server cannot go on. */
  onFailure(error: Error): void
}

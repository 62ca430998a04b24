import type { Clock, Log, Network } from '@vivarium/platform'
import type { Sid } from '@vivarium/zab'
import type { Configuration, Peer } from './configuration.ts'
import type { Membership } from './membership.ts'
import type { Replica } from './replica.ts'

/** What leading and following need to know of this server and its world. */
export interface MemberContext {
  readonly myId: Sid
  readonly own: Peer
  readonly membership: Membership
  /** Carries out what the ensemble has agreed on. True if this server's role or leader changed with it. */
  activate(configuration: Configuration, nextLeader: Sid | null): boolean
  readonly replica: Replica
  readonly network: Network
  readonly clock: Clock
  readonly log: Log
  readonly tickMs: number
  readonly initLimit: number
  readonly syncLimit: number
  readonly connectRetryMs: number
  readonly listenOnAll: boolean
  /** Where a follower serves observers (0: nowhere), and how many bytes each of them may lag behind. */
  readonly observerMaster: { port: number; sizeLimit: number }
  /** What a reconfiguration may ask for. */
  readonly reconfigurable: { fewestVoters: number; mayHaveSeveralAddresses: boolean }
  /** How much of the log may be read for a learner that the memory does not cover; 0: none. */
  readonly logSyncBytes: number
  /** The log of this server could not be cut where a leader wanted it: it must be sent a whole database. */
  readonly needsDatabase: boolean
  databaseNeeded(isNeeded: boolean): void
  /** The epoch is established here: later joiners must be told so. */
  established(epoch: bigint): void
  /** This server cannot go on. */
  onFailure(error: Error): void
}

export {
  Election,
  type ElectionEffects,
  type ElectionOptions,
  type Electorate,
  type Notification,
  type PeerState,
  peerState,
  type Vote,
} from './election.ts'
export { Leader, type LeaderEffects, type LeaderHistory, type Reconfiguration } from './leader.ts'
export {
  type FromLeader,
  Learner,
  type LearnerEffects,
  LearnerError,
  type LearnerHistory,
  type Work,
} from './learner.ts'
export { hierarchical, majority, type QuorumRule, type Sid } from './quorum.ts'
export { type CommittedTxn, continuePlan, planSync, type SyncPlan } from './synchronization.ts'

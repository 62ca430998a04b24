import type { Api } from '../schema.ts'
import { produce } from './00-produce.ts'
import { fetch } from './01-fetch.ts'
import { listOffsets } from './02-list-offsets.ts'
import { metadata } from './03-metadata.ts'
import { leaderAndIsr } from './04-leader-and-isr.ts'
import { stopReplica } from './05-stop-replica.ts'
import { updateMetadata } from './06-update-metadata.ts'
import { controlledShutdown } from './07-controlled-shutdown.ts'
import { offsetCommit } from './08-offset-commit.ts'
import { offsetFetch } from './09-offset-fetch.ts'
import { findCoordinator } from './10-find-coordinator.ts'
import { joinGroup } from './11-join-group.ts'
import { heartbeat } from './12-heartbeat.ts'
import { leaveGroup } from './13-leave-group.ts'
import { syncGroup } from './14-sync-group.ts'
import { describeGroups } from './15-describe-groups.ts'
import { listGroups } from './16-list-groups.ts'
import { saslHandshake } from './17-sasl-handshake.ts'
import { apiVersions } from './18-api-versions.ts'
import { createTopics } from './19-create-topics.ts'
import { deleteTopics } from './20-delete-topics.ts'
import { deleteRecords } from './21-delete-records.ts'
import { initProducerId } from './22-init-producer-id.ts'
import { offsetForLeaderEpoch } from './23-offset-for-leader-epoch.ts'
import { addPartitionsToTxn } from './24-add-partitions-to-txn.ts'
import { addOffsetsToTxn } from './25-add-offsets-to-txn.ts'
import { endTxn } from './26-end-txn.ts'
import { writeTxnMarkers } from './27-write-txn-markers.ts'
import { txnOffsetCommit } from './28-txn-offset-commit.ts'
import { describeAcls } from './29-describe-acls.ts'
import { createAcls } from './30-create-acls.ts'
import { deleteAcls } from './31-delete-acls.ts'
import { describeConfigs } from './32-describe-configs.ts'
import { alterConfigs } from './33-alter-configs.ts'
import { alterReplicaLogDirs } from './34-alter-replica-log-dirs.ts'
import { describeLogDirs } from './35-describe-log-dirs.ts'
import { saslAuthenticate } from './36-sasl-authenticate.ts'
import { createPartitions } from './37-create-partitions.ts'
import { createDelegationToken } from './38-create-delegation-token.ts'
import { renewDelegationToken } from './39-renew-delegation-token.ts'
import { expireDelegationToken } from './40-expire-delegation-token.ts'
import { describeDelegationToken } from './41-describe-delegation-token.ts'
import { deleteGroups } from './42-delete-groups.ts'
import { electLeaders } from './43-elect-leaders.ts'
import { incrementalAlterConfigs } from './44-incremental-alter-configs.ts'
import { alterPartitionReassignments } from './45-alter-partition-reassignments.ts'
import { listPartitionReassignments } from './46-list-partition-reassignments.ts'
import { offsetDelete } from './47-offset-delete.ts'
import { describeClientQuotas } from './48-describe-client-quotas.ts'
import { alterClientQuotas } from './49-alter-client-quotas.ts'
import { describeUserScramCredentials } from './50-describe-user-scram-credentials.ts'
import { alterUserScramCredentials } from './51-alter-user-scram-credentials.ts'
import { alterPartition } from './56-alter-partition.ts'
import { updateFeatures } from './57-update-features.ts'
import { envelope } from './58-envelope.ts'
import { describeCluster } from './60-describe-cluster.ts'
import { describeProducers } from './61-describe-producers.ts'
import { describeTransactions } from './65-describe-transactions.ts'
import { listTransactions } from './66-list-transactions.ts'
import { allocateProducerIds } from './67-allocate-producer-ids.ts'
import { consumerGroupHeartbeat } from './68-consumer-group-heartbeat.ts'
import { consumerGroupDescribe } from './69-consumer-group-describe.ts'

export { type ProduceRequest, type ProduceResponse, produce } from './00-produce.ts'
export { type FetchRequest, type FetchResponse, fetch } from './01-fetch.ts'
export { type ListOffsetsRequest, type ListOffsetsResponse, listOffsets } from './02-list-offsets.ts'
export { type MetadataRequest, type MetadataResponse, metadata } from './03-metadata.ts'
export { type LeaderAndIsrRequest, type LeaderAndIsrResponse, leaderAndIsr } from './04-leader-and-isr.ts'
export { type StopReplicaRequest, type StopReplicaResponse, stopReplica } from './05-stop-replica.ts'
export {
  type UpdateMetadataRequest,
  type UpdateMetadataResponse,
  updateMetadata,
} from './06-update-metadata.ts'
export {
  type ControlledShutdownRequest,
  type ControlledShutdownResponse,
  controlledShutdown,
} from './07-controlled-shutdown.ts'
export { type OffsetCommitRequest, type OffsetCommitResponse, offsetCommit } from './08-offset-commit.ts'
export { type OffsetFetchRequest, type OffsetFetchResponse, offsetFetch } from './09-offset-fetch.ts'
export {
  type FindCoordinatorRequest,
  type FindCoordinatorResponse,
  findCoordinator,
} from './10-find-coordinator.ts'
export { type JoinGroupRequest, type JoinGroupResponse, joinGroup } from './11-join-group.ts'
export { type HeartbeatRequest, type HeartbeatResponse, heartbeat } from './12-heartbeat.ts'
export { type LeaveGroupRequest, type LeaveGroupResponse, leaveGroup } from './13-leave-group.ts'
export { type SyncGroupRequest, type SyncGroupResponse, syncGroup } from './14-sync-group.ts'
export {
  type DescribeGroupsRequest,
  type DescribeGroupsResponse,
  describeGroups,
} from './15-describe-groups.ts'
export { type ListGroupsRequest, type ListGroupsResponse, listGroups } from './16-list-groups.ts'
export { type SaslHandshakeRequest, type SaslHandshakeResponse, saslHandshake } from './17-sasl-handshake.ts'
export { type ApiVersionsRequest, type ApiVersionsResponse, apiVersions } from './18-api-versions.ts'
export { type CreateTopicsRequest, type CreateTopicsResponse, createTopics } from './19-create-topics.ts'
export { type DeleteTopicsRequest, type DeleteTopicsResponse, deleteTopics } from './20-delete-topics.ts'
export { type DeleteRecordsRequest, type DeleteRecordsResponse, deleteRecords } from './21-delete-records.ts'
export {
  type InitProducerIdRequest,
  type InitProducerIdResponse,
  initProducerId,
} from './22-init-producer-id.ts'
export {
  type OffsetForLeaderEpochRequest,
  type OffsetForLeaderEpochResponse,
  offsetForLeaderEpoch,
} from './23-offset-for-leader-epoch.ts'
export {
  type AddPartitionsToTxnRequest,
  type AddPartitionsToTxnResponse,
  addPartitionsToTxn,
} from './24-add-partitions-to-txn.ts'
export {
  type AddOffsetsToTxnRequest,
  type AddOffsetsToTxnResponse,
  addOffsetsToTxn,
} from './25-add-offsets-to-txn.ts'
export { type EndTxnRequest, type EndTxnResponse, endTxn } from './26-end-txn.ts'
export {
  type WriteTxnMarkersRequest,
  type WriteTxnMarkersResponse,
  writeTxnMarkers,
} from './27-write-txn-markers.ts'
export {
  type TxnOffsetCommitRequest,
  type TxnOffsetCommitResponse,
  txnOffsetCommit,
} from './28-txn-offset-commit.ts'
export { type DescribeAclsRequest, type DescribeAclsResponse, describeAcls } from './29-describe-acls.ts'
export { type CreateAclsRequest, type CreateAclsResponse, createAcls } from './30-create-acls.ts'
export { type DeleteAclsRequest, type DeleteAclsResponse, deleteAcls } from './31-delete-acls.ts'
export {
  type DescribeConfigsRequest,
  type DescribeConfigsResponse,
  describeConfigs,
} from './32-describe-configs.ts'
export { type AlterConfigsRequest, type AlterConfigsResponse, alterConfigs } from './33-alter-configs.ts'
export {
  type AlterReplicaLogDirsRequest,
  type AlterReplicaLogDirsResponse,
  alterReplicaLogDirs,
} from './34-alter-replica-log-dirs.ts'
export {
  type DescribeLogDirsRequest,
  type DescribeLogDirsResponse,
  describeLogDirs,
} from './35-describe-log-dirs.ts'
export {
  type SaslAuthenticateRequest,
  type SaslAuthenticateResponse,
  saslAuthenticate,
} from './36-sasl-authenticate.ts'
export {
  type CreatePartitionsRequest,
  type CreatePartitionsResponse,
  createPartitions,
} from './37-create-partitions.ts'
export {
  type CreateDelegationTokenRequest,
  type CreateDelegationTokenResponse,
  createDelegationToken,
} from './38-create-delegation-token.ts'
export {
  type RenewDelegationTokenRequest,
  type RenewDelegationTokenResponse,
  renewDelegationToken,
} from './39-renew-delegation-token.ts'
export {
  type ExpireDelegationTokenRequest,
  type ExpireDelegationTokenResponse,
  expireDelegationToken,
} from './40-expire-delegation-token.ts'
export {
  type DescribeDelegationTokenRequest,
  type DescribeDelegationTokenResponse,
  describeDelegationToken,
} from './41-describe-delegation-token.ts'
export { type DeleteGroupsRequest, type DeleteGroupsResponse, deleteGroups } from './42-delete-groups.ts'
export { type ElectLeadersRequest, type ElectLeadersResponse, electLeaders } from './43-elect-leaders.ts'
export {
  type IncrementalAlterConfigsRequest,
  type IncrementalAlterConfigsResponse,
  incrementalAlterConfigs,
} from './44-incremental-alter-configs.ts'
export {
  type AlterPartitionReassignmentsRequest,
  type AlterPartitionReassignmentsResponse,
  alterPartitionReassignments,
} from './45-alter-partition-reassignments.ts'
export {
  type ListPartitionReassignmentsRequest,
  type ListPartitionReassignmentsResponse,
  listPartitionReassignments,
} from './46-list-partition-reassignments.ts'
export { type OffsetDeleteRequest, type OffsetDeleteResponse, offsetDelete } from './47-offset-delete.ts'
export {
  type DescribeClientQuotasRequest,
  type DescribeClientQuotasResponse,
  describeClientQuotas,
} from './48-describe-client-quotas.ts'
export {
  type AlterClientQuotasRequest,
  type AlterClientQuotasResponse,
  alterClientQuotas,
} from './49-alter-client-quotas.ts'
export {
  type DescribeUserScramCredentialsRequest,
  type DescribeUserScramCredentialsResponse,
  describeUserScramCredentials,
} from './50-describe-user-scram-credentials.ts'
export {
  type AlterUserScramCredentialsRequest,
  type AlterUserScramCredentialsResponse,
  alterUserScramCredentials,
} from './51-alter-user-scram-credentials.ts'
export {
  type AlterPartitionRequest,
  type AlterPartitionResponse,
  alterPartition,
} from './56-alter-partition.ts'
export {
  type UpdateFeaturesRequest,
  type UpdateFeaturesResponse,
  updateFeatures,
} from './57-update-features.ts'
export { type EnvelopeRequest, type EnvelopeResponse, envelope } from './58-envelope.ts'
export {
  type DescribeClusterRequest,
  type DescribeClusterResponse,
  describeCluster,
} from './60-describe-cluster.ts'
export {
  type DescribeProducersRequest,
  type DescribeProducersResponse,
  describeProducers,
} from './61-describe-producers.ts'
export {
  type DescribeTransactionsRequest,
  type DescribeTransactionsResponse,
  describeTransactions,
} from './65-describe-transactions.ts'
export {
  type ListTransactionsRequest,
  type ListTransactionsResponse,
  listTransactions,
} from './66-list-transactions.ts'
export {
  type AllocateProducerIdsRequest,
  type AllocateProducerIdsResponse,
  allocateProducerIds,
} from './67-allocate-producer-ids.ts'
export {
  type ConsumerGroupHeartbeatRequest,
  type ConsumerGroupHeartbeatResponse,
  consumerGroupHeartbeat,
} from './68-consumer-group-heartbeat.ts'
export {
  type ConsumerGroupDescribeRequest,
  type ConsumerGroupDescribeResponse,
  consumerGroupDescribe,
} from './69-consumer-group-describe.ts'

const all: readonly Api[] = [
  produce,
  fetch,
  listOffsets,
  metadata,
  leaderAndIsr,
  stopReplica,
  updateMetadata,
  controlledShutdown,
  offsetCommit,
  offsetFetch,
  findCoordinator,
  joinGroup,
  heartbeat,
  leaveGroup,
  syncGroup,
  describeGroups,
  listGroups,
  saslHandshake,
  apiVersions,
  createTopics,
  deleteTopics,
  deleteRecords,
  initProducerId,
  offsetForLeaderEpoch,
  addPartitionsToTxn,
  addOffsetsToTxn,
  endTxn,
  writeTxnMarkers,
  txnOffsetCommit,
  describeAcls,
  createAcls,
  deleteAcls,
  describeConfigs,
  alterConfigs,
  alterReplicaLogDirs,
  describeLogDirs,
  saslAuthenticate,
  createPartitions,
  createDelegationToken,
  renewDelegationToken,
  expireDelegationToken,
  describeDelegationToken,
  deleteGroups,
  electLeaders,
  incrementalAlterConfigs,
  alterPartitionReassignments,
  listPartitionReassignments,
  offsetDelete,
  describeClientQuotas,
  alterClientQuotas,
  describeUserScramCredentials,
  alterUserScramCredentials,
  alterPartition,
  updateFeatures,
  envelope,
  describeCluster,
  describeProducers,
  describeTransactions,
  listTransactions,
  allocateProducerIds,
  consumerGroupHeartbeat,
  consumerGroupDescribe,
]

/** Every API that is declared, by key. */
export const apis: ReadonlyMap<number, Api> = new Map(all.map(one => [one.key, one]))

export function apiByKey(key: number): Api | null {
  return apis.get(key) ?? null
}

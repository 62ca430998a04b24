export {
  type ConsumerProtocolAssignment,
  consumerProtocolAssignment,
} from './consumer-protocol-assignment.ts'
export {
  type ConsumerProtocolSubscription,
  consumerProtocolSubscription,
} from './consumer-protocol-subscription.ts'
export { type EndTxnMarker, endTxnMarker } from './end-txn-marker.ts'
export { type GroupMetadataKey, groupMetadataKey } from './group-metadata-key.ts'
export { type GroupMetadataValue, groupMetadataValue } from './group-metadata-value.ts'
export { type OffsetCommitKey, offsetCommitKey } from './offset-commit-key.ts'
export { type OffsetCommitValue, offsetCommitValue } from './offset-commit-value.ts'
export { type TransactionLogKey, transactionLogKey } from './transaction-log-key.ts'
export { type TransactionLogValue, transactionLogValue } from './transaction-log-value.ts'

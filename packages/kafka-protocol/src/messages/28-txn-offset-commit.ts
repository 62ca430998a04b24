import { api, array, type Infer, int16, int32, int64, string, uuid } from '../schema.ts'

/** Source: TxnOffsetCommitRequest.json, TxnOffsetCommitResponse.json. */
export const txnOffsetCommit = api(
  { key: 28, name: 'TxnOffsetCommit', versions: [0, 6], flexibleFrom: 3 },
  {
    transactionalId: string(),
    groupId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    generationIdOrMemberEpoch: int32({ since: 3, default: -1 }),
    memberId: string({ since: 3 }),
    groupInstanceId: string({ since: 3, nullableSince: 3, default: null }),
    topics: array({
      name: string({ until: 5, ignorable: true }),
      topicId: uuid({ since: 6, ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        committedOffset: int64(),
        committedLeaderEpoch: int32({ since: 2, default: -1, ignorable: true }),
        committedMetadata: string({ nullableSince: 0 }),
      }),
    }),
  },
  {
    throttleTimeMs: int32(),
    topics: array({
      name: string({ until: 5, ignorable: true }),
      topicId: uuid({ since: 6, ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
)
export type TxnOffsetCommitRequest = Infer<typeof txnOffsetCommit.request>
export type TxnOffsetCommitResponse = Infer<typeof txnOffsetCommit.response>

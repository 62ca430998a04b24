import { api, array, type Infer, int16, int32, int64, string, uuid } from '../schema.ts'

/** Source: OffsetCommitRequest.json, OffsetCommitResponse.json. */
export const offsetCommit = api(
  { key: 8, name: 'OffsetCommit', versions: [0, 10], flexibleFrom: 8 },
  {
    groupId: string(),
    generationIdOrMemberEpoch: int32({ since: 1, default: -1, ignorable: true }),
    memberId: string({ since: 1, ignorable: true }),
    groupInstanceId: string({ since: 7, nullableSince: 7, default: null }),
    retentionTimeMs: int64({ since: 2, until: 4, default: -1, ignorable: true }),
    topics: array({
      name: string({ until: 9, ignorable: true }),
      topicId: uuid({ since: 10, ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        committedOffset: int64(),
        committedLeaderEpoch: int32({ since: 6, default: -1, ignorable: true }),
        commitTimestamp: int64({ since: 1, until: 1, default: -1 }),
        committedMetadata: string({ nullableSince: 0 }),
      }),
    }),
  },
  {
    throttleTimeMs: int32({ since: 3, ignorable: true }),
    topics: array({
      name: string({ until: 9, ignorable: true }),
      topicId: uuid({ since: 10, ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
)
export type OffsetCommitRequest = Infer<typeof offsetCommit.request>
export type OffsetCommitResponse = Infer<typeof offsetCommit.response>

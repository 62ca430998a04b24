import { api, array, type Infer, int16, int32, int64, string } from '../schema.ts'

/** Source: OffsetForLeaderEpochRequest.json, OffsetForLeaderEpochResponse.json. */
export const offsetForLeaderEpoch = api(
  { key: 23, name: 'OffsetForLeaderEpoch', versions: [0, 4], flexibleFrom: 4 },
  {
    replicaId: int32({ since: 3, default: -2, ignorable: true }),
    topics: array({
      topic: string(),
      partitions: array({
        partition: int32(),
        currentLeaderEpoch: int32({ since: 2, default: -1, ignorable: true }),
        leaderEpoch: int32(),
      }),
    }),
  },
  {
    throttleTimeMs: int32({ since: 2, ignorable: true }),
    topics: array({
      topic: string(),
      partitions: array({
        errorCode: int16(),
        partition: int32(),
        leaderEpoch: int32({ since: 1, default: -1, ignorable: true }),
        endOffset: int64({ default: -1 }),
      }),
    }),
  },
)
export type OffsetForLeaderEpochRequest = Infer<typeof offsetForLeaderEpoch.request>
export type OffsetForLeaderEpochResponse = Infer<typeof offsetForLeaderEpoch.response>

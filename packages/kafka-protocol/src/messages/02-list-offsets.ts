import { api, array, type Infer, int8, int16, int32, int64, string } from '../schema.ts'

/** Source: ListOffsetsRequest.json, ListOffsetsResponse.json. */
export const listOffsets = api(
  { key: 2, name: 'ListOffsets', versions: [0, 11], flexibleFrom: 6 },
  {
    replicaId: int32(),
    isolationLevel: int8({ since: 2 }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        currentLeaderEpoch: int32({ since: 4, default: -1, ignorable: true }),
        timestamp: int64(),
        maxNumOffsets: int32({ until: 0, default: 1 }),
      }),
    }),
    timeoutMs: int32({ since: 10, ignorable: true }),
  },
  {
    throttleTimeMs: int32({ since: 2, ignorable: true }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        oldStyleOffsets: array(int64(), { until: 0 }),
        timestamp: int64({ since: 1, default: -1 }),
        offset: int64({ since: 1, default: -1 }),
        leaderEpoch: int32({ since: 4, default: -1 }),
      }),
    }),
  },
)
export type ListOffsetsRequest = Infer<typeof listOffsets.request>
export type ListOffsetsResponse = Infer<typeof listOffsets.response>

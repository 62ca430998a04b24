import { api, array, type Infer, int16, int32, int64, string } from '../schema.ts'

/** Source: DeleteRecordsRequest.json, DeleteRecordsResponse.json. */
export const deleteRecords = api(
  { key: 21, name: 'DeleteRecords', versions: [0, 2], flexibleFrom: 2 },
  {
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        offset: int64(),
      }),
    }),
    timeoutMs: int32(),
  },
  {
    throttleTimeMs: int32(),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        lowWatermark: int64(),
        errorCode: int16(),
      }),
    }),
  },
)
export type DeleteRecordsRequest = Infer<typeof deleteRecords.request>
export type DeleteRecordsResponse = Infer<typeof deleteRecords.response>

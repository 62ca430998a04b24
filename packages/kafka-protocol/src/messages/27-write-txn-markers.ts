import { api, array, bool, type Infer, int8, int16, int32, int64, string } from '../schema.ts'

/** Source: WriteTxnMarkersRequest.json, WriteTxnMarkersResponse.json. */
export const writeTxnMarkers = api(
  { key: 27, name: 'WriteTxnMarkers', versions: [0, 2], flexibleFrom: 1 },
  {
    markers: array({
      producerId: int64(),
      producerEpoch: int16(),
      transactionResult: bool(),
      topics: array({
        name: string(),
        partitionIndexes: array(int32()),
      }),
      coordinatorEpoch: int32(),
      transactionVersion: int8({ since: 2, ignorable: true }),
    }),
  },
  {
    markers: array({
      producerId: int64(),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
        }),
      }),
    }),
  },
)
export type WriteTxnMarkersRequest = Infer<typeof writeTxnMarkers.request>
export type WriteTxnMarkersResponse = Infer<typeof writeTxnMarkers.response>

import { api, array, type Infer, int16, int32, int64, string } from '../schema.ts'

/** Source: DescribeProducersRequest.json, DescribeProducersResponse.json. */
export const describeProducers = api(
  { key: 61, name: 'DescribeProducers', versions: [0, 0], flexibleFrom: 0 },
  {
    topics: array({
      name: string(),
      partitionIndexes: array(int32()),
    }),
  },
  {
    throttleTimeMs: int32(),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullableSince: 0, default: null }),
        activeProducers: array({
          producerId: int64(),
          producerEpoch: int32(),
          lastSequence: int32({ default: -1 }),
          lastTimestamp: int64({ default: -1 }),
          coordinatorEpoch: int32(),
          currentTxnStartOffset: int64({ default: -1 }),
        }),
      }),
    }),
  },
)
export type DescribeProducersRequest = Infer<typeof describeProducers.request>
export type DescribeProducersResponse = Infer<typeof describeProducers.response>

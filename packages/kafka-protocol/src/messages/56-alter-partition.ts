import { api, array, type Infer, int8, int16, int32, int64, string, uuid } from '../schema.ts'

/** Source: AlterPartitionRequest.json, AlterPartitionResponse.json. */
export const alterPartition = api(
  { key: 56, name: 'AlterPartition', versions: [0, 3], flexibleFrom: 0 },
  {
    brokerId: int32(),
    brokerEpoch: int64({ default: -1 }),
    topics: array({
      topicName: string({ until: 1, ignorable: true }),
      topicId: uuid({ since: 2, ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        leaderEpoch: int32(),
        newIsr: array(int32(), { until: 2 }),
        newIsrWithEpochs: array(
          {
            brokerId: int32({ since: 3 }),
            brokerEpoch: int64({ since: 3, default: -1 }),
          },
          { since: 3 },
        ),
        leaderRecoveryState: int8({ since: 1 }),
        partitionEpoch: int32(),
      }),
    }),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    topics: array({
      topicName: string({ until: 1, ignorable: true }),
      topicId: uuid({ since: 2, ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        leaderId: int32(),
        leaderEpoch: int32(),
        isr: array(int32()),
        leaderRecoveryState: int8({ since: 1, ignorable: true }),
        partitionEpoch: int32(),
      }),
    }),
  },
)
export type AlterPartitionRequest = Infer<typeof alterPartition.request>
export type AlterPartitionResponse = Infer<typeof alterPartition.response>

import { array, type Infer, int8, int16, int32, int64, stored, string } from '../schema.ts'

/** Source: TransactionLogValue.json. */
export const transactionLogValue = stored(
  { name: 'TransactionLogValue', versions: [0, 1], flexibleFrom: 1 },
  {
    producerId: int64(),
    previousProducerId: int64({ since: 1, default: -1, tag: 0, taggedSince: 1 }),
    nextProducerId: int64({ since: 1, default: -1, tag: 1, taggedSince: 1 }),
    producerEpoch: int16(),
    nextProducerEpoch: int16({ since: 1, default: -1, tag: 3, taggedSince: 1 }),
    transactionTimeoutMs: int32(),
    transactionStatus: int8(),
    transactionPartitions: array(
      {
        topic: string(),
        partitionIds: array(int32()),
      },
      { nullableSince: 0 },
    ),
    transactionLastUpdateTimestampMs: int64(),
    transactionStartTimestampMs: int64(),
    clientTransactionVersion: int16({ since: 1, tag: 2, taggedSince: 1 }),
  },
)
export type TransactionLogValue = Infer<typeof transactionLogValue.fields>

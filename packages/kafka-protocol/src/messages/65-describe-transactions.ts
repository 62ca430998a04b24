import { api, array, type Infer, int16, int32, int64, string } from '../schema.ts'

/** Source: DescribeTransactionsRequest.json, DescribeTransactionsResponse.json. */
export const describeTransactions = api(
  { key: 65, name: 'DescribeTransactions', versions: [0, 0], flexibleFrom: 0 },
  {
    transactionalIds: array(string()),
  },
  {
    throttleTimeMs: int32(),
    transactionStates: array({
      errorCode: int16(),
      transactionalId: string(),
      transactionState: string(),
      transactionTimeoutMs: int32(),
      transactionStartTimeMs: int64(),
      producerId: int64(),
      producerEpoch: int16(),
      topics: array({
        topic: string(),
        partitions: array(int32()),
      }),
    }),
  },
)
export type DescribeTransactionsRequest = Infer<typeof describeTransactions.request>
export type DescribeTransactionsResponse = Infer<typeof describeTransactions.response>

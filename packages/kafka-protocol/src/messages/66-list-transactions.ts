import { api, array, type Infer, int16, int32, int64, string } from '../schema.ts'

/** Source: ListTransactionsRequest.json, ListTransactionsResponse.json. */
export const listTransactions = api(
  { key: 66, name: 'ListTransactions', versions: [0, 2], flexibleFrom: 0 },
  {
    stateFilters: array(string()),
    producerIdFilters: array(int64()),
    durationFilter: int64({ since: 1, default: -1 }),
    transactionalIdPattern: string({ since: 2, nullableSince: 2, default: null }),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    unknownStateFilters: array(string()),
    transactionStates: array({
      transactionalId: string(),
      producerId: int64(),
      transactionState: string(),
    }),
  },
)
export type ListTransactionsRequest = Infer<typeof listTransactions.request>
export type ListTransactionsResponse = Infer<typeof listTransactions.response>

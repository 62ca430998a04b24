import { type Infer, stored, string } from '../schema.ts'

/** Source: TransactionLogKey.json. */
export const transactionLogKey = stored(
  { name: 'TransactionLogKey', versions: [0, 0], flexibleFrom: null },
  {
    transactionalId: string(),
  },
)
export type TransactionLogKey = Infer<typeof transactionLogKey.fields>

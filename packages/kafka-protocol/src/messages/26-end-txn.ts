import { api, bool, type Infer, int16, int32, int64, string } from '../schema.ts'

/** Source: EndTxnRequest.json, EndTxnResponse.json. */
export const endTxn = api(
  { key: 26, name: 'EndTxn', versions: [0, 5], flexibleFrom: 3 },
  {
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    committed: bool(),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    producerId: int64({ since: 5, default: -1, ignorable: true }),
    producerEpoch: int16({ since: 5, default: -1, ignorable: true }),
  },
)
export type EndTxnRequest = Infer<typeof endTxn.request>
export type EndTxnResponse = Infer<typeof endTxn.response>

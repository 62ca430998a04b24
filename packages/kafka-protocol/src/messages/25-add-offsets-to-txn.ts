import { api, type Infer, int16, int32, int64, string } from '../schema.ts'

/** Source: AddOffsetsToTxnRequest.json, AddOffsetsToTxnResponse.json. */
export const addOffsetsToTxn = api(
  { key: 25, name: 'AddOffsetsToTxn', versions: [0, 4], flexibleFrom: 3 },
  {
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    groupId: string(),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
  },
)
export type AddOffsetsToTxnRequest = Infer<typeof addOffsetsToTxn.request>
export type AddOffsetsToTxnResponse = Infer<typeof addOffsetsToTxn.response>

import { api, bool, type Infer, int16, int32, int64, string } from '../schema.ts'

/** Source: InitProducerIdRequest.json, InitProducerIdResponse.json. */
export const initProducerId = api(
  { key: 22, name: 'InitProducerId', versions: [0, 6], flexibleFrom: 2 },
  {
    transactionalId: string({ nullableSince: 0 }),
    transactionTimeoutMs: int32(),
    producerId: int64({ since: 3, default: -1 }),
    producerEpoch: int16({ since: 3, default: -1 }),
    enable2Pc: bool({ since: 6 }),
    keepPreparedTxn: bool({ since: 6 }),
  },
  {
    throttleTimeMs: int32({ ignorable: true }),
    errorCode: int16(),
    producerId: int64({ default: -1 }),
    producerEpoch: int16(),
    ongoingTxnProducerId: int64({ since: 6, default: -1 }),
    ongoingTxnProducerEpoch: int16({ since: 6, default: -1 }),
  },
)
export type InitProducerIdRequest = Infer<typeof initProducerId.request>
export type InitProducerIdResponse = Infer<typeof initProducerId.response>

import { api, type Infer, int16, int32, int64 } from '../schema.ts'

/** Source: AllocateProducerIdsRequest.json, AllocateProducerIdsResponse.json. */
export const allocateProducerIds = api(
  { key: 67, name: 'AllocateProducerIds', versions: [0, 0], flexibleFrom: 0 },
  {
    brokerId: int32(),
    brokerEpoch: int64({ default: -1 }),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    producerIdStart: int64(),
    producerIdLen: int32(),
  },
)
export type AllocateProducerIdsRequest = Infer<typeof allocateProducerIds.request>
export type AllocateProducerIdsResponse = Infer<typeof allocateProducerIds.response>

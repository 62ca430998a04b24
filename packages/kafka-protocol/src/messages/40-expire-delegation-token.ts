import { api, bytes, type Infer, int16, int32, int64 } from '../schema.ts'

/** Source: ExpireDelegationTokenRequest.json, ExpireDelegationTokenResponse.json. */
export const expireDelegationToken = api(
  { key: 40, name: 'ExpireDelegationToken', versions: [0, 2], flexibleFrom: 2 },
  {
    hmac: bytes(),
    expiryTimePeriodMs: int64(),
  },
  {
    errorCode: int16(),
    expiryTimestampMs: int64(),
    throttleTimeMs: int32(),
  },
)
export type ExpireDelegationTokenRequest = Infer<typeof expireDelegationToken.request>
export type ExpireDelegationTokenResponse = Infer<typeof expireDelegationToken.response>

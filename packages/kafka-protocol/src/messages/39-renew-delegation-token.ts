import { api, bytes, type Infer, int16, int32, int64 } from '../schema.ts'

/** Source: RenewDelegationTokenRequest.json, RenewDelegationTokenResponse.json. */
export const renewDelegationToken = api(
  { key: 39, name: 'RenewDelegationToken', versions: [0, 2], flexibleFrom: 2 },
  {
    hmac: bytes(),
    renewPeriodMs: int64(),
  },
  {
    errorCode: int16(),
    expiryTimestampMs: int64(),
    throttleTimeMs: int32(),
  },
)
export type RenewDelegationTokenRequest = Infer<typeof renewDelegationToken.request>
export type RenewDelegationTokenResponse = Infer<typeof renewDelegationToken.response>

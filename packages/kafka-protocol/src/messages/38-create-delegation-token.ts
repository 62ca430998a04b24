import { api, array, bytes, type Infer, int16, int32, int64, string } from '../schema.ts'

/** Source: CreateDelegationTokenRequest.json, CreateDelegationTokenResponse.json. */
export const createDelegationToken = api(
  { key: 38, name: 'CreateDelegationToken', versions: [0, 3], flexibleFrom: 2 },
  {
    ownerPrincipalType: string({ since: 3, nullableSince: 3 }),
    ownerPrincipalName: string({ since: 3, nullableSince: 3 }),
    renewers: array({
      principalType: string(),
      principalName: string(),
    }),
    maxLifetimeMs: int64(),
  },
  {
    errorCode: int16(),
    principalType: string(),
    principalName: string(),
    tokenRequesterPrincipalType: string({ since: 3 }),
    tokenRequesterPrincipalName: string({ since: 3 }),
    issueTimestampMs: int64(),
    expiryTimestampMs: int64(),
    maxTimestampMs: int64(),
    tokenId: string(),
    hmac: bytes(),
    throttleTimeMs: int32(),
  },
)
export type CreateDelegationTokenRequest = Infer<typeof createDelegationToken.request>
export type CreateDelegationTokenResponse = Infer<typeof createDelegationToken.response>

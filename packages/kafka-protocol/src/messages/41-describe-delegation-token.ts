import { api, array, bytes, type Infer, int16, int32, int64, string } from '../schema.ts'

/** Source: DescribeDelegationTokenRequest.json, DescribeDelegationTokenResponse.json. */
export const describeDelegationToken = api(
  { key: 41, name: 'DescribeDelegationToken', versions: [0, 3], flexibleFrom: 2 },
  {
    owners: array(
      {
        principalType: string(),
        principalName: string(),
      },
      { nullableSince: 0 },
    ),
  },
  {
    errorCode: int16(),
    tokens: array({
      principalType: string(),
      principalName: string(),
      tokenRequesterPrincipalType: string({ since: 3 }),
      tokenRequesterPrincipalName: string({ since: 3 }),
      issueTimestamp: int64(),
      expiryTimestamp: int64(),
      maxTimestamp: int64(),
      tokenId: string(),
      hmac: bytes(),
      renewers: array({
        principalType: string(),
        principalName: string(),
      }),
    }),
    throttleTimeMs: int32(),
  },
)
export type DescribeDelegationTokenRequest = Infer<typeof describeDelegationToken.request>
export type DescribeDelegationTokenResponse = Infer<typeof describeDelegationToken.response>

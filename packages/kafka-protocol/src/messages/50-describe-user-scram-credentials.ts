import { api, array, type Infer, int8, int16, int32, string } from '../schema.ts'

/** Source: DescribeUserScramCredentialsRequest.json, DescribeUserScramCredentialsResponse.json. */
export const describeUserScramCredentials = api(
  { key: 50, name: 'DescribeUserScramCredentials', versions: [0, 0], flexibleFrom: 0 },
  {
    users: array(
      {
        name: string(),
      },
      { nullableSince: 0 },
    ),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullableSince: 0 }),
    results: array({
      user: string(),
      errorCode: int16(),
      errorMessage: string({ nullableSince: 0 }),
      credentialInfos: array({
        mechanism: int8(),
        iterations: int32(),
      }),
    }),
  },
)
export type DescribeUserScramCredentialsRequest = Infer<typeof describeUserScramCredentials.request>
export type DescribeUserScramCredentialsResponse = Infer<typeof describeUserScramCredentials.response>

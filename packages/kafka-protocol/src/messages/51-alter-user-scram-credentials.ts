import { api, array, bytes, type Infer, int8, int16, int32, string } from '../schema.ts'

/** Source: AlterUserScramCredentialsRequest.json, AlterUserScramCredentialsResponse.json. */
export const alterUserScramCredentials = api(
  { key: 51, name: 'AlterUserScramCredentials', versions: [0, 0], flexibleFrom: 0 },
  {
    deletions: array({
      name: string(),
      mechanism: int8(),
    }),
    upsertions: array({
      name: string(),
      mechanism: int8(),
      iterations: int32(),
      salt: bytes(),
      saltedPassword: bytes(),
    }),
  },
  {
    throttleTimeMs: int32(),
    results: array({
      user: string(),
      errorCode: int16(),
      errorMessage: string({ nullableSince: 0 }),
    }),
  },
)
export type AlterUserScramCredentialsRequest = Infer<typeof alterUserScramCredentials.request>
export type AlterUserScramCredentialsResponse = Infer<typeof alterUserScramCredentials.response>

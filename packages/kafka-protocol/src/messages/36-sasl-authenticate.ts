import { api, bytes, type Infer, int16, int64, string } from '../schema.ts'

/** Source: SaslAuthenticateRequest.json, SaslAuthenticateResponse.json. */
export const saslAuthenticate = api(
  { key: 36, name: 'SaslAuthenticate', versions: [0, 2], flexibleFrom: 2 },
  {
    authBytes: bytes(),
  },
  {
    errorCode: int16(),
    errorMessage: string({ nullableSince: 0 }),
    authBytes: bytes(),
    sessionLifetimeMs: int64({ since: 1, ignorable: true }),
  },
)
export type SaslAuthenticateRequest = Infer<typeof saslAuthenticate.request>
export type SaslAuthenticateResponse = Infer<typeof saslAuthenticate.response>

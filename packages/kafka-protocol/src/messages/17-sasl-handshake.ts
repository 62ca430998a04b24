import { api, array, type Infer, int16, string } from '../schema.ts'

/** Source: SaslHandshakeRequest.json, SaslHandshakeResponse.json. */
export const saslHandshake = api(
  { key: 17, name: 'SaslHandshake', versions: [0, 1], flexibleFrom: null },
  {
    mechanism: string(),
  },
  {
    errorCode: int16(),
    mechanisms: array(string()),
  },
)
export type SaslHandshakeRequest = Infer<typeof saslHandshake.request>
export type SaslHandshakeResponse = Infer<typeof saslHandshake.response>

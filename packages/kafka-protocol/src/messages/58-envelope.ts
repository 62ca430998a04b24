import { api, bytes, type Infer, int16 } from '../schema.ts'

/** Source: EnvelopeRequest.json, EnvelopeResponse.json. */
export const envelope = api(
  { key: 58, name: 'Envelope', versions: [0, 0], flexibleFrom: 0 },
  {
    requestData: bytes(),
    requestPrincipal: bytes({ nullableSince: 0 }),
    clientHostAddress: bytes(),
  },
  {
    responseData: bytes({ nullableSince: 0, default: null }),
    errorCode: int16(),
  },
)
export type EnvelopeRequest = Infer<typeof envelope.request>
export type EnvelopeResponse = Infer<typeof envelope.response>

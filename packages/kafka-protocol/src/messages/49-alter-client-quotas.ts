import { api, array, bool, float64, type Infer, int16, int32, string } from '../schema.ts'

/** Source: AlterClientQuotasRequest.json, AlterClientQuotasResponse.json. */
export const alterClientQuotas = api(
  { key: 49, name: 'AlterClientQuotas', versions: [0, 1], flexibleFrom: 1 },
  {
    entries: array({
      entity: array({
        entityType: string(),
        entityName: string({ nullableSince: 0 }),
      }),
      ops: array({
        key: string(),
        value: float64(),
        remove: bool(),
      }),
    }),
    validateOnly: bool(),
  },
  {
    throttleTimeMs: int32(),
    entries: array({
      errorCode: int16(),
      errorMessage: string({ nullableSince: 0 }),
      entity: array({
        entityType: string(),
        entityName: string({ nullableSince: 0 }),
      }),
    }),
  },
)
export type AlterClientQuotasRequest = Infer<typeof alterClientQuotas.request>
export type AlterClientQuotasResponse = Infer<typeof alterClientQuotas.response>

import { api, array, bool, float64, type Infer, int8, int16, int32, string } from '../schema.ts'

/** Source: DescribeClientQuotasRequest.json, DescribeClientQuotasResponse.json. */
export const describeClientQuotas = api(
  { key: 48, name: 'DescribeClientQuotas', versions: [0, 1], flexibleFrom: 1 },
  {
    components: array({
      entityType: string(),
      matchType: int8(),
      match: string({ nullableSince: 0 }),
    }),
    strict: bool(),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullableSince: 0 }),
    entries: array(
      {
        entity: array({
          entityType: string(),
          entityName: string({ nullableSince: 0 }),
        }),
        values: array({
          key: string(),
          value: float64(),
        }),
      },
      { nullableSince: 0 },
    ),
  },
)
export type DescribeClientQuotasRequest = Infer<typeof describeClientQuotas.request>
export type DescribeClientQuotasResponse = Infer<typeof describeClientQuotas.response>

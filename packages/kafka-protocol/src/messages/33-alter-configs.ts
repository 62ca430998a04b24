import { api, array, bool, type Infer, int8, int16, int32, string } from '../schema.ts'

/** Source: AlterConfigsRequest.json, AlterConfigsResponse.json. */
export const alterConfigs = api(
  { key: 33, name: 'AlterConfigs', versions: [0, 2], flexibleFrom: 2 },
  {
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      configs: array({
        name: string(),
        value: string({ nullableSince: 0 }),
      }),
    }),
    validateOnly: bool(),
  },
  {
    throttleTimeMs: int32(),
    responses: array({
      errorCode: int16(),
      errorMessage: string({ nullableSince: 0 }),
      resourceType: int8(),
      resourceName: string(),
    }),
  },
)
export type AlterConfigsRequest = Infer<typeof alterConfigs.request>
export type AlterConfigsResponse = Infer<typeof alterConfigs.response>

import { api, array, bool, type Infer, int8, int16, int32, string } from '../schema.ts'

/** Source: IncrementalAlterConfigsRequest.json, IncrementalAlterConfigsResponse.json. */
export const incrementalAlterConfigs = api(
  { key: 44, name: 'IncrementalAlterConfigs', versions: [0, 1], flexibleFrom: 1 },
  {
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      configs: array({
        name: string(),
        configOperation: int8(),
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
export type IncrementalAlterConfigsRequest = Infer<typeof incrementalAlterConfigs.request>
export type IncrementalAlterConfigsResponse = Infer<typeof incrementalAlterConfigs.response>

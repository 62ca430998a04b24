import { api, array, type Infer, int8, int16, int32, string } from '../schema.ts'

/** Source: CreateAclsRequest.json, CreateAclsResponse.json. */
export const createAcls = api(
  { key: 30, name: 'CreateAcls', versions: [0, 3], flexibleFrom: 2 },
  {
    creations: array({
      resourceType: int8(),
      resourceName: string(),
      resourcePatternType: int8({ since: 1, default: 3 }),
      principal: string(),
      host: string(),
      operation: int8(),
      permissionType: int8(),
    }),
  },
  {
    throttleTimeMs: int32(),
    results: array({
      errorCode: int16(),
      errorMessage: string({ nullableSince: 0 }),
    }),
  },
)
export type CreateAclsRequest = Infer<typeof createAcls.request>
export type CreateAclsResponse = Infer<typeof createAcls.response>

import { api, array, type Infer, int8, int16, int32, string } from '../schema.ts'

/** Source: DeleteAclsRequest.json, DeleteAclsResponse.json. */
export const deleteAcls = api(
  { key: 31, name: 'DeleteAcls', versions: [0, 3], flexibleFrom: 2 },
  {
    filters: array({
      resourceTypeFilter: int8(),
      resourceNameFilter: string({ nullableSince: 0 }),
      patternTypeFilter: int8({ since: 1, default: 3 }),
      principalFilter: string({ nullableSince: 0 }),
      hostFilter: string({ nullableSince: 0 }),
      operation: int8(),
      permissionType: int8(),
    }),
  },
  {
    throttleTimeMs: int32(),
    filterResults: array({
      errorCode: int16(),
      errorMessage: string({ nullableSince: 0 }),
      matchingAcls: array({
        errorCode: int16(),
        errorMessage: string({ nullableSince: 0 }),
        resourceType: int8(),
        resourceName: string(),
        patternType: int8({ since: 1, default: 3 }),
        principal: string(),
        host: string(),
        operation: int8(),
        permissionType: int8(),
      }),
    }),
  },
)
export type DeleteAclsRequest = Infer<typeof deleteAcls.request>
export type DeleteAclsResponse = Infer<typeof deleteAcls.response>

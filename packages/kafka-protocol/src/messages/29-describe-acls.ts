import { api, array, type Infer, int8, int16, int32, string } from '../schema.ts'

/** Source: DescribeAclsRequest.json, DescribeAclsResponse.json. */
export const describeAcls = api(
  { key: 29, name: 'DescribeAcls', versions: [0, 3], flexibleFrom: 2 },
  {
    resourceTypeFilter: int8(),
    resourceNameFilter: string({ nullableSince: 0 }),
    patternTypeFilter: int8({ since: 1, default: 3 }),
    principalFilter: string({ nullableSince: 0 }),
    hostFilter: string({ nullableSince: 0 }),
    operation: int8(),
    permissionType: int8(),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullableSince: 0 }),
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      patternType: int8({ since: 1, default: 3 }),
      acls: array({
        principal: string(),
        host: string(),
        operation: int8(),
        permissionType: int8(),
      }),
    }),
  },
)
export type DescribeAclsRequest = Infer<typeof describeAcls.request>
export type DescribeAclsResponse = Infer<typeof describeAcls.response>

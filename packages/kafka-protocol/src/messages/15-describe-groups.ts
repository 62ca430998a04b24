import { api, array, bool, bytes, type Infer, int16, int32, string } from '../schema.ts'

/** Source: DescribeGroupsRequest.json, DescribeGroupsResponse.json. */
export const describeGroups = api(
  { key: 15, name: 'DescribeGroups', versions: [0, 6], flexibleFrom: 5 },
  {
    groups: array(string()),
    includeAuthorizedOperations: bool({ since: 3 }),
  },
  {
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    groups: array({
      errorCode: int16(),
      errorMessage: string({ since: 6, nullableSince: 6, default: null }),
      groupId: string(),
      groupState: string(),
      protocolType: string(),
      protocolData: string(),
      members: array({
        memberId: string(),
        groupInstanceId: string({ since: 4, nullableSince: 4, default: null, ignorable: true }),
        clientId: string(),
        clientHost: string(),
        memberMetadata: bytes(),
        memberAssignment: bytes(),
      }),
      authorizedOperations: int32({ since: 3, default: -2147483648 }),
    }),
  },
)
export type DescribeGroupsRequest = Infer<typeof describeGroups.request>
export type DescribeGroupsResponse = Infer<typeof describeGroups.response>

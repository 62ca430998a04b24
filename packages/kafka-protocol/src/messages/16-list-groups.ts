import { api, array, type Infer, int16, int32, string } from '../schema.ts'

/** Source: ListGroupsRequest.json, ListGroupsResponse.json. */
export const listGroups = api(
  { key: 16, name: 'ListGroups', versions: [0, 5], flexibleFrom: 3 },
  {
    statesFilter: array(string(), { since: 4 }),
    typesFilter: array(string(), { since: 5 }),
  },
  {
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    errorCode: int16(),
    groups: array({
      groupId: string(),
      protocolType: string(),
      groupState: string({ since: 4, ignorable: true }),
      groupType: string({ since: 5, ignorable: true }),
    }),
  },
)
export type ListGroupsRequest = Infer<typeof listGroups.request>
export type ListGroupsResponse = Infer<typeof listGroups.response>

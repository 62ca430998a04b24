import { api, array, type Infer, int16, int32, string } from '../schema.ts'

/** Source: DeleteGroupsRequest.json, DeleteGroupsResponse.json. */
export const deleteGroups = api(
  { key: 42, name: 'DeleteGroups', versions: [0, 3], flexibleFrom: 2 },
  {
    groupsNames: array(string()),
  },
  {
    throttleTimeMs: int32(),
    results: array({
      groupId: string(),
      errorCode: int16(),
      errorMessage: string({ since: 3, nullableSince: 3, default: null, ignorable: true }),
    }),
  },
)
export type DeleteGroupsRequest = Infer<typeof deleteGroups.request>
export type DeleteGroupsResponse = Infer<typeof deleteGroups.response>

import { api, array, type Infer, int16, int32, string } from '../schema.ts'

/** Source: LeaveGroupRequest.json, LeaveGroupResponse.json. */
export const leaveGroup = api(
  { key: 13, name: 'LeaveGroup', versions: [0, 5], flexibleFrom: 4 },
  {
    groupId: string(),
    memberId: string({ until: 2 }),
    members: array(
      {
        memberId: string({ since: 3 }),
        groupInstanceId: string({ since: 3, nullableSince: 3, default: null }),
        reason: string({ since: 5, nullableSince: 5, default: null, ignorable: true }),
      },
      { since: 3 },
    ),
  },
  {
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    errorCode: int16(),
    members: array(
      {
        memberId: string({ since: 3 }),
        groupInstanceId: string({ since: 3, nullableSince: 3 }),
        errorCode: int16({ since: 3 }),
      },
      { since: 3 },
    ),
  },
)
export type LeaveGroupRequest = Infer<typeof leaveGroup.request>
export type LeaveGroupResponse = Infer<typeof leaveGroup.response>

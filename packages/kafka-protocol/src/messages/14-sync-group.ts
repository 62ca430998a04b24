import { api, array, bytes, type Infer, int16, int32, string } from '../schema.ts'

/** Source: SyncGroupRequest.json, SyncGroupResponse.json. */
export const syncGroup = api(
  { key: 14, name: 'SyncGroup', versions: [0, 5], flexibleFrom: 4 },
  {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string({ since: 3, nullableSince: 3, default: null }),
    protocolType: string({ since: 5, nullableSince: 5, default: null, ignorable: true }),
    protocolName: string({ since: 5, nullableSince: 5, default: null, ignorable: true }),
    assignments: array({
      memberId: string(),
      assignment: bytes(),
    }),
  },
  {
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    errorCode: int16(),
    protocolType: string({ since: 5, nullableSince: 5, default: null, ignorable: true }),
    protocolName: string({ since: 5, nullableSince: 5, default: null, ignorable: true }),
    assignment: bytes(),
  },
)
export type SyncGroupRequest = Infer<typeof syncGroup.request>
export type SyncGroupResponse = Infer<typeof syncGroup.response>

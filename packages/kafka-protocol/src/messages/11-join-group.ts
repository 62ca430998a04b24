import { api, array, bool, bytes, type Infer, int16, int32, string } from '../schema.ts'

/** Source: JoinGroupRequest.json, JoinGroupResponse.json. */
export const joinGroup = api(
  { key: 11, name: 'JoinGroup', versions: [0, 9], flexibleFrom: 6 },
  {
    groupId: string(),
    sessionTimeoutMs: int32(),
    rebalanceTimeoutMs: int32({ since: 1, default: -1, ignorable: true }),
    memberId: string(),
    groupInstanceId: string({ since: 5, nullableSince: 5, default: null }),
    protocolType: string(),
    protocols: array({
      name: string(),
      metadata: bytes(),
    }),
    reason: string({ since: 8, nullableSince: 8, default: null, ignorable: true }),
  },
  {
    throttleTimeMs: int32({ since: 2, ignorable: true }),
    errorCode: int16(),
    generationId: int32({ default: -1 }),
    protocolType: string({ since: 7, nullableSince: 7, default: null, ignorable: true }),
    protocolName: string({ nullableSince: 7 }),
    leader: string(),
    skipAssignment: bool({ since: 9 }),
    memberId: string(),
    members: array({
      memberId: string(),
      groupInstanceId: string({ since: 5, nullableSince: 5, default: null, ignorable: true }),
      metadata: bytes(),
    }),
  },
)
export type JoinGroupRequest = Infer<typeof joinGroup.request>
export type JoinGroupResponse = Infer<typeof joinGroup.response>

import { api, type Infer, int16, int32, string } from '../schema.ts'

/** Source: HeartbeatRequest.json, HeartbeatResponse.json. */
export const heartbeat = api(
  { key: 12, name: 'Heartbeat', versions: [0, 4], flexibleFrom: 4 },
  {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string({ since: 3, nullableSince: 3, default: null }),
  },
  {
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    errorCode: int16(),
  },
)
export type HeartbeatRequest = Infer<typeof heartbeat.request>
export type HeartbeatResponse = Infer<typeof heartbeat.response>

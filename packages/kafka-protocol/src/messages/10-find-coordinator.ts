import { api, array, type Infer, int8, int16, int32, string } from '../schema.ts'

/** Source: FindCoordinatorRequest.json, FindCoordinatorResponse.json. */
export const findCoordinator = api(
  { key: 10, name: 'FindCoordinator', versions: [0, 6], flexibleFrom: 3 },
  {
    key: string({ until: 3 }),
    keyType: int8({ since: 1 }),
    coordinatorKeys: array(string(), { since: 4 }),
  },
  {
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    errorCode: int16({ until: 3 }),
    errorMessage: string({ since: 1, until: 3, nullableSince: 1, ignorable: true }),
    nodeId: int32({ until: 3 }),
    host: string({ until: 3 }),
    port: int32({ until: 3 }),
    coordinators: array(
      {
        key: string({ since: 4 }),
        nodeId: int32({ since: 4 }),
        host: string({ since: 4 }),
        port: int32({ since: 4 }),
        errorCode: int16({ since: 4 }),
        errorMessage: string({ since: 4, nullableSince: 4, ignorable: true }),
      },
      { since: 4 },
    ),
  },
)
export type FindCoordinatorRequest = Infer<typeof findCoordinator.request>
export type FindCoordinatorResponse = Infer<typeof findCoordinator.response>

import { api, array, type Infer, int16, int32, string } from '../schema.ts'

/** Source: OffsetDeleteRequest.json, OffsetDeleteResponse.json. */
export const offsetDelete = api(
  { key: 47, name: 'OffsetDelete', versions: [0, 0], flexibleFrom: null },
  {
    groupId: string(),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
      }),
    }),
  },
  {
    errorCode: int16(),
    throttleTimeMs: int32({ ignorable: true }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
)
export type OffsetDeleteRequest = Infer<typeof offsetDelete.request>
export type OffsetDeleteResponse = Infer<typeof offsetDelete.response>

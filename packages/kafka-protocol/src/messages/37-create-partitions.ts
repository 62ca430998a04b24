import { api, array, bool, type Infer, int16, int32, string } from '../schema.ts'

/** Source: CreatePartitionsRequest.json, CreatePartitionsResponse.json. */
export const createPartitions = api(
  { key: 37, name: 'CreatePartitions', versions: [0, 3], flexibleFrom: 2 },
  {
    topics: array({
      name: string(),
      count: int32(),
      assignments: array(
        {
          brokerIds: array(int32()),
        },
        { nullableSince: 0 },
      ),
    }),
    timeoutMs: int32(),
    validateOnly: bool(),
  },
  {
    throttleTimeMs: int32(),
    results: array({
      name: string(),
      errorCode: int16(),
      errorMessage: string({ nullableSince: 0, default: null }),
    }),
  },
)
export type CreatePartitionsRequest = Infer<typeof createPartitions.request>
export type CreatePartitionsResponse = Infer<typeof createPartitions.response>

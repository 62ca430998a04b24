import { api, array, type Infer, int16, int32, string, uuid } from '../schema.ts'

/** Source: DeleteTopicsRequest.json, DeleteTopicsResponse.json. */
export const deleteTopics = api(
  { key: 20, name: 'DeleteTopics', versions: [0, 6], flexibleFrom: 4 },
  {
    topics: array(
      {
        name: string({ since: 6, nullableSince: 6, default: null }),
        topicId: uuid({ since: 6 }),
      },
      { since: 6 },
    ),
    topicNames: array(string(), { until: 5, ignorable: true }),
    timeoutMs: int32(),
  },
  {
    throttleTimeMs: int32({ since: 1, ignorable: true }),
    responses: array({
      name: string({ nullableSince: 6 }),
      topicId: uuid({ since: 6, ignorable: true }),
      errorCode: int16(),
      errorMessage: string({ since: 5, nullableSince: 5, default: null, ignorable: true }),
    }),
  },
)
export type DeleteTopicsRequest = Infer<typeof deleteTopics.request>
export type DeleteTopicsResponse = Infer<typeof deleteTopics.response>

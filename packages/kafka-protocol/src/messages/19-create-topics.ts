import { api, array, bool, type Infer, int8, int16, int32, string, uuid } from '../schema.ts'

/** Source: CreateTopicsRequest.json, CreateTopicsResponse.json. */
export const createTopics = api(
  { key: 19, name: 'CreateTopics', versions: [0, 7], flexibleFrom: 5 },
  {
    topics: array({
      name: string(),
      numPartitions: int32(),
      replicationFactor: int16(),
      assignments: array({
        partitionIndex: int32(),
        brokerIds: array(int32()),
      }),
      configs: array({
        name: string(),
        value: string({ nullableSince: 0 }),
      }),
    }),
    timeoutMs: int32({ default: 60000 }),
    validateOnly: bool({ since: 1 }),
  },
  {
    throttleTimeMs: int32({ since: 2, ignorable: true }),
    topics: array({
      name: string(),
      topicId: uuid({ since: 7, ignorable: true }),
      errorCode: int16(),
      errorMessage: string({ since: 1, nullableSince: 0, ignorable: true }),
      topicConfigErrorCode: int16({ since: 5, tag: 0, taggedSince: 5, ignorable: true }),
      numPartitions: int32({ since: 5, default: -1, ignorable: true }),
      replicationFactor: int16({ since: 5, default: -1, ignorable: true }),
      configs: array(
        {
          name: string({ since: 5 }),
          value: string({ since: 5, nullableSince: 5 }),
          readOnly: bool({ since: 5 }),
          configSource: int8({ since: 5, default: -1, ignorable: true }),
          isSensitive: bool({ since: 5 }),
        },
        { since: 5, nullableSince: 5, ignorable: true },
      ),
    }),
  },
)
export type CreateTopicsRequest = Infer<typeof createTopics.request>
export type CreateTopicsResponse = Infer<typeof createTopics.response>

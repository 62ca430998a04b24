import { api, array, type Infer, int8, int16, int32, string } from '../schema.ts'

/** Source: ElectLeadersRequest.json, ElectLeadersResponse.json. */
export const electLeaders = api(
  { key: 43, name: 'ElectLeaders', versions: [0, 2], flexibleFrom: 2 },
  {
    electionType: int8({ since: 1 }),
    topicPartitions: array(
      {
        topic: string(),
        partitions: array(int32()),
      },
      { nullableSince: 0 },
    ),
    timeoutMs: int32({ default: 60000 }),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16({ since: 1 }),
    replicaElectionResults: array({
      topic: string(),
      partitionResult: array({
        partitionId: int32(),
        errorCode: int16(),
        errorMessage: string({ nullableSince: 0 }),
      }),
    }),
  },
)
export type ElectLeadersRequest = Infer<typeof electLeaders.request>
export type ElectLeadersResponse = Infer<typeof electLeaders.response>

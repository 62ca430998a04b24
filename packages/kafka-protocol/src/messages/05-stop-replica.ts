import { api, array, bool, type Infer, int16, int32, int64, string } from '../schema.ts'

/** Source: StopReplicaRequest.json, StopReplicaResponse.json. */
export const stopReplica = api(
  { key: 5, name: 'StopReplica', versions: [0, 4], flexibleFrom: 2 },
  {
    controllerId: int32(),
    isKRaftController: bool({ since: 4 }),
    controllerEpoch: int32(),
    brokerEpoch: int64({ since: 1, default: -1, ignorable: true }),
    deletePartitions: bool({ until: 2 }),
    ungroupedPartitions: array(
      {
        topicName: string({ until: 0 }),
        partitionIndex: int32({ until: 0 }),
      },
      { until: 0 },
    ),
    topics: array(
      {
        name: string({ since: 1, until: 2 }),
        partitionIndexes: array(int32(), { since: 1, until: 2 }),
      },
      { since: 1, until: 2 },
    ),
    topicStates: array(
      {
        topicName: string({ since: 3 }),
        partitionStates: array(
          {
            partitionIndex: int32({ since: 3 }),
            leaderEpoch: int32({ since: 3, default: -1 }),
            deletePartition: bool({ since: 3 }),
          },
          { since: 3 },
        ),
      },
      { since: 3 },
    ),
  },
  {
    errorCode: int16(),
    partitionErrors: array({
      topicName: string(),
      partitionIndex: int32(),
      errorCode: int16(),
    }),
  },
)
export type StopReplicaRequest = Infer<typeof stopReplica.request>
export type StopReplicaResponse = Infer<typeof stopReplica.response>

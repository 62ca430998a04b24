import { api, array, bool, type Infer, int8, int16, int32, int64, string, uuid } from '../schema.ts'

/** Source: LeaderAndIsrRequest.json, LeaderAndIsrResponse.json. */
export const leaderAndIsr = api(
  { key: 4, name: 'LeaderAndIsr', versions: [0, 7], flexibleFrom: 4 },
  {
    controllerId: int32(),
    isKRaftController: bool({ since: 7 }),
    controllerEpoch: int32(),
    brokerEpoch: int64({ since: 2, default: -1, ignorable: true }),
    type: int8({ since: 5 }),
    ungroupedPartitionStates: array(
      {
        topicName: string({ until: 1, ignorable: true }),
        partitionIndex: int32(),
        controllerEpoch: int32(),
        leader: int32(),
        leaderEpoch: int32(),
        isr: array(int32()),
        partitionEpoch: int32(),
        replicas: array(int32()),
        addingReplicas: array(int32(), { since: 3, ignorable: true }),
        removingReplicas: array(int32(), { since: 3, ignorable: true }),
        isNew: bool({ since: 1, ignorable: true }),
        leaderRecoveryState: int8({ since: 6 }),
      },
      { until: 1 },
    ),
    topicStates: array(
      {
        topicName: string({ since: 2 }),
        topicId: uuid({ since: 5, ignorable: true }),
        partitionStates: array(
          {
            topicName: string({ until: 1, ignorable: true }),
            partitionIndex: int32(),
            controllerEpoch: int32(),
            leader: int32(),
            leaderEpoch: int32(),
            isr: array(int32()),
            partitionEpoch: int32(),
            replicas: array(int32()),
            addingReplicas: array(int32(), { since: 3, ignorable: true }),
            removingReplicas: array(int32(), { since: 3, ignorable: true }),
            isNew: bool({ since: 1, ignorable: true }),
            leaderRecoveryState: int8({ since: 6 }),
          },
          { since: 2 },
        ),
      },
      { since: 2 },
    ),
    liveLeaders: array({
      brokerId: int32(),
      hostName: string(),
      port: int32(),
    }),
  },
  {
    errorCode: int16(),
    partitionErrors: array(
      {
        topicName: string({ until: 4, ignorable: true }),
        partitionIndex: int32(),
        errorCode: int16(),
      },
      { until: 4 },
    ),
    topics: array(
      {
        topicId: uuid({ since: 5 }),
        partitionErrors: array(
          {
            topicName: string({ until: 4, ignorable: true }),
            partitionIndex: int32(),
            errorCode: int16(),
          },
          { since: 5 },
        ),
      },
      { since: 5 },
    ),
  },
)
export type LeaderAndIsrRequest = Infer<typeof leaderAndIsr.request>
export type LeaderAndIsrResponse = Infer<typeof leaderAndIsr.response>

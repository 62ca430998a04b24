import { api, array, bool, type Infer, int8, int16, int32, int64, string, uuid } from '../schema.ts'

/** Source: UpdateMetadataRequest.json, UpdateMetadataResponse.json. */
export const updateMetadata = api(
  { key: 6, name: 'UpdateMetadata', versions: [0, 8], flexibleFrom: 6 },
  {
    controllerId: int32(),
    isKRaftController: bool({ since: 8 }),
    type: int8({ since: 8, tag: 0, taggedSince: 8 }),
    controllerEpoch: int32(),
    brokerEpoch: int64({ since: 5, default: -1, ignorable: true }),
    ungroupedPartitionStates: array(
      {
        topicName: string({ until: 4, ignorable: true }),
        partitionIndex: int32(),
        controllerEpoch: int32(),
        leader: int32(),
        leaderEpoch: int32(),
        isr: array(int32()),
        zkVersion: int32(),
        replicas: array(int32()),
        offlineReplicas: array(int32(), { since: 4, ignorable: true }),
      },
      { until: 4 },
    ),
    topicStates: array(
      {
        topicName: string({ since: 5 }),
        topicId: uuid({ since: 7, ignorable: true }),
        partitionStates: array(
          {
            topicName: string({ until: 4, ignorable: true }),
            partitionIndex: int32(),
            controllerEpoch: int32(),
            leader: int32(),
            leaderEpoch: int32(),
            isr: array(int32()),
            zkVersion: int32(),
            replicas: array(int32()),
            offlineReplicas: array(int32(), { since: 4, ignorable: true }),
          },
          { since: 5 },
        ),
      },
      { since: 5 },
    ),
    liveBrokers: array({
      id: int32(),
      v0Host: string({ until: 0, ignorable: true }),
      v0Port: int32({ until: 0, ignorable: true }),
      endpoints: array(
        {
          port: int32({ since: 1 }),
          host: string({ since: 1 }),
          listener: string({ since: 3, ignorable: true }),
          securityProtocol: int16({ since: 1 }),
        },
        { since: 1, ignorable: true },
      ),
      rack: string({ since: 2, nullableSince: 0, ignorable: true }),
    }),
  },
  {
    errorCode: int16(),
  },
)
export type UpdateMetadataRequest = Infer<typeof updateMetadata.request>
export type UpdateMetadataResponse = Infer<typeof updateMetadata.response>

import { api, array, type Infer, int16, int32, string, struct, uuid } from '../schema.ts'

/** Source: ConsumerGroupHeartbeatRequest.json, ConsumerGroupHeartbeatResponse.json. */
export const consumerGroupHeartbeat = api(
  { key: 68, name: 'ConsumerGroupHeartbeat', versions: [0, 1], flexibleFrom: 0 },
  {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    instanceId: string({ nullableSince: 0, default: null }),
    rackId: string({ nullableSince: 0, default: null }),
    rebalanceTimeoutMs: int32({ default: -1 }),
    subscribedTopicNames: array(string(), { nullableSince: 0, default: null }),
    subscribedTopicRegex: string({ since: 1, nullableSince: 1, default: null }),
    serverAssignor: string({ nullableSince: 0, default: null }),
    topicPartitions: array(
      {
        topicId: uuid(),
        partitions: array(int32()),
      },
      { nullableSince: 0, default: null },
    ),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullableSince: 0, default: null }),
    memberId: string({ nullableSince: 0, default: null }),
    memberEpoch: int32(),
    heartbeatIntervalMs: int32(),
    assignment: struct(
      {
        topicPartitions: array({
          topicId: uuid(),
          partitions: array(int32()),
        }),
      },
      { nullableSince: 0, default: null },
    ),
  },
)
export type ConsumerGroupHeartbeatRequest = Infer<typeof consumerGroupHeartbeat.request>
export type ConsumerGroupHeartbeatResponse = Infer<typeof consumerGroupHeartbeat.response>

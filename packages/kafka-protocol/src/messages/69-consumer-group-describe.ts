import { api, array, bool, type Infer, int8, int16, int32, string, struct, uuid } from '../schema.ts'

/** Source: ConsumerGroupDescribeRequest.json, ConsumerGroupDescribeResponse.json. */
export const consumerGroupDescribe = api(
  { key: 69, name: 'ConsumerGroupDescribe', versions: [0, 1], flexibleFrom: 0 },
  {
    groupIds: array(string()),
    includeAuthorizedOperations: bool(),
  },
  {
    throttleTimeMs: int32(),
    groups: array({
      errorCode: int16(),
      errorMessage: string({ nullableSince: 0, default: null }),
      groupId: string(),
      groupState: string(),
      groupEpoch: int32(),
      assignmentEpoch: int32(),
      assignorName: string(),
      members: array({
        memberId: string(),
        instanceId: string({ nullableSince: 0, default: null }),
        rackId: string({ nullableSince: 0, default: null }),
        memberEpoch: int32(),
        clientId: string(),
        clientHost: string(),
        subscribedTopicNames: array(string()),
        subscribedTopicRegex: string({ nullableSince: 0, default: null }),
        assignment: struct({
          topicPartitions: array({
            topicId: uuid(),
            topicName: string(),
            partitions: array(int32()),
          }),
        }),
        targetAssignment: struct({
          topicPartitions: array({
            topicId: uuid(),
            topicName: string(),
            partitions: array(int32()),
          }),
        }),
        memberType: int8({ since: 1, default: -1, ignorable: true }),
      }),
      authorizedOperations: int32({ default: -2147483648 }),
    }),
  },
)
export type ConsumerGroupDescribeRequest = Infer<typeof consumerGroupDescribe.request>
export type ConsumerGroupDescribeResponse = Infer<typeof consumerGroupDescribe.response>

import { api, array, type Infer, int16, int32, string } from '../schema.ts'

/** Source: ListPartitionReassignmentsRequest.json, ListPartitionReassignmentsResponse.json. */
export const listPartitionReassignments = api(
  { key: 46, name: 'ListPartitionReassignments', versions: [0, 0], flexibleFrom: 0 },
  {
    timeoutMs: int32({ default: 60000 }),
    topics: array(
      {
        name: string(),
        partitionIndexes: array(int32()),
      },
      { nullableSince: 0, default: null },
    ),
  },
  {
    throttleTimeMs: int32(),
    errorCode: int16(),
    errorMessage: string({ nullableSince: 0 }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        replicas: array(int32()),
        addingReplicas: array(int32()),
        removingReplicas: array(int32()),
      }),
    }),
  },
)
export type ListPartitionReassignmentsRequest = Infer<typeof listPartitionReassignments.request>
export type ListPartitionReassignmentsResponse = Infer<typeof listPartitionReassignments.response>

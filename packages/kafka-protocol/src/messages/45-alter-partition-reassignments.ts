import { api, array, bool, type Infer, int16, int32, string } from '../schema.ts'

/** Source: AlterPartitionReassignmentsRequest.json, AlterPartitionReassignmentsResponse.json. */
export const alterPartitionReassignments = api(
  { key: 45, name: 'AlterPartitionReassignments', versions: [0, 1], flexibleFrom: 0 },
  {
    timeoutMs: int32({ default: 60000 }),
    allowReplicationFactorChange: bool({ since: 1, default: true }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        replicas: array(int32(), { nullableSince: 0, default: null }),
      }),
    }),
  },
  {
    throttleTimeMs: int32(),
    allowReplicationFactorChange: bool({ since: 1, default: true, ignorable: true }),
    errorCode: int16(),
    errorMessage: string({ nullableSince: 0 }),
    responses: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullableSince: 0 }),
      }),
    }),
  },
)
export type AlterPartitionReassignmentsRequest = Infer<typeof alterPartitionReassignments.request>
export type AlterPartitionReassignmentsResponse = Infer<typeof alterPartitionReassignments.response>

import { array, bytes, type Infer, int32, stored, string } from '../schema.ts'

/** Source: ConsumerProtocolAssignment.json. */
export const consumerProtocolAssignment = stored(
  { name: 'ConsumerProtocolAssignment', versions: [0, 3], flexibleFrom: null },
  {
    assignedPartitions: array({
      topic: string(),
      partitions: array(int32()),
    }),
    userData: bytes({ nullableSince: 0, default: null }),
  },
)
export type ConsumerProtocolAssignment = Infer<typeof consumerProtocolAssignment.fields>

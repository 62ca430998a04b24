import { array, bytes, type Infer, int32, stored, string } from '../schema.ts'

/** Source: ConsumerProtocolSubscription.json. */
export const consumerProtocolSubscription = stored(
  { name: 'ConsumerProtocolSubscription', versions: [0, 3], flexibleFrom: null },
  {
    topics: array(string()),
    userData: bytes({ nullableSince: 0, default: null }),
    ownedPartitions: array(
      {
        topic: string({ since: 1 }),
        partitions: array(int32(), { since: 1 }),
      },
      { since: 1, ignorable: true },
    ),
    generationId: int32({ since: 2, default: -1, ignorable: true }),
    rackId: string({ since: 3, nullableSince: 3, default: null, ignorable: true }),
  },
)
export type ConsumerProtocolSubscription = Infer<typeof consumerProtocolSubscription.fields>

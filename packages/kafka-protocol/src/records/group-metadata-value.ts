import { array, bytes, type Infer, int32, int64, stored, string } from '../schema.ts'

/** Source: GroupMetadataValue.json. */
export const groupMetadataValue = stored(
  { name: 'GroupMetadataValue', versions: [0, 4], flexibleFrom: 4 },
  {
    protocolType: string(),
    generation: int32(),
    protocol: string({ nullableSince: 0 }),
    leader: string({ nullableSince: 0 }),
    currentStateTimestamp: int64({ since: 2, default: -1, ignorable: true }),
    members: array({
      memberId: string(),
      groupInstanceId: string({ since: 3, nullableSince: 3, default: null, ignorable: true }),
      clientId: string(),
      clientHost: string(),
      rebalanceTimeout: int32({ since: 1, default: -1, ignorable: true }),
      sessionTimeout: int32(),
      subscription: bytes(),
      assignment: bytes(),
    }),
  },
)
export type GroupMetadataValue = Infer<typeof groupMetadataValue.fields>

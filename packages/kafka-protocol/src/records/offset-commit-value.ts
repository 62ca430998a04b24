import { type Infer, int32, int64, stored, string, uuid } from '../schema.ts'

/** Source: OffsetCommitValue.json. */
export const offsetCommitValue = stored(
  { name: 'OffsetCommitValue', versions: [0, 4], flexibleFrom: 4 },
  {
    offset: int64(),
    leaderEpoch: int32({ since: 3, default: -1, ignorable: true }),
    metadata: string(),
    commitTimestamp: int64(),
    expireTimestamp: int64({ since: 1, until: 1, default: -1, ignorable: true }),
    topicId: uuid({ since: 4, tag: 0, taggedSince: 4, ignorable: true }),
  },
)
export type OffsetCommitValue = Infer<typeof offsetCommitValue.fields>

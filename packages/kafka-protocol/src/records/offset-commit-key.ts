import { type Infer, int32, stored, string } from '../schema.ts'

/** Source: OffsetCommitKey.json. */
export const offsetCommitKey = stored(
  { name: 'OffsetCommitKey', versions: [0, 1], flexibleFrom: null },
  {
    group: string(),
    topic: string(),
    partition: int32(),
  },
)
export type OffsetCommitKey = Infer<typeof offsetCommitKey.fields>

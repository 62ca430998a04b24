import { type Infer, stored, string } from '../schema.ts'

/** Source: GroupMetadataKey.json. */
export const groupMetadataKey = stored(
  { name: 'GroupMetadataKey', versions: [2, 2], flexibleFrom: null },
  {
    group: string(),
  },
)
export type GroupMetadataKey = Infer<typeof groupMetadataKey.fields>

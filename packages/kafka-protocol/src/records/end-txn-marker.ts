import { type Infer, int32, stored } from '../schema.ts'

/** Source: EndTxnMarker.json. */
export const endTxnMarker = stored(
  { name: 'EndTxnMarker', versions: [0, 0], flexibleFrom: null },
  {
    coordinatorEpoch: int32(),
  },
)
export type EndTxnMarker = Infer<typeof endTxnMarker.fields>

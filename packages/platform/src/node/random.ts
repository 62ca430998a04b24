import { randomBytes, randomInt } from 'node:crypto'
import type { Random } from '../random.ts'

/** The machine's randomness. */
export const nodeRandom: Random = {
  below: bound => randomInt(bound),
  bytes: count => randomBytes(count),
}

import type { Random } from '../random.ts'

/** The machine's randomness. Its secrets come from a module that is loaded with the first of them, not at every start. */
export const nodeRandom: Random = {
  below: bound => Math.floor(Math.random() * bound),
  bytes: count => process.getBuiltinModule('node:crypto').randomBytes(count),
}

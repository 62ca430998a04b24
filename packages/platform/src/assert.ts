/** A violated assertion is a bug in this program: it must end the process, never be caught and ignored. */
export class AssertionError extends Error {
  override name = 'AssertionError'
}

export function assert(condition: unknown, reason: string): asserts condition {
  if (!condition) throw new AssertionError(reason)
}

/** Closes a switch over a closed set: a forgotten case does not compile. */
export function unreachable(value: never): never {
  throw new AssertionError(`unexpected value ${String(value)}`)
}

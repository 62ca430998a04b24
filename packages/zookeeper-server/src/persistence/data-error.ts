/** A data directory that cannot be used as it is: names the file, the place in it, the problem and the fix. */
export class DataError extends Error {
  override name = 'DataError'

  constructor(file: string, problem: string, fix: string, options?: ErrorOptions) {
    super(`${file}: ${problem}. Fix: ${fix}`, options)
  }
}

/** What to do about files that a member of an ensemble takes from its leader, and a server alone cannot get from anywhere. */
export const mendAlone = 'restore the file from a backup'

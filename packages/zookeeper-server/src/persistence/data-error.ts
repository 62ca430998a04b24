/** A data directory that cannot be used as it is: names the file, the place in it, the problem and the fix. */
export class DataError extends Error {
  override name = 'DataError'

  constructor(file: string, problem: string, fix: string, options?: ErrorOptions) {
    super(`${file}: ${problem}. Fix: ${fix}`, options)
  }
}

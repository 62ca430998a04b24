/** A batch that may not be appended, with Kafka's error code for its sender. */
export class LogError extends Error {
  override name = 'LogError'
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** A log directory or file that cannot be used as it is: names the place, the problem and the fix. */
export class LogDirectoryError extends Error {
  override name = 'LogDirectoryError'

  constructor(path: string, problem: string, fix: string, options?: ErrorOptions) {
    super(`${path}: ${problem}. Fix: ${fix}`, options)
  }
}

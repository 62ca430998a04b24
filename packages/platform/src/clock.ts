/** The door to time. Deadlines use `monotonicMs`; `wallMs` only stamps data that people or protocols read. */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump. */
  wallMs(): number
  /** Milliseconds since some fixed moment; never goes back. */
  monotonicMs(): number
  /** Calls `task` once everything has been taken in that is ready now: what comes of it then goes together. */
  soon(task: () => void): void
  /** Calls `task` once, `delayMs` from now. */
  after(delayMs: number, task: () => void): Timer
  /** Calls `task` every `intervalMs`, first in one interval. */
  every(intervalMs: number, task: () => void): Timer
}

export interface Timer {
  /** After this the task is not called again. Harmless if it already was. */
  cancel(): void
}

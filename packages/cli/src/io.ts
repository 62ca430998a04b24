/** What a command sees of the terminal: it writes data to `stdout`, everything else to `stderr`. */
export interface CommandIo {
  readonly stdin: NodeJS.ReadableStream
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
  /** Whether a person watches `stdout`: colour and progress only then. */
  readonly isTty: boolean
}

/** Runs one command to its end and gives the exit code. */
export type Command = (argv: string[], io: CommandIo) => Promise<number>

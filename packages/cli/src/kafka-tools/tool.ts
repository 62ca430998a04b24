import type { Command, CommandIo } from '../io.ts'
import { version } from '../version.ts'
import { helpText, type Options, parseOptions, type ToolSpec, UsageError } from './options.ts'

/** A tool could not do what was asked: `message` is for the person who asked. */
export class ToolError extends Error {
  override name = 'ToolError'
}

/**
 * Makes a command of a tool: `--help`, `--version` and wrong options are dealt with here. `run` gives the exit code, or
 * throws UsageError or ToolError; those end as one line and exit code 1, as with Apache's tools.
 */
export function tool<Name extends string>(
  spec: ToolSpec<Name>,
  run: (options: Options<Name | 'help' | 'version'>, io: CommandIo) => Promise<number>,
  report: (message: string, io: CommandIo) => void = (message, io) => io.stderr.write(`${message}\n`),
): Command {
  return async (argv, io) => {
    if (argv.length === 0) {
      io.stderr.write(helpText(spec))
      return 1
    }
    try {
      const options = parseOptions(spec, argv)
      if (options.has('help')) {
        io.stdout.write(helpText(spec))
        return 0
      }
      if (options.has('version')) {
        io.stdout.write(`${version} (Kafka 3.9)\n`)
        return 0
      }
      return await run(options, io)
    } catch (error) {
      if (error instanceof UsageError) {
        io.stderr.write(`${error.message}\nRun ${spec.name} --help for the options.\n`)
        return 1
      }
      if (!(error instanceof ToolError)) throw error
      report(error.message, io)
      return 1
    }
  }
}

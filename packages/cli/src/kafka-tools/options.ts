import { nearest } from '@vivarium/platform'

/** One option of a tool. Without `argument` it is a switch. */
export interface OptionSpec {
  about: string
  /** How help names the value: `<host:port,…>`. */
  argument?: string
  /** May be given more than once. */
  isRepeatable?: boolean
  /** The value when the option stands alone: its argument may be left out. */
  valueWhenBare?: string
  /** Printed in the help; applied by who reads the option. */
  default?: string
}

/** What a tool takes and how its help explains it. */
export interface ToolSpec<Name extends string = string> {
  name: string
  about: string
  options: Record<Name, OptionSpec>
  /** Three lines a person can copy. */
  examples: readonly string[]
  /** Anything worth a paragraph at the end of the help. */
  notes?: string
}

/** The options of a command line were wrong; the message says which. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** The options given, by name. */
export class Options<Name extends string = string> {
  readonly #values: ReadonlyMap<string, readonly string[]>

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values
  }

  has(name: Name): boolean {
    return this.#values.has(name)
  }

  /** Throws UsageError if the option was given twice. */
  value(name: Name): string | null {
    const values = this.#values.get(name)
    if (values === undefined) return null
    if (values.length > 1)
      throw new UsageError(`Found multiple arguments for option ${name}, but you asked for only one`)
    return values[0]!
  }

  required(name: Name): string {
    const value = this.value(name)
    if (value === null) throw new UsageError(`Missing required argument "[${name}]"`)
    return value
  }

  values(name: Name): readonly string[] {
    return this.#values.get(name) ?? []
  }

  /** A whole number within the bounds, or a UsageError that names the option. */
  integer(name: Name, bounds: { min?: number; max?: number } = {}): number | null {
    const text = this.value(name)
    if (text === null) return null
    const { min = -(2 ** 31), max = 2 ** 31 - 1 } = bounds
    const value = Number(text)
    if (!/^[+-]?\d{1,16}$/.test(text) || value < min || value > max)
      throw new UsageError(`Cannot parse argument '${text}' of option ${name}: it takes ${min} to ${max}`)
    return value
  }

  /** Which of `names` were given. */
  among<N extends Name>(names: readonly N[]): N[] {
    return names.filter(name => this.has(name))
  }
}

/**
 * Reads a command line as Apache's tools do: `--name value` or `--name=value`, a long name may be shortened as long as it
 * stays unambiguous, and the value of an option may begin with a dash.
 */
export function parseOptions<Name extends string>(
  spec: ToolSpec<Name>,
  argv: readonly string[],
): Options<Name | 'help' | 'version'> {
  const specs: Record<string, OptionSpec> = { ...spec.options, ...commonOptions }
  const values = new Map<string, string[]>()
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!
    const [, given, , joined] = /^--([^=]+)(=(.*))?$/s.exec(word) ?? []
    if (given === undefined) {
      if (word === '-h' || word === '-help') values.set('help', [''])
      else if (word.startsWith('-')) throw unknown(word.replace(/^-+/, ''), specs)
      else throw new UsageError(`${word} stands alone: every word belongs to an option`)
      continue
    }
    const name = fullName(given, specs)
    const option = specs[name]!
    let value = joined
    if (option.argument === undefined) {
      if (value !== undefined) throw new UsageError(`Option ${name} does not take a value`)
      value = ''
    } else if (value === undefined) {
      const next = argv[i + 1]
      const isBare = option.valueWhenBare !== undefined && (next === undefined || next.startsWith('-'))
      if (isBare) value = option.valueWhenBare!
      else if (next === undefined) throw new UsageError(`Option ${name} requires an argument`)
      else {
        value = next
        i++
      }
    }
    const list = values.get(name) ?? []
    if (list.length === 0) values.set(name, list)
    list.push(value)
    if (list.length > 1 && option.isRepeatable !== true && option.argument !== undefined)
      throw new UsageError(`Found multiple arguments for option ${name}, but you asked for only one`)
  }
  return new Options(values)
}

const commonOptions: Record<'help' | 'version', OptionSpec> = {
  help: { about: 'Print usage information.' },
  version: { about: 'Display the version.' },
}

function fullName(given: string, specs: Record<string, OptionSpec>): string {
  if (Object.hasOwn(specs, given)) return given
  const candidates = Object.keys(specs).filter(name => name.startsWith(given))
  if (candidates.length === 1) return candidates[0]!
  if (candidates.length > 1)
    throw new UsageError(`${given} is ambiguous: it may be --${candidates.join(', --')}`)
  throw unknown(given, specs)
}

function unknown(given: string, specs: Record<string, OptionSpec>): UsageError {
  const near = nearest(given, Object.keys(specs))
  return new UsageError(
    `${given} is not a recognized option${near === null ? '' : `; did you mean --${near}?`}`,
  )
}

/** The help of a tool: purpose, usage, options with their defaults, examples. */
export function helpText(spec: ToolSpec): string {
  const rows = Object.entries<OptionSpec>({ ...spec.options, ...commonOptions }).map(([name, option]) => {
    const argument = option.argument === undefined ? '' : ` ${option.argument}`
    const fallback = option.default === undefined ? '' : ` (default: ${option.default})`
    return `  ${`--${name}${argument}`.padEnd(44)} ${option.about}${fallback}`
  })
  const examples = spec.examples.map(line => `  ${line}`)
  const notes = spec.notes === undefined ? '' : `\n${spec.notes}\n`
  return `${spec.about}\n\nUsage: ${spec.name} [options]\n\nOptions:\n${rows.join('\n')}\n\nExamples:\n${examples.join('\n')}\n${notes}`
}

import { UsageError } from './errors.ts'

/** What a command of the shell takes besides words: switches, and options with a value. */
export interface OptionNames {
  switches?: readonly string[]
  values?: readonly string[]
}

export interface Arguments {
  switches: ReadonlySet<string>
  values: ReadonlyMap<string, string>
  words: readonly string[]
}

/** Takes a line apart at blanks; a word in single or double quotes may hold blanks. */
export function splitLine(line: string): string[] {
  return [...line.matchAll(/"([^"]*)"|'([^']*)'|([^\s"']\S*)/g)].map(m => m[1] ?? m[2] ?? m[3]!)
}

/** Options may stand anywhere and switches together (`-sw`); a negative number is a word; `--` ends options. */
export function parseArguments(
  given: readonly string[],
  { switches = [], values = [] }: OptionNames,
): Arguments {
  const result = { switches: new Set<string>(), values: new Map<string, string>(), words: [] as string[] }
  for (let i = 0; i < given.length; i++) {
    const word = given[i]!
    if (word === '--') {
      result.words.push(...given.slice(i + 1))
      break
    }
    if (!/^-./.test(word) || /^-\d+$/.test(word)) {
      result.words.push(word)
      continue
    }
    const name = word.replace(/^--?/, '')
    if (values.includes(name)) {
      const value = given[++i]
      if (value === undefined) throw new UsageError(`Missing argument for option: ${name}`)
      result.values.set(name, value)
    } else if (switches.includes(name)) result.switches.add(name)
    else if ([...name].every(letter => switches.includes(letter)))
      for (const s of name) result.switches.add(s)
    else throw new UsageError(`Unrecognized option: ${word}`)
  }
  return result
}

/** A whole number, or a UsageError that names the option. */
export function numberOf(text: string, option: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw new UsageError(`${option} takes a whole number, not ${text}`)
  return Number(text)
}

/** The version given with `-v`; −1 matches any. */
export function versionOf({ values }: Arguments): number {
  return numberOf(values.get('v') ?? '-1', '-v')
}

import { UsageError } from './options.ts'
import { ToolError } from './tool.ts'

const maxNameLength = 249

/** Topics of the brokers themselves. */
export const internalTopics: ReadonlySet<string> = new Set(['__consumer_offsets', '__transaction_state'])

/** Throws ToolError for a name no topic can have. */
export function checkTopicName(name: string): void {
  const problem =
    name === ''
      ? 'the empty string is not allowed'
      : name === '.' || name === '..'
        ? `'${name}' is not allowed`
        : name.length > maxNameLength
          ? `the length of '${name}' is longer than the max allowed length ${maxNameLength}`
          : /^[a-zA-Z0-9._-]+$/.test(name)
            ? null
            : `'${name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`
  if (problem !== null) throw new ToolError(`Topic name is invalid: ${problem}`)
}

export const collisionWarning =
  "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could collide. To avoid issues it is best to use either, but not both.\n"

export function mayCollide(name: string): boolean {
  return /[._]/.test(name)
}

/** Topics whose metrics would bear the same name. */
export function collisions(name: string, existing: Iterable<string>): string[] {
  const merged = (topic: string) => topic.replaceAll('.', '_')
  return [...existing].filter(other => other !== name && merged(other) === merged(name))
}

/** Which topics `--topic` means: a regular expression over whole names, commas for alternatives; all if not given. */
export function topicFilter(pattern: string | null, excludesInternal: boolean): (name: string) => boolean {
  const matcher = pattern === null ? null : wholeName(pattern)
  return name => (matcher === null || matcher.test(name)) && !(excludesInternal && internalTopics.has(name))
}

export function wholeName(pattern: string): RegExp {
  const alternatives = pattern
    .trim()
    .replaceAll(',', '|')
    .replaceAll(' ', '')
    .replace(/^["']+|["']+$/g, '')
  try {
    return new RegExp(`^(?:${alternatives})$`, 'u')
  } catch {
    throw new UsageError(`${pattern} is an invalid regex.`)
  }
}

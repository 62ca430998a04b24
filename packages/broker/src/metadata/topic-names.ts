/** Topics that the cluster keeps for itself. */
export const internalTopics: ReadonlySet<string> = new Set(['__consumer_offsets', '__transaction_state'])

/** What is wrong with a topic's name; null if nothing. */
export function topicNameProblem(name: string): string | null {
  if (name === '') return 'Topic name is invalid: the empty string is not allowed'
  if (name === '.' || name === '..') return `Topic name is invalid: "${name}" is not allowed`
  if (name.length > 249) {
    return `Topic name is invalid: the length of "${name.slice(0, 60)}…" is longer than the max allowed length 249`
  }
  if (!/^[A-Za-z0-9._-]+$/.test(name)) {
    return `Topic name is invalid: "${name}" contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'`
  }
  return null
}

/** Names whose metrics could not be told apart: they differ only in `.` and `_`. */
export function collidingTopics(name: string, existing: Iterable<string>): string[] {
  const key = name.replaceAll('.', '_')
  const colliding: string[] = []
  for (const other of existing) {
    if (other !== name && other.replaceAll('.', '_') === key) colliding.push(other)
  }
  return colliding
}

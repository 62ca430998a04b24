/** One `key=value` of a Java properties file, with the place it stood. */
export interface Property {
  value: string
  /** `server.properties:41` */
  where: string
}

/**
 * Reads a Java .properties text: `=`, `:` or blank between key and value, `#` and `!` comments, backslash escapes
 * (`\t \n \r \f \uXXXX`), a backslash at the end of a line continues it. A later entry replaces an earlier one.
 */
export function parseProperties(text: string, fileName: string): Map<string, Property> {
  const properties = new Map<string, Property>()
  const lines = text.split(/\r\n|\r|\n/)
  for (let index = 0; index < lines.length; index++) {
    const lineNumber = index + 1
    let line = lines[index]!.trimStart()
    if (line === '' || line[0] === '#' || line[0] === '!') continue
    while (endsInContinuation(line) && index + 1 < lines.length) {
      line = line.slice(0, -1) + lines[++index]!.trimStart()
    }
    if (endsInContinuation(line)) line = line.slice(0, -1)
    const keyEnd = endOfKey(line)
    const value = line.slice(keyEnd).replace(/^[ \t\f]*[=:]?[ \t\f]*/, '')
    properties.set(unescaped(line.slice(0, keyEnd)), {
      value: unescaped(value),
      where: `${fileName}:${lineNumber}`,
    })
  }
  return properties
}

function endsInContinuation(line: string): boolean {
  let backslashes = 0
  while (line[line.length - 1 - backslashes] === '\\') backslashes++
  return backslashes % 2 === 1
}

function endOfKey(line: string): number {
  for (let i = 0; i < line.length; i++) {
    if (line[i] === '\\') i++
    else if ('=: \t\f'.includes(line[i]!)) return i
  }
  return line.length
}

const escapes: Record<string, string> = { t: '\t', n: '\n', r: '\r', f: '\f' }

function unescaped(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|.)/gs, (_, e: string) =>
    e.length === 5 ? String.fromCharCode(Number.parseInt(e.slice(1), 16)) : (escapes[e] ?? e),
  )
}

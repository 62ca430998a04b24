import type { RecordToSend } from '../kafka-client.ts'
import { ToolError } from './tool.ts'

/** How a line of the console producer becomes a record. Property names are Apache's. */
export interface LineLayout {
  parsesKey: boolean
  keySeparator: string
  parsesHeaders: boolean
  headersDelimiter: string
  headersSeparator: string
  headersKeySeparator: string
  /** Lines that lack a separator become a value alone instead of an error. */
  ignoresErrors: boolean
  /** A key, value or header that reads so is null. */
  nullMarker: string | null
}

export const lineProperties = [
  'parse.key',
  'key.separator',
  'parse.headers',
  'headers.delimiter',
  'headers.separator',
  'headers.key.separator',
  'ignore.error',
  'null.marker',
] as const

export function lineLayout(properties: ReadonlyMap<string, string>): LineLayout {
  const text = (key: (typeof lineProperties)[number], fallback: string) => properties.get(key) ?? fallback
  const flag = (key: (typeof lineProperties)[number]) => text(key, '').trim().toLowerCase() === 'true'
  const layout = {
    parsesKey: flag('parse.key'),
    keySeparator: text('key.separator', '\t'),
    parsesHeaders: flag('parse.headers'),
    headersDelimiter: text('headers.delimiter', '\t'),
    headersSeparator: text('headers.separator', ','),
    headersKeySeparator: text('headers.key.separator', ':'),
    ignoresErrors: flag('ignore.error'),
    nullMarker: properties.get('null.marker') ?? null,
  }
  const separators = [layout.headersDelimiter, layout.headersSeparator, layout.headersKeySeparator]
  if (layout.parsesHeaders && new Set(separators).size < separators.length)
    throw new ToolError('headers.delimiter, headers.separator and headers.key.separator must differ')
  for (const [name, separator] of Object.entries(layout))
    if (separator === '') throw new ToolError(`${name} must not be empty`)
  return layout
}

/** Headers, key and value of a line, in that order. Throws ToolError that names the line. */
export function parseLine(line: string, lineNumber: number, layout: LineLayout): RecordToSend {
  let rest: string = line
  const cut = (separator: string, what: string): string | null => {
    const at = rest.indexOf(separator)
    if (at === -1) {
      if (layout.ignoresErrors) return null
      throw new ToolError(`No ${what} found on line number ${lineNumber}: '${line}'`)
    }
    const before = rest.slice(0, at)
    rest = rest.slice(at + separator.length)
    return before
  }
  const headers = layout.parsesHeaders ? cut(layout.headersDelimiter, 'header delimiter') : null
  const key = layout.parsesKey ? cut(layout.keySeparator, 'key separator') : null
  return {
    headers: headers === null ? [] : parseHeaders(headers, lineNumber, layout),
    key: key === null ? null : bytesOf(key, layout),
    value: bytesOf(rest, layout),
  }
}

function bytesOf(text: string, { nullMarker }: LineLayout): Buffer | null {
  return text === nullMarker ? null : Buffer.from(text)
}

function parseHeaders(text: string, lineNumber: number, layout: LineLayout): [string, Buffer | null][] {
  if (text === layout.nullMarker || text === '') return []
  return text.split(layout.headersSeparator).map(pair => {
    const at = pair.indexOf(layout.headersKeySeparator)
    if (at === -1) {
      if (layout.ignoresErrors) return [pair, null]
      throw new ToolError(`No header key separator found in pair '${pair}' on line number ${lineNumber}`)
    }
    const value = pair.slice(at + layout.headersKeySeparator.length)
    return [pair.slice(0, at), bytesOf(value, layout)]
  })
}

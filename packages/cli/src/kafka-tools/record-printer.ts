import { ToolError } from './tool.ts'

/** A record as a console consumer prints it. */
export interface PrintableRecord {
  partition: number
  offset: number | bigint
  /** `CreateTime:1700000000000` */
  timestamp: string
  key: Buffer | null
  value: Buffer | null
  headers: readonly (readonly [Buffer | string, Buffer | null])[]
}

export const formatterProperties = [
  'print.timestamp',
  'print.key',
  'print.offset',
  'print.partition',
  'print.headers',
  'print.value',
  'key.separator',
  'line.separator',
  'headers.separator',
  'null.literal',
  'key.deserializer',
  'value.deserializer',
  'headers.deserializer',
] as const

type PropertyName = (typeof formatterProperties)[number]
type Deserializer = (bytes: Buffer) => Buffer | string

const deserializers: Readonly<Record<string, Deserializer>> = {
  String: bytes => bytes,
  ByteArray: bytes => bytes,
  Bytes: bytes => bytes,
  ByteBuffer: bytes => bytes,
  Short: bytes => String(sized(bytes, 2).readInt16BE(0)),
  Integer: bytes => String(sized(bytes, 4).readInt32BE(0)),
  Long: bytes => String(sized(bytes, 8).readBigInt64BE(0)),
  Float: bytes => String(sized(bytes, 4).readFloatBE(0)),
  Double: bytes => String(sized(bytes, 8).readDoubleBE(0)),
  Boolean: bytes => String(sized(bytes, 1)[0] !== 0),
  UUID: bytes => bytes.toString(),
}

function sized(bytes: Buffer, size: number): Buffer {
  if (bytes.length !== size)
    throw new ToolError(`a value of ${bytes.length} bytes cannot be deserialized: ${size} are expected`)
  return bytes
}

/** `org.apache.kafka.common.serialization.LongDeserializer`, for one. Throws ToolError for a class that is not there. */
export function deserializerNamed(className: string): Deserializer {
  const [, name] = /(?:^|\.)([A-Za-z]+)Deserializer$/.exec(className.trim()) ?? []
  const found = name !== undefined && Object.hasOwn(deserializers, name) ? deserializers[name] : undefined
  if (found === undefined)
    throw new ToolError(
      `${className} is not there: known are ${Object.keys(deserializers).join(', ')} of org.apache.kafka.common.serialization`,
    )
  return found
}

/** Turns records into the bytes that are printed, as Apache's DefaultMessageFormatter lays them out. */
export class RecordPrinter {
  readonly #shows: Record<'timestamp' | 'partition' | 'offset' | 'headers' | 'key' | 'value', boolean>
  readonly #separator: string
  readonly #lineEnd: string
  readonly #headersSeparator: string
  readonly #nullLiteral: string
  readonly #key: Deserializer
  readonly #value: Deserializer
  readonly #header: Deserializer

  constructor(
    properties: ReadonlyMap<string, string>,
    classes: { key: string | null; value: string | null } = { key: null, value: null },
  ) {
    const text = (name: PropertyName, fallback: string) => properties.get(name) ?? fallback
    const flag = (name: PropertyName, fallback = 'false') =>
      text(name, fallback).trim().toLowerCase() === 'true'
    const deserializer = (name: PropertyName, given: string | null) =>
      deserializerNamed(properties.get(name) ?? given ?? 'StringDeserializer')
    this.#shows = {
      timestamp: flag('print.timestamp'),
      partition: flag('print.partition'),
      offset: flag('print.offset'),
      headers: flag('print.headers'),
      key: flag('print.key'),
      value: flag('print.value', 'true'),
    }
    this.#separator = text('key.separator', '\t')
    this.#lineEnd = text('line.separator', '\n')
    this.#headersSeparator = text('headers.separator', ',')
    this.#nullLiteral = text('null.literal', 'null')
    this.#key = deserializer('key.deserializer', classes.key)
    this.#value = deserializer('value.deserializer', classes.value)
    this.#header = deserializer('headers.deserializer', null)
  }

  print(record: PrintableRecord): Buffer {
    const shows = this.#shows
    const cells: (string | Buffer)[] = []
    if (shows.timestamp) cells.push(record.timestamp)
    if (shows.partition) cells.push(`Partition:${record.partition}`)
    if (shows.offset) cells.push(`Offset:${record.offset}`)
    if (shows.headers) cells.push(this.#headersCell(record.headers))
    if (shows.key) cells.push(this.#cell(record.key, this.#key))
    if (shows.value) cells.push(this.#cell(record.value, this.#value))
    const pieces: Buffer[] = []
    for (const [i, cell] of cells.entries()) {
      if (i > 0) pieces.push(Buffer.from(this.#separator))
      pieces.push(typeof cell === 'string' ? Buffer.from(cell) : cell)
    }
    pieces.push(Buffer.from(this.#lineEnd))
    return Buffer.concat(pieces)
  }

  #cell(bytes: Buffer | null, deserializer: Deserializer): string | Buffer {
    return bytes === null ? this.#nullLiteral : deserializer(bytes)
  }

  #headersCell(headers: PrintableRecord['headers']): string | Buffer {
    if (headers.length === 0) return 'NO_HEADERS'
    const pieces: Buffer[] = []
    for (const [i, [name, value]] of headers.entries()) {
      if (i > 0) pieces.push(Buffer.from(this.#headersSeparator))
      pieces.push(Buffer.from(name as string), Buffer.from(':'))
      pieces.push(Buffer.from(this.#cell(value, this.#header) as string))
    }
    return Buffer.concat(pieces)
  }
}

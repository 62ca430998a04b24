import type { Buffer } from 'node:buffer'
import { ByteReader, ByteWriter, MalformedBytesError } from '@vivarium/bytes'
import { compileReader, compileWriter } from './compiler.ts'

/** How one kind of value lies on the wire, in jute, ZooKeeper's serialisation. */
export interface Type<T> {
  readonly shape: Shape
  /** The fewest bytes a value can take: bounds how many elements a vector can hold. */
  readonly minBytes: number
  /** Throws MalformedBytesError when the bytes do not hold a value. Buffers share memory with the reader's. */
  read(reader: ByteReader): T
  write(writer: ByteWriter, value: T): void
}

/** What a type is made of, for those who walk over declarations. */
export type Shape =
  | { kind: 'int' | 'long' | 'boolean' | 'buffer' }
  | { kind: 'string' | 'nullable string' }
  | { kind: 'vector' | 'nullable vector'; element: Type<unknown> }
  | { kind: 'record'; name: string; fields: Fields }

export type Infer<R> = R extends Type<infer T> ? T : never

// biome-ignore lint/suspicious/noExplicitAny: a record holds fields of any type; Infer gives each its own again.
export type Fields = Readonly<Record<string, Type<any>>>

/** 4 bytes. */
export const int: Type<number> = {
  shape: { kind: 'int' },
  minBytes: 4,
  read: reader => reader.int32(),
  write: (writer, value) => writer.int32(value),
}

/** 8 bytes: zxids, session ids and times. */
export const long: Type<bigint> = {
  shape: { kind: 'long' },
  minBytes: 8,
  read: reader => reader.int64(),
  write: (writer, value) => writer.int64(value),
}

/** 1 byte; anything but 0 reads as true. */
export const boolean: Type<boolean> = {
  shape: { kind: 'boolean' },
  minBytes: 1,
  read: reader => reader.boolean(),
  write: (writer, value) => writer.boolean(value),
}

/** A length of −1 stands for null; any other negative length is an error. */
function readLength(reader: ByteReader, what: string): number {
  const length = reader.int32()
  if (length < -1) {
    throw new MalformedBytesError(`${what} at position ${reader.position - 4} has length ${length}`)
  }
  return length
}

/** UTF-8 behind its length, or null. */
export const nullableString: Type<string | null> = {
  shape: { kind: 'nullable string' },
  minBytes: 4,
  read: reader => {
    const length = readLength(reader, 'string')
    return length === -1 ? null : reader.utf8(length)
  },
  write: (writer, value) => {
    if (value === null) {
      writer.int32(-1)
      return
    }
    const at = writer.reserve(4)
    writer.utf8(value)
    writer.patchInt32(at, writer.length - at - 4)
  },
}

/** UTF-8 behind its length, most often a path; null is refused. */
export const ustring: Type<string> = {
  shape: { kind: 'string' },
  minBytes: 4,
  read: reader => {
    const length = readLength(reader, 'string')
    if (length === -1) throw new MalformedBytesError(`string at position ${reader.position - 4} is null`)
    return reader.commonUtf8(length)
  },
  write: nullableString.write,
}

/** Bytes behind their length, or null, which is not the same as empty. Shares memory with what it was read from. */
export const buffer: Type<Buffer | null> = {
  shape: { kind: 'buffer' },
  minBytes: 4,
  read: reader => {
    const length = readLength(reader, 'buffer')
    return length === -1 ? null : reader.slice(length)
  },
  write: (writer, value) => {
    if (value === null) {
      writer.int32(-1)
      return
    }
    writer.int32(value.length)
    writer.bytes(value)
  },
}

/** Elements behind their count, or null. A count that the remaining bytes cannot hold is refused before it takes memory. */
export function nullableVector<T>(element: Type<T>): Type<T[] | null> {
  return {
    shape: { kind: 'nullable vector', element },
    minBytes: 4,
    read: reader => {
      const count = readLength(reader, 'vector')
      if (count === -1) return null
      if (count * element.minBytes > reader.remaining) {
        throw new MalformedBytesError(
          `vector of ${count} at position ${reader.position - 4}, ${reader.remaining} bytes are left`,
        )
      }
      const values: T[] = []
      for (let i = 0; i < count; i++) values.push(element.read(reader))
      return values
    },
    write: (writer, values) => {
      if (values === null) {
        writer.int32(-1)
        return
      }
      writer.int32(values.length)
      for (const value of values) element.write(writer, value)
    },
  }
}

/** Elements behind their count; null reads as an empty vector. */
export function vector<T>(element: Type<T>): Type<T[]> {
  const nullable = nullableVector(element)
  return {
    shape: { kind: 'vector', element },
    minBytes: 4,
    read: reader => nullable.read(reader) ?? [],
    write: nullable.write,
  }
}

/** A record's declaration: its fields in wire order. */
export interface JuteRecord<F extends Fields> extends Type<{ -readonly [N in keyof F]: Infer<F[N]> }> {
  readonly name: string
  readonly fields: F
}

/**
 * Declares a record: its fields one after another, with nothing between them.
 *
 *     const stat = record('Stat', { czxid: long, version: int })
 *     type Stat = Infer<typeof stat>
 */
export function record<F extends Fields>(name: string, fields: F): JuteRecord<F> {
  const minBytes = Object.values(fields).reduce((sum, field) => sum + field.minBytes, 0)
  // Compiled when it is first needed: no program needs them all, and none at its start.
  const made = {
    name,
    fields,
    shape: { kind: 'record' as const, name, fields },
    minBytes,
    read: (reader: ByteReader): unknown => {
      made.read = compileReader(name, fields)
      return made.read(reader)
    },
    write: (writer: ByteWriter, value: unknown): void => {
      made.write = compileWriter(name, fields)
      made.write(writer, value)
    },
  }
  return made as JuteRecord<F>
}

/** The same record, read and written by walking over its fields: what the compiled code must agree with. */
export function interpreted<F extends Fields>({ name, fields, minBytes }: JuteRecord<F>): JuteRecord<F> {
  const entries = Object.entries(fields).map(([field, type]) => [field, plain(type)] as const)
  return {
    name,
    fields,
    shape: { kind: 'record', name, fields },
    minBytes,
    read: reader => Object.fromEntries(entries.map(([field, type]) => [field, type.read(reader)])) as never,
    write: (writer, value) => {
      for (const [field, type] of entries) type.write(writer, value[field as never])
    },
  }
}

/** A type without compiled code in it. */
function plain(type: Type<unknown>): Type<unknown> {
  switch (type.shape.kind) {
    case 'record':
      return interpreted(type as JuteRecord<Fields>) as Type<unknown>
    case 'vector':
      return vector(plain(type.shape.element)) as Type<unknown>
    case 'nullable vector':
      return nullableVector(plain(type.shape.element)) as Type<unknown>
    default:
      return type
  }
}

/** The bytes of one value. */
export function encode<T>(type: Type<T>, value: T): Buffer {
  const writer = new ByteWriter(128)
  type.write(writer, value)
  return writer.written()
}

/** The value whose bytes start `bytes`; bytes behind it are ignored, as Apache ignores them. Throws MalformedBytesError. */
export function decode<T>(type: Type<T>, bytes: Buffer): T {
  return type.read(new ByteReader(bytes))
}

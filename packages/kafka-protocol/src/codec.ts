import { type ByteReader, MalformedBytesError } from '@vivarium/bytes'
import { MessageWriter } from './message-writer.ts'
import type { Field, Fields } from './schema.ts'
import { uuidBytes, uuidText, ZERO_UUID } from './uuid.ts'

/** Reads and writes one struct in one version. */
export interface Codec {
  read(reader: ByteReader): Record<string, unknown>
  write(writer: MessageWriter, value: Readonly<Record<string, unknown>>): void
}

interface ValueCodec {
  read(reader: ByteReader): unknown
  write(writer: MessageWriter, value: unknown): void
}

const cache = new WeakMap<Fields, Map<number, Codec>>()

/**
 * The codec of `fields` in `version`; made on first use. `isLenient`: what a version has no field for is left out in
 * silence, as answers are, whose form the asking side chose; a request that loses its meaning so is refused instead.
 */
export function codecOf(fields: Fields, version: number, isFlexible: boolean, isLenient = false): Codec {
  const versions = cache.get(fields) ?? new Map<number, Codec>()
  if (versions.size === 0) cache.set(fields, versions)
  const key = version * 4 + (isFlexible ? 2 : 0) + (isLenient ? 1 : 0)
  const known = versions.get(key)
  if (known !== undefined) return known
  const codec = structCodec(fields, version, isFlexible, isLenient)
  versions.set(key, codec)
  return codec
}

function structCodec(fields: Fields, version: number, isFlexible: boolean, isLenient: boolean): Codec {
  const inline: { name: string; codec: ValueCodec; fallback: unknown }[] = []
  const tagged: { name: string; tag: number; codec: ValueCodec; fallback: unknown }[] = []
  const absent: { name: string; fallback: unknown; ignorable: boolean }[] = []
  for (const [name, field] of Object.entries(fields)) {
    const {
      since = 0,
      until = Number.POSITIVE_INFINITY,
      tag,
      taggedSince = Number.POSITIVE_INFINITY,
      ignorable = false,
    } = field.options
    const fallback = defaultOf(field)
    if (version < since || version > until) absent.push({ name, fallback, ignorable: ignorable || isLenient })
    else if (tag !== undefined && version >= taggedSince)
      tagged.push({ name, tag, codec: valueCodec(field, version, true, isLenient), fallback })
    else
      inline.push({
        name,
        codec: valueCodec(field, version, isFlexible && field.options.neverFlexible !== true, isLenient),
        fallback,
      })
  }
  tagged.sort((a, b) => a.tag - b.tag)
  // Every object has all fields, in the declared order, so that all have one shape.
  const empty = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, defaultOf(field)]))
  const fresh = Object.values(fields).some(
    field => typeof defaultOf(field) === 'object' && defaultOf(field) !== null,
  )
  return {
    read: reader => {
      const value: Record<string, unknown> = fresh ? withFreshDefaults(empty) : { ...empty }
      for (let i = 0; i < inline.length; i++) {
        const field = inline[i]!
        value[field.name] = field.codec.read(reader)
      }
      if (isFlexible) readTagged(reader, tagged, value)
      return value
    },
    write: (writer, value) => {
      for (let i = 0; i < inline.length; i++) {
        const field = inline[i]!
        const given = value[field.name]
        field.codec.write(writer, given === undefined ? field.fallback : given)
      }
      for (const { name, fallback, ignorable } of absent) {
        const given = value[name]
        if (given !== undefined && !ignorable && !isDefault(given, fallback)) {
          throw new RangeError(
            `version ${version} has no field ${name}, which is set to ${JSON.stringify(given)}`,
          )
        }
      }
      if (isFlexible) writeTagged(writer, tagged, value)
    },
  }
}

function readTagged(
  reader: ByteReader,
  known: readonly { name: string; tag: number; codec: ValueCodec }[],
  value: Record<string, unknown>,
): void {
  const count = reader.unsignedVarint()
  let last = -1
  for (let i = 0; i < count; i++) {
    const tag = reader.unsignedVarint()
    if (tag <= last) throw new MalformedBytesError(`tag ${tag} stands behind tag ${last}`)
    last = tag
    const size = reader.unsignedVarint()
    const end = reader.position + size
    if (size > reader.remaining)
      throw new MalformedBytesError(`tagged field ${tag} has ${size} bytes, ${reader.remaining} are left`)
    const field = known.find(candidate => candidate.tag === tag)
    if (field !== undefined) value[field.name] = field.codec.read(reader)
    if (reader.position > end)
      throw new MalformedBytesError(`tagged field ${tag} is longer than its ${size} bytes`)
    reader.position = end
  }
}

function writeTagged(
  writer: MessageWriter,
  known: readonly { name: string; tag: number; codec: ValueCodec; fallback: unknown }[],
  value: Readonly<Record<string, unknown>>,
): void {
  const present = known.filter(
    ({ name, fallback }) => value[name] !== undefined && !isDefault(value[name], fallback),
  )
  writer.unsignedVarint(present.length)
  for (const { name, tag, codec } of present) {
    const payload = new MessageWriter(64)
    codec.write(payload, value[name])
    writer.unsignedVarint(tag)
    writer.unsignedVarint(payload.totalLength)
    for (const piece of payload.pieces()) writer.splice(piece)
  }
}

function valueCodec(
  field: Field<unknown>,
  version: number,
  isFlexible: boolean,
  isLenient: boolean,
): ValueCodec {
  const { nullableSince = Number.POSITIVE_INFINITY, nullableUntil = Number.POSITIVE_INFINITY } = field.options
  const isNullable = version >= nullableSince && version <= nullableUntil
  switch (field.kind) {
    case 'bool':
      return { read: r => r.boolean(), write: (w, v) => w.boolean(v as boolean) }
    case 'int8':
      return { read: r => r.int8(), write: (w, v) => w.int8(v as number) }
    case 'int16':
      return { read: r => r.int16(), write: (w, v) => w.int16(v as number) }
    case 'int32':
      return { read: r => r.int32(), write: (w, v) => w.int32(v as number) }
    case 'int64':
      return { read: r => r.clampedInt64(), write: (w, v) => w.safeInt64(v as number) }
    case 'float64':
      return { read: r => r.float64(), write: (w, v) => w.float64(v as number) }
    case 'uuid':
      return { read: r => uuidText(r.slice(16, 'uuid')), write: (w, v) => w.bytes(uuidBytes(v as string)) }
    case 'string':
      return stringCodec(isFlexible, isNullable)
    case 'bytes':
    case 'records':
      return bytesCodec(isFlexible, isNullable)
    case 'array':
      return arrayCodec(valueCodec(field.element!, version, isFlexible, isLenient), isFlexible, isNullable)
    case 'struct': {
      const codec = codecOf(field.fields!, version, isFlexible, isLenient)
      if (!isNullable) return codec as ValueCodec
      // A struct that may be null says first whether it is there (KIP-893).
      return {
        read: r => (r.int8() < 0 ? null : codec.read(r)),
        write: (w, v) => {
          w.int8(v === null ? -1 : 1)
          if (v !== null) codec.write(w, v as Record<string, unknown>)
        },
      }
    }
  }
}

const maxStringBytes = 32767

function stringCodec(isFlexible: boolean, isNullable: boolean): ValueCodec {
  return {
    read: reader => {
      const length = isFlexible ? reader.unsignedVarint() - 1 : reader.int16()
      if (length === -1) {
        if (isNullable) return null
        throw new MalformedBytesError(`string at position ${reader.position} is null`)
      }
      if (length < -1 || length > maxStringBytes)
        throw new MalformedBytesError(`string at position ${reader.position} has length ${length}`)
      return reader.utf8(length)
    },
    write: (writer, value) => {
      if (value === null) {
        if (!isNullable) throw new RangeError('a string that may not be null is null')
        return isFlexible ? writer.unsignedVarint(0) : writer.int16(-1)
      }
      const length = Buffer.byteLength(value as string)
      if (length > maxStringBytes)
        throw new RangeError(`a string of ${length} bytes; ${maxStringBytes} is the most`)
      if (isFlexible) writer.unsignedVarint(length + 1)
      else writer.int16(length)
      writer.utf8(value as string, length)
    },
  }
}

function bytesCodec(isFlexible: boolean, isNullable: boolean): ValueCodec {
  return {
    read: reader => {
      const length = isFlexible ? reader.unsignedVarint() - 1 : reader.int32()
      if (length === -1) {
        if (isNullable) return null
        throw new MalformedBytesError(`bytes at position ${reader.position} are null`)
      }
      return reader.slice(length)
    },
    write: (writer, value) => {
      if (value === null) {
        if (!isNullable) throw new RangeError('bytes that may not be null are null')
        return isFlexible ? writer.unsignedVarint(0) : writer.int32(-1)
      }
      const pieces = Array.isArray(value) ? (value as Buffer[]) : [value as Buffer]
      let length = 0
      for (const piece of pieces) length += piece.length
      if (isFlexible) writer.unsignedVarint(length + 1)
      else writer.int32(length)
      for (const piece of pieces) writer.splice(piece)
    },
  }
}

function arrayCodec(element: ValueCodec, isFlexible: boolean, isNullable: boolean): ValueCodec {
  return {
    read: reader => {
      const count = isFlexible ? reader.unsignedVarint() - 1 : reader.int32()
      if (count === -1) {
        if (isNullable) return null
        throw new MalformedBytesError(`array at position ${reader.position} is null`)
      }
      // Every element takes at least a byte: a larger count is refused before it takes memory.
      if (count < -1 || count > reader.remaining) {
        throw new MalformedBytesError(
          `array at position ${reader.position} has ${count} elements, ${reader.remaining} bytes are left`,
        )
      }
      const values: unknown[] = []
      for (let i = 0; i < count; i++) values.push(element.read(reader))
      return values
    },
    write: (writer, value) => {
      if (value === null) {
        if (!isNullable) throw new RangeError('an array that may not be null is null')
        return isFlexible ? writer.unsignedVarint(0) : writer.int32(-1)
      }
      const values = value as readonly unknown[]
      if (isFlexible) writer.unsignedVarint(values.length + 1)
      else writer.int32(values.length)
      for (let i = 0; i < values.length; i++) element.write(writer, values[i])
    },
  }
}

function defaultOf(field: Field<unknown>): unknown {
  if (field.options.default !== undefined) return field.options.default
  switch (field.kind) {
    case 'bool':
      return false
    case 'string':
      return ''
    case 'uuid':
      return ZERO_UUID
    case 'bytes':
    case 'records':
      return noBytes
    case 'array':
      return []
    case 'struct':
      return Object.fromEntries(
        Object.entries(field.fields!).map(([name, inner]) => [name, defaultOf(inner)]),
      )
    default:
      return 0
  }
}

const noBytes = Buffer.alloc(0)

/** Defaults that are objects are not shared between messages. */
function withFreshDefaults(empty: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const value: Record<string, unknown> = { ...empty }
  for (const name in value) {
    const fallback = value[name]
    if (Array.isArray(fallback)) value[name] = []
    else if (fallback !== null && typeof fallback === 'object' && !Buffer.isBuffer(fallback))
      value[name] = { ...fallback }
  }
  return value
}

function isDefault(value: unknown, fallback: unknown): boolean {
  if (value === fallback) return true
  if (Array.isArray(value) && Array.isArray(fallback)) return value.length === 0
  if (Buffer.isBuffer(value) && Buffer.isBuffer(fallback)) return value.length === 0
  if (value !== null && typeof value === 'object' && fallback !== null && typeof fallback === 'object') {
    return Object.entries(fallback).every(([name, inner]) => {
      const given = (value as Record<string, unknown>)[name]
      return given === undefined || isDefault(given, inner)
    })
  }
  return false
}

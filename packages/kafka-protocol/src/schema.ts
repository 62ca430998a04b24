/** In which versions a field stands, and what it is when it does not. Source: Kafka's message definitions (README of `message/`). */
export interface FieldOptions {
  /** First version that has the field; 0 if absent. */
  since?: number
  /** Last version that has it. */
  until?: number
  /** First and last version in which it may be null. */
  nullableSince?: number
  nullableUntil?: number
  /** What it is where it does not stand. Absent: 0, false, '', empty, zero uuid. */
  default?: unknown
  /** Its number in the section of tagged fields, from `taggedSince` on. */
  tag?: number
  taggedSince?: number
  /** A value other than the default may be left out for a version that lacks the field. */
  ignorable?: boolean
  /** Never encoded compactly, whatever the version (ClientId in request headers). */
  neverFlexible?: boolean
}

export type Kind =
  | 'bool'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'float64'
  | 'string'
  | 'uuid'
  | 'bytes'
  | 'records'
  | 'array'
  | 'struct'

/** A field's declaration; `T` is what it holds once decoded. */
export interface Field<T> {
  readonly kind: Kind
  readonly options: FieldOptions
  /** Of an array: what it holds. */
  readonly element?: Field<unknown>
  /** Of a struct. */
  readonly fields?: Fields
  readonly _type?: T
}

// biome-ignore lint/suspicious/noExplicitAny: fields of any type stand side by side; Infer gives each its own again.
export type Fields = Readonly<Record<string, Field<any>>>

export type Infer<F> =
  F extends Field<infer T> ? T : F extends Fields ? { [N in keyof F]: Infer<F[N]> } : never

/** What may be given for encoding: whatever is left out takes its default; bytes may come in pieces. */
export type Encodable<T> = T extends Buffer
  ? Buffer | readonly Buffer[]
  : T extends readonly (infer E)[]
    ? readonly Encodable<E>[]
    : T extends object
      ? { readonly [N in keyof T]?: Encodable<T[N]> | undefined }
      : T

type Maybe<T, O> = O extends { nullableSince: number } ? T | null : T

type Plain<T> = <const O extends FieldOptions = Record<never, never>>(options?: O) => Field<Maybe<T, O>>

function plain<T>(kind: Kind): Plain<T> {
  return options => ({ kind, options: options ?? {} })
}

export const bool: Plain<boolean> = plain<boolean>('bool')
export const int8: Plain<number> = plain<number>('int8')
export const int16: Plain<number> = plain<number>('int16')
export const int32: Plain<number> = plain<number>('int32')
/** A number of at most 53 bits; larger ones, which only stand for «no limit», are cut to ±(2⁵³−1). */
export const int64: Plain<number> = plain<number>('int64')
export const float64: Plain<number> = plain<number>('float64')
export const string: Plain<string> = plain<string>('string')
/** In Kafka's text form: 22 characters of URL-safe base64. */
export const uuid: Plain<string> = plain<string>('uuid')
/** Shares memory with the frame it was decoded from. */
export const bytes: Plain<Buffer> = plain<Buffer>('bytes')
/** Record batches; shares memory with the frame. */
export const records: Plain<Buffer> = plain<Buffer>('records')

/** Several of one type. */
export function array<E extends Field<unknown> | Fields, const O extends FieldOptions = Record<never, never>>(
  element: E,
  options?: O,
): Field<Maybe<Infer<E>[], O>> {
  const isField =
    typeof (element as Field<unknown>).kind === 'string' &&
    typeof (element as Field<unknown>).options === 'object'
  return {
    kind: 'array',
    options: options ?? {},
    element: (isField ? element : struct(element as Fields)) as Field<unknown>,
  }
}

/** Fields that belong together. */
export function struct<F extends Fields, const O extends FieldOptions = Record<never, never>>(
  fields: F,
  options?: O,
): Field<Maybe<Infer<F>, O>> {
  return { kind: 'struct', options: options ?? {}, fields }
}

/** One request with its response, for all versions. */
export interface Api<Q extends Fields = Fields, R extends Fields = Fields> {
  readonly key: number
  readonly name: string
  /** Oldest and newest version the declaration describes. */
  readonly versions: readonly [number, number]
  /** First version with compact encodings and tagged fields; null if none has them. */
  readonly flexibleFrom: number | null
  readonly request: Q
  readonly response: R
}

export function api<const Q extends Fields, const R extends Fields>(
  head: { key: number; name: string; versions: readonly [number, number]; flexibleFrom: number | null },
  request: Q,
  response: R,
): Api<Q, R> {
  return { ...head, request, response }
}

/** Data that is stored, not sent: a version number goes before it. */
export interface StoredRecord<F extends Fields = Fields> {
  readonly name: string
  readonly versions: readonly [number, number]
  readonly flexibleFrom: number | null
  readonly fields: F
}

export function stored<const F extends Fields>(
  head: { name: string; versions: readonly [number, number]; flexibleFrom: number | null },
  fields: F,
): StoredRecord<F> {
  return { ...head, fields }
}

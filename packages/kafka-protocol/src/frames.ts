import { ByteReader, MalformedBytesError } from '@vivarium/bytes'
import { codecOf } from './codec.ts'
import { MessageWriter } from './message-writer.ts'
import { apiByKey } from './messages/index.ts'
import {
  type Api,
  type Encodable,
  type Fields,
  type Infer,
  int16,
  int32,
  type StoredRecord,
  string,
} from './schema.ts'

/** A request of an API, or a version of it, that is not known. */
export class UnsupportedVersionError extends Error {
  override name = 'UnsupportedVersionError'
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number

  constructor(apiKey: number, apiVersion: number, correlationId: number) {
    super(`API key ${apiKey} is not known in version ${apiVersion}`)
    this.apiKey = apiKey
    this.apiVersion = apiVersion
    this.correlationId = correlationId
  }
}

const requestHeader = {
  apiKey: int16(),
  apiVersion: int16(),
  correlationId: int32(),
  clientId: string({ since: 1, nullableSince: 1, default: null, neverFlexible: true }),
}

export interface DecodedRequest {
  api: Api
  apiVersion: number
  correlationId: number
  clientId: string | null
  /** Has the type of `api.request`. */
  body: unknown
}

const controlledShutdownKey = 7
const apiVersionsKey = 18

export function isFlexible(api: { flexibleFrom: number | null }, version: number): boolean {
  return api.flexibleFrom !== null && version >= api.flexibleFrom
}

function requestHeaderVersion(api: Api, version: number): number {
  if (api.key === controlledShutdownKey && version === 0) return 0
  return isFlexible(api, version) ? 2 : 1
}

/** ApiVersions is asked before anyone knows what the other understands: its response has the oldest header. */
function responseHeaderIsFlexible(api: Api, version: number): boolean {
  return api.key !== apiVersionsKey && isFlexible(api, version)
}

/** Decodes a frame (without its size). Throws UnsupportedVersionError or MalformedBytesError. */
export function decodeRequest(frame: Buffer): DecodedRequest {
  if (frame.length < 8) throw new MalformedBytesError(`a request of ${frame.length} bytes has no header`)
  const apiKey = frame.readInt16BE(0)
  const apiVersion = frame.readInt16BE(2)
  const api = apiByKey(apiKey)
  if (api === null || apiVersion < api.versions[0] || apiVersion > api.versions[1]) {
    throw new UnsupportedVersionError(apiKey, apiVersion, frame.readInt32BE(4))
  }
  const reader = new ByteReader(frame)
  const headerVersion = requestHeaderVersion(api, apiVersion)
  const header = codecOf(requestHeader, headerVersion, headerVersion === 2).read(reader)
  const body = codecOf(api.request, apiVersion, isFlexible(api, apiVersion)).read(reader)
  return {
    api,
    apiVersion,
    correlationId: header.correlationId as number,
    clientId: header.clientId as string | null,
    body,
  }
}

/** A whole frame, with its size. */
export function encodeRequest<Q extends Fields, R extends Fields>(
  api: Api<Q, R>,
  apiVersion: number,
  header: { correlationId: number; clientId: string | null },
  body: Encodable<Infer<Q>>,
): Buffer {
  const writer = new MessageWriter(256)
  writer.int32(0)
  const headerVersion = requestHeaderVersion(api, apiVersion)
  codecOf(requestHeader, headerVersion, headerVersion === 2).write(writer, {
    apiKey: api.key,
    apiVersion,
    ...header,
  })
  codecOf(api.request, apiVersion, isFlexible(api, apiVersion)).write(writer, body as Record<string, unknown>)
  writer.patchInt32(0, writer.totalLength - 4)
  const pieces = writer.pieces()
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
}

/** A whole frame, with its size, in pieces: large fields are passed on as they are. */
export function encodeResponse<Q extends Fields, R extends Fields>(
  api: Api<Q, R>,
  apiVersion: number,
  correlationId: number,
  body: Encodable<Infer<R>>,
): Buffer[] {
  const writer = new MessageWriter(512)
  writer.int32(0)
  writer.int32(correlationId)
  if (responseHeaderIsFlexible(api, apiVersion)) writer.unsignedVarint(0)
  codecOf(api.response, apiVersion, isFlexible(api, apiVersion), true).write(
    writer,
    body as Record<string, unknown>,
  )
  writer.patchInt32(0, writer.totalLength - 4)
  return writer.pieces()
}

/** Decodes a frame (without its size). */
export function decodeResponse<Q extends Fields, R extends Fields>(
  api: Api<Q, R>,
  apiVersion: number,
  frame: Buffer,
): { correlationId: number; body: Infer<R> } {
  const reader = new ByteReader(frame)
  const correlationId = reader.int32()
  if (responseHeaderIsFlexible(api, apiVersion)) codecOf({}, 0, true).read(reader)
  return {
    correlationId,
    body: codecOf(api.response, apiVersion, isFlexible(api, apiVersion)).read(reader) as Infer<R>,
  }
}

/** A stored record, behind its version. */
export function encodeStored<F extends Fields>(
  schema: StoredRecord<F>,
  version: number,
  value: Encodable<Infer<F>>,
): Buffer {
  const writer = new MessageWriter(128)
  writer.int16(version)
  codecOf(schema.fields, version, isFlexible(schema, version)).write(writer, value as Record<string, unknown>)
  const pieces = writer.pieces()
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
}

/** Throws MalformedBytesError for an unknown version. */
export function decodeStored<F extends Fields>(
  schema: StoredRecord<F>,
  bytes: Buffer,
): { version: number; value: Infer<F> } {
  const reader = new ByteReader(bytes)
  const version = reader.int16()
  if (version < schema.versions[0] || version > schema.versions[1]) {
    throw new MalformedBytesError(
      `${schema.name} of version ${version}; known are ${schema.versions[0]} to ${schema.versions[1]}`,
    )
  }
  return {
    version,
    value: codecOf(schema.fields, version, isFlexible(schema, version)).read(reader) as Infer<F>,
  }
}

import type { Api, Encodable, Infer } from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'

/** Who asks, and in which version. */
export interface RequestContext {
  readonly apiVersion: number
  readonly correlationId: number
  /** '' when the client gave none. */
  readonly clientId: string
  readonly listenerName: string
  readonly clientHost: string
  /** `User:ANONYMOUS` on a plaintext listener. */
  readonly principal: string
}

/** Thrown by a handler when the connection must be closed instead of answered. */
export class CloseConnection extends Error {
  override name = 'CloseConnection'
}

/** One API as this broker serves it. */
export interface Handler {
  readonly api: Api
  /** What ApiVersions advertises. */
  readonly versions: readonly [number, number]
  /** null: nothing is answered (Produce with acks=0). */
  handle(request: unknown, context: RequestContext, broker: Broker): unknown
}

type ResponseOf<A extends Api> = Encodable<Infer<A['response']>>

/** Declares how an API is served, in which versions. */
export function handler<A extends Api>(
  api: A,
  versions: readonly [number, number],
  handle: (
    request: Infer<A['request']>,
    context: RequestContext,
    broker: Broker,
  ) => ResponseOf<A> | null | Promise<ResponseOf<A> | null>,
): Handler {
  return { api, versions, handle: handle as Handler['handle'] }
}

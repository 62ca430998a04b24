import { FrameDecoder, MalformedBytesError } from '@vivarium/bytes'
import {
  apiVersions,
  decodeRequest,
  encodeResponse,
  errorCode,
  UnsupportedVersionError,
} from '@vivarium/kafka-protocol'
import type { Connection, Log } from '@vivarium/platform'
import type { Broker } from '../broker.ts'
import { CloseConnection, type Handler } from '../handlers/handler.ts'

/** Requests that wait behind the one being served, in bytes; at the bound the socket is not read. */
const maxQueuedBytes = 1024 * 1024

/** Answers the client has not taken; beyond this nothing more is served to it until it has. */
const maxUnsentBytes = 1024 * 1024

/**
 * One client's connection. Requests are served one after another, so that answers leave in order and a producer's batches
 * stay in sequence; what a client sends ahead waits here, and beyond a bound in its own socket.
 */
export class RequestConnection {
  readonly #connection: Connection
  readonly #broker: Broker
  readonly #handlers: ReadonlyMap<number, Handler>
  readonly #listenerName: string
  readonly #log: Log
  readonly #decoder: FrameDecoder
  #queue: Buffer[] = []
  #queuedBytes = 0
  #isServing = false
  #isPaused = false
  #isClosed = false
  /** When something was last heard or said, for closing idle connections. */
  lastActiveMs: number

  constructor(
    connection: Connection,
    broker: Broker,
    options: {
      handlers: ReadonlyMap<number, Handler>
      listenerName: string
      onClosed: (connection: RequestConnection) => void
    },
  ) {
    this.#connection = connection
    this.#broker = broker
    this.#handlers = options.handlers
    this.#listenerName = options.listenerName
    this.#log = broker.log.named('kafka.network.Processor')
    this.#decoder = new FrameDecoder(broker.settings.values['socket.request.max.bytes']!)
    this.lastActiveMs = broker.clock.monotonicMs()
    connection.onData = chunk => this.#receive(chunk)
    connection.onDrain = () => this.#serveNext()
    connection.onClose = () => {
      this.#isClosed = true
      this.#queue = []
      options.onClosed(this)
    }
  }

  get remoteHost(): string {
    return this.#connection.remote.host
  }

  get isIdle(): boolean {
    return !this.#isServing
  }

  #receive(chunk: Buffer): void {
    if (this.#isClosed) return
    this.lastActiveMs = this.#broker.clock.monotonicMs()
    try {
      this.#decoder.push(chunk, frame => {
        this.#queue.push(frame)
        this.#queuedBytes += frame.length
      })
    } catch (error) {
      if (!(error instanceof MalformedBytesError)) throw error
      return this.close(error.message)
    }
    this.#serveNext()
    if (this.#queuedBytes > maxQueuedBytes && !this.#isPaused) {
      this.#isPaused = true
      this.#connection.pause()
    }
  }

  /** Serves what is queued for as long as answers are there at once. */
  #serveNext(): void {
    while (!this.#isServing && !this.#isClosed && this.#connection.pendingBytes <= maxUnsentBytes) {
      const frame = this.#queue.shift()
      if (frame === undefined) break
      this.#queuedBytes -= frame.length
      this.#serve(frame)
    }
    this.#resumeIfPossible()
  }

  #resumeIfPossible(): void {
    if (!this.#isPaused || this.#isClosed || this.#queuedBytes > maxQueuedBytes / 2) return
    this.#isPaused = false
    this.#connection.resume()
  }

  #serve(frame: Buffer): void {
    let request: ReturnType<typeof decodeRequest>
    try {
      request = decodeRequest(frame)
    } catch (error) {
      return this.#refuse(error as Error)
    }
    const { api, apiVersion, correlationId, clientId, body } = request
    const handler = this.#handlers.get(api.key)
    if (handler === undefined || apiVersion < handler.versions[0] || apiVersion > handler.versions[1]) {
      return this.#refuse(new UnsupportedVersionError(api.key, apiVersion, correlationId))
    }
    const context = {
      apiVersion,
      correlationId,
      clientId: clientId ?? '',
      listenerName: this.#listenerName,
      clientHost: this.remoteHost,
      principal: 'User:ANONYMOUS',
    }
    let result: unknown
    try {
      result = handler.handle(body, context, this.#broker)
    } catch (error) {
      return this.#failed(error as Error, api.name)
    }
    if (!(result instanceof Promise)) return this.#answer(handler, apiVersion, correlationId, result)
    this.#isServing = true
    result.then(
      response => {
        this.#isServing = false
        this.#answer(handler, apiVersion, correlationId, response)
        this.#serveNext()
      },
      error => {
        this.#isServing = false
        this.#failed(error as Error, api.name)
      },
    )
  }

  #answer(handler: Handler, apiVersion: number, correlationId: number, response: unknown): void {
    if (response === null || this.#isClosed) return
    let pieces: Buffer[]
    try {
      pieces = encodeResponse(handler.api, apiVersion, correlationId, response as never)
    } catch (error) {
      return this.#failed(error as Error, handler.api.name)
    }
    this.lastActiveMs = this.#broker.clock.monotonicMs()
    for (const piece of pieces) this.#connection.write(piece)
  }

  /** A version of ApiVersions nobody knows is the one request that is answered all the same: with what is known. */
  #refuse(error: Error): void {
    if (
      error instanceof UnsupportedVersionError &&
      error.apiKey === apiVersions.key &&
      error.apiVersion >= 0
    ) {
      const apiKeys = [...this.#handlers.values()].map(({ api, versions: [minVersion, maxVersion] }) => ({
        apiKey: api.key,
        minVersion,
        maxVersion,
      }))
      const pieces = encodeResponse(apiVersions, 0, error.correlationId, {
        errorCode: errorCode.UNSUPPORTED_VERSION,
        apiKeys,
      })
      for (const piece of pieces) this.#connection.write(piece)
      return
    }
    this.close(error.message)
  }

  #failed(error: Error, apiName: string): void {
    if (!(error instanceof CloseConnection))
      this.#broker.log
        .named('kafka.server.KafkaApis')
        .error(`Unexpected error handling request ${apiName}`, error)
    this.close(`${apiName} failed: ${error.message}`)
  }

  close(reason: string): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#log.warn(
      `Closing the connection of ${this.#connection.remote.host}:${this.#connection.remote.port}: ${reason}`,
    )
    this.#connection.end()
    this.#connection.destroy()
  }

  /** Closes without a word in the log: nothing is wrong. */
  end(): void {
    this.#isClosed = true
    this.#connection.end()
  }
}

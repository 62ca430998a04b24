import { FrameDecoder, MalformedBytesError } from '@vivarium/bytes'
import {
  type Api,
  apiVersions,
  decodeResponse,
  type Encodable,
  encodeRequest,
  errorCode,
  type Fields,
  type Infer,
} from '@vivarium/kafka-protocol'
import type { Address, Connection } from '@vivarium/platform'
import { nodeNetwork } from '@vivarium/platform/node'
import { version } from '../version.ts'
import { ToolError } from './tool.ts'

const maxResponseBytes = 128 * 1024 * 1024

interface Waiting {
  resolve: (frame: Buffer) => void
  reject: (error: Error) => void
  timer: NodeJS.Timeout
}

/** A broker could not be reached, or the connection went before it answered. */
export class ConnectionError extends ToolError {
  override name = 'ConnectionError'
}

/** One connection to a broker, which knows the versions the broker understands. */
export class BrokerConnection {
  readonly address: Address
  /** Lowest and highest version of each API key. */
  readonly versions = new Map<number, readonly [number, number]>()
  readonly #connection: Connection
  readonly #clientId: string
  readonly #waiting = new Map<number, Waiting>()
  #nextCorrelationId = 0
  #closed: Error | null = null

  private constructor(address: Address, connection: Connection, clientId: string) {
    this.address = address
    this.#connection = connection
    this.#clientId = clientId
    const frames = new FrameDecoder(maxResponseBytes)
    connection.onData = chunk => {
      try {
        frames.push(chunk, frame => this.#take(frame))
      } catch (error) {
        this.#fail(
          new ConnectionError(`${this.#name} sent what is no Kafka response: ${(error as Error).message}`),
        )
      }
    }
    connection.onClose = error =>
      this.#fail(
        new ConnectionError(`${this.#name} closed the connection${error ? `: ${error.message}` : ''}`),
      )
  }

  static async open(
    address: Address,
    options: { clientId: string; timeoutMs: number },
  ): Promise<BrokerConnection> {
    const { clientId, timeoutMs } = options
    let connection: Connection
    try {
      connection = await nodeNetwork.connect(address, { timeoutMs })
    } catch (error) {
      throw new ConnectionError(`${address.host}:${address.port}: ${(error as Error).message}`)
    }
    const broker = new BrokerConnection(address, connection, clientId)
    try {
      await broker.#learnVersions(timeoutMs)
    } catch (error) {
      broker.close()
      throw error
    }
    return broker
  }

  get isClosed(): boolean {
    return this.#closed !== null
  }

  /** The newest version both sides know. Throws ToolError if there is none, or none of at least `atLeast`. */
  versionOf(api: Api, atLeast = 0): number {
    const theirs = this.versions.get(api.key)
    const highest = Math.min(api.versions[1], theirs?.[1] ?? -1)
    if (theirs === undefined || highest < Math.max(api.versions[0], theirs[0], atLeast))
      throw new ToolError(`${this.#name} does not support ${api.name}${atLeast > 0 ? ` v${atLeast}` : ''}`)
    return highest
  }

  async request<Q extends Fields, R extends Fields>(
    api: Api<Q, R>,
    body: Encodable<Infer<Q>>,
    options: { timeoutMs: number; version?: number },
  ): Promise<Infer<R>> {
    const version = options.version ?? this.versionOf(api as unknown as Api)
    const frame = await this.#exchange(api, version, body, options.timeoutMs)
    try {
      return decodeResponse(api, version, frame).body
    } catch (error) {
      if (!(error instanceof MalformedBytesError)) throw error
      throw new ConnectionError(`${this.#name} sent a malformed ${api.name} response: ${error.message}`)
    }
  }

  close(): void {
    this.#fail(new ConnectionError(`the connection to ${this.#name} was closed here`))
  }

  get #name(): string {
    return `${this.address.host}:${this.address.port}`
  }

  async #learnVersions(timeoutMs: number): Promise<void> {
    const software = { clientSoftwareName: 'vivarium', clientSoftwareVersion: version }
    const frame = await this.#exchange(apiVersions, 3, software, timeoutMs)
    // A broker that does not know the version asked for answers in the oldest one (KIP-511).
    const isOldest = frame.readInt16BE(4) === errorCode.UNSUPPORTED_VERSION
    const answer = isOldest
      ? decodeResponse(apiVersions, 0, await this.#exchange(apiVersions, 0, {}, timeoutMs)).body
      : decodeResponse(apiVersions, 3, frame).body
    for (const { apiKey, minVersion, maxVersion } of answer.apiKeys)
      this.versions.set(apiKey, [minVersion, maxVersion])
  }

  #exchange<Q extends Fields, R extends Fields>(
    api: Api<Q, R>,
    version: number,
    body: Encodable<Infer<Q>>,
    timeoutMs: number,
  ): Promise<Buffer> {
    if (this.#closed !== null) return Promise.reject(this.#closed)
    const correlationId = this.#nextCorrelationId++
    const bytes = encodeRequest(api, version, { correlationId, clientId: this.#clientId }, body)
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          this.#fail(new ConnectionError(`${this.#name} did not answer ${api.name} within ${timeoutMs} ms`)),
        timeoutMs,
      )
      this.#waiting.set(correlationId, { resolve, reject, timer })
      this.#connection.write(bytes)
    })
  }

  #take(frame: Buffer): void {
    const waiting = frame.length < 6 ? undefined : this.#waiting.get(frame.readInt32BE(0))
    if (waiting === undefined) {
      this.#fail(new ConnectionError(`${this.#name} answered what was not asked`))
      return
    }
    this.#waiting.delete(frame.readInt32BE(0))
    clearTimeout(waiting.timer)
    waiting.resolve(frame)
  }

  #fail(error: Error): void {
    if (this.#closed !== null) return
    this.#closed = error
    this.#connection.destroy()
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer)
      reject(error)
    }
    this.#waiting.clear()
  }
}

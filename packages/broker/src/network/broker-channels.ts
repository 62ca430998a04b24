import { FrameDecoder } from '@vivarium/bytes'
import {
  type Api,
  decodeResponse,
  type Encodable,
  encodeRequest,
  type Fields,
  type Infer,
} from '@vivarium/kafka-protocol'
import type { Address, Clock, Connection, Network, Timer } from '@vivarium/platform'

const maxResponseBytes = 256 * 1024 * 1024

interface Waiting {
  api: Api
  apiVersion: number
  resolve(body: unknown): void
  reject(error: Error): void
  timer: Timer
}

/** A connection to another broker, opened when needed and again after it broke. Requests are answered in order. */
class Channel {
  readonly #world: { network: Network; clock: Clock }
  readonly #address: Address
  readonly #clientId: string
  #connection: Promise<Connection> | null = null
  /** The one that works now; what an earlier one still says is not for this channel's waiters. */
  #current: Connection | null = null
  #waiting: { correlationId: number; waiting: Waiting }[] = []
  #nextCorrelationId = 0
  #isClosed = false

  constructor(world: { network: Network; clock: Clock }, address: Address, clientId: string) {
    this.#world = world
    this.#address = address
    this.#clientId = clientId
  }

  async request(api: Api, apiVersion: number, body: unknown, timeoutMs: number): Promise<unknown> {
    if (this.#isClosed) throw new Error('the channel is closed')
    this.#connection ??= this.#connect(timeoutMs)
    const connection = await this.#connection
    if (connection !== this.#current) throw new Error('the connection broke')
    const correlationId = this.#nextCorrelationId++
    // Before anything waits for the answer: a body that cannot be said in this version is refused here.
    const frame = encodeRequest(api, apiVersion, { correlationId, clientId: this.#clientId }, body as never)
    return new Promise((resolve, reject) => {
      const timer = this.#world.clock.after(timeoutMs, () =>
        this.#broke(
          connection,
          new Error(
            `${api.name} to ${this.#address.host}:${this.#address.port} was not answered within ${timeoutMs} ms`,
          ),
        ),
      )
      this.#waiting.push({ correlationId, waiting: { api, apiVersion, resolve, reject, timer } })
      connection.write(frame)
    })
  }

  async #connect(timeoutMs: number): Promise<Connection> {
    try {
      const connection = await this.#world.network.connect(this.#address, { timeoutMs })
      const decoder = new FrameDecoder(maxResponseBytes)
      this.#current = connection
      connection.onData = chunk => {
        if (connection !== this.#current) return
        try {
          decoder.push(chunk, frame => this.#answered(frame))
        } catch (error) {
          this.#broke(connection, error as Error)
        }
      }
      connection.onClose = error =>
        this.#broke(
          connection,
          error ?? new Error(`${this.#address.host}:${this.#address.port} closed the connection`),
        )
      return connection
    } catch (error) {
      this.#connection = null
      throw error
    }
  }

  #answered(frame: Buffer): void {
    const first = this.#waiting.shift()
    if (first === undefined) throw new Error('an answer nobody asked for')
    const { api, apiVersion, resolve, reject, timer } = first.waiting
    timer.cancel()
    try {
      const { correlationId, body } = decodeResponse(api, apiVersion, frame)
      if (correlationId !== first.correlationId)
        throw new Error(`the answer to ${correlationId} came for ${first.correlationId}`)
      resolve(body)
    } catch (error) {
      // What follows cannot be trusted either: the caller of this closes the connection.
      reject(error as Error)
      throw error
    }
  }

  #broke(connection: Connection, error: Error): void {
    connection.destroy()
    if (connection !== this.#current) return
    this.#current = null
    this.#connection = null
    const waiting = this.#waiting
    this.#waiting = []
    for (const { waiting: one } of waiting) {
      one.timer.cancel()
      one.reject(error)
    }
  }

  close(): void {
    this.#isClosed = true
    const connection = this.#connection
    connection?.then(
      open => this.#broke(open, new Error('this broker stops')),
      () => {},
    )
  }
}

/** Connections to the other brokers of the cluster, over the inter-broker listener. */
export class BrokerChannels {
  readonly #world: { network: Network; clock: Clock }
  readonly #clientId: string
  readonly #addressOf: (brokerId: number) => Address | null
  readonly #channels = new Map<string, Channel>()

  constructor(
    world: { network: Network; clock: Clock },
    clientId: string,
    addressOf: (brokerId: number) => Address | null,
  ) {
    this.#world = world
    this.#clientId = clientId
    this.#addressOf = addressOf
  }

  /** Sends a request to a broker by id. Rejects when it is not known, not reachable, or does not answer in time. */
  request<Q extends Fields, R extends Fields>(
    brokerId: number,
    api: Api<Q, R>,
    apiVersion: number,
    body: Encodable<Infer<Q>>,
    options: { timeoutMs: number; purpose?: string },
  ): Promise<Infer<R>> {
    const address = this.#addressOf(brokerId)
    if (address === null) return Promise.reject(new Error(`broker ${brokerId} is not known to be alive`))
    return this.requestTo(address, api, apiVersion, body, options)
  }

  /**
   * The same by address. `purpose` keeps kinds of traffic apart: a fetch that waits at the other end must not hold up
   * requests behind it.
   */
  async requestTo<Q extends Fields, R extends Fields>(
    address: Address,
    api: Api<Q, R>,
    apiVersion: number,
    body: Encodable<Infer<Q>>,
    { timeoutMs, purpose = 'control' }: { timeoutMs: number; purpose?: string },
  ): Promise<Infer<R>> {
    const key = `${address.host}:${address.port} ${purpose}`
    let channel = this.#channels.get(key)
    if (channel === undefined) {
      channel = new Channel(this.#world, address, this.#clientId)
      this.#channels.set(key, channel)
    }
    return (await channel.request(api as unknown as Api, apiVersion, body, timeoutMs)) as Infer<R>
  }

  close(): void {
    for (const channel of this.#channels.values()) channel.close()
    this.#channels.clear()
  }
}

import {
  errorCode,
  errorName,
  type LeaderAndIsrResponse,
  leaderAndIsr,
  type StopReplicaResponse,
  stopReplica,
  updateMetadata,
} from '@vivarium/kafka-protocol'
import { type Address, background, type Clock, type Log } from '@vivarium/platform'
import type { BrokerChannels } from '../network/broker-channels.ts'
import type { LiveBroker } from './controller-context.ts'
import type { ControlRequest } from './effects.ts'

/** Pause before a request that could not be delivered is sent again. */
const retryMs = 100

/** Versions that brokers of inter.broker.protocol.version 3.4 and later speak; never negotiated. */
const versions = { LeaderAndIsr: 7, UpdateMetadata: 8, StopReplica: 4 } as const

export interface QueueHost {
  readonly controllerId: number
  readonly controllerEpoch: number
  readonly channels: BrokerChannels
  readonly clock: Clock
  readonly log: Log
  readonly interBrokerListener: string
  readonly requestTimeoutMs: number
  /** A broker has answered a LeaderAndIsr or StopReplica; called in the order of the requests to that broker. */
  onLeaderAndIsr(broker: number, answer: LeaderAndIsrResponse): void
  onStopReplica(broker: number, request: StopRequest, answer: StopReplicaResponse): void
}

type StopRequest = Extract<ControlRequest, { api: 'StopReplica' }>

/**
 * The controller's requests to one broker: strictly in order, one in flight, each repeated until it is answered or the
 * broker is gone, since everything later builds on it.
 */
class ControlQueue {
  readonly broker: LiveBroker
  address: Address
  readonly #host: QueueHost
  readonly #waiting: ControlRequest[] = []
  #isSending = false
  #isClosed = false

  constructor(broker: LiveBroker, address: Address, host: QueueHost) {
    this.broker = broker
    this.address = address
    this.#host = host
  }

  push(request: ControlRequest): void {
    this.#waiting.push(request)
    if (this.#isSending) return
    this.#isSending = true
    background(this.#sendAll(), error =>
      this.#host.log.error(`Sending to broker ${this.broker.id} ended unexpectedly`, error),
    )
  }

  close(): void {
    this.#isClosed = true
    this.#waiting.length = 0
  }

  async #sendAll(): Promise<void> {
    let hasComplained = false
    while (!this.#isClosed && this.#waiting.length > 0) {
      const request = this.#waiting[0]!
      try {
        await this.#sendOne(request)
        this.#waiting.shift()
        hasComplained = false
      } catch (error) {
        if (this.#isClosed) break
        if (!hasComplained) {
          this.#host.log.warn(
            `${request.api} to broker ${this.broker.id} (${this.address.host}:${this.address.port}) was not answered; it is repeated until it is: ${(error as Error).message}`,
          )
          hasComplained = true
        }
        await new Promise<void>(resolve => this.#host.clock.after(retryMs, resolve))
      }
    }
    this.#isSending = false
  }

  async #sendOne(request: ControlRequest): Promise<void> {
    const { channels, controllerId, controllerEpoch, requestTimeoutMs, log } = this.#host
    const head = { controllerId, controllerEpoch, brokerEpoch: this.broker.epoch }
    const options = { timeoutMs: requestTimeoutMs, purpose: 'controller' }
    const { id } = this.broker
    const complain = (code: number) => {
      if (code === errorCode.NONE) return
      log.warn(
        `Broker ${id} refused ${request.api} of controller epoch ${controllerEpoch}: ${errorName(code)}`,
      )
    }
    switch (request.api) {
      case 'LeaderAndIsr': {
        const body = { ...head, ...request.body }
        const answer = await channels.requestTo(
          this.address,
          leaderAndIsr,
          versions.LeaderAndIsr,
          body,
          options,
        )
        complain(answer.errorCode)
        if (!this.#isClosed) this.#host.onLeaderAndIsr(id, answer)
        return
      }
      case 'UpdateMetadata': {
        const body = { ...head, ...request.body }
        const answer = await channels.requestTo(
          this.address,
          updateMetadata,
          versions.UpdateMetadata,
          body,
          options,
        )
        complain(answer.errorCode)
        return
      }
      case 'StopReplica': {
        const body = { ...head, ...request.body }
        const answer = await channels.requestTo(
          this.address,
          stopReplica,
          versions.StopReplica,
          body,
          options,
        )
        complain(answer.errorCode)
        if (!this.#isClosed) this.#host.onStopReplica(id, request, answer)
        return
      }
    }
  }
}

/** The queues of all live brokers. */
export class ControlQueues {
  readonly #host: QueueHost
  readonly #queues = new Map<number, ControlQueue>()

  constructor(host: QueueHost) {
    this.#host = host
  }

  push(request: ControlRequest, broker: LiveBroker): void {
    const address = this.#addressOf(broker)
    if (address === null) {
      this.#host.log.error(`Broker ${broker.id} has no listener ${this.#host.interBrokerListener}`)
      return
    }
    let queue = this.#queues.get(broker.id)
    if (queue === undefined || queue.broker.epoch !== broker.epoch) {
      queue?.close()
      queue = new ControlQueue(broker, address, this.#host)
      this.#queues.set(broker.id, queue)
    }
    queue.address = address
    queue.push(request)
  }

  /** Ends the queues of brokers that are gone or have come back under another registration. */
  keep(brokers: ReadonlyMap<number, LiveBroker>): void {
    for (const [id, queue] of this.#queues) {
      if (brokers.get(id)?.epoch === queue.broker.epoch) continue
      queue.close()
      this.#queues.delete(id)
    }
  }

  close(): void {
    for (const queue of this.#queues.values()) queue.close()
    this.#queues.clear()
  }

  #addressOf({ endpoints }: LiveBroker): Address | null {
    const endpoint = endpoints.find(({ listener }) => listener === this.#host.interBrokerListener)
    return endpoint === undefined ? null : { host: endpoint.host, port: endpoint.port }
  }
}

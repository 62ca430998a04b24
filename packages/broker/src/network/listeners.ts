import { ConfigError, type Listener, type Timer } from '@vivarium/platform'
import type { Broker } from '../broker.ts'
import type { Handler } from '../handlers/handler.ts'
import type { ListenerSettings } from '../settings.ts'
import { RequestConnection } from './request-connection.ts'

const idleCheckMs = 10_000

/** The sockets a broker listens on, and the connections to them. */
export class Listeners {
  readonly #broker: Broker
  readonly #handlers: ReadonlyMap<number, Handler>
  readonly #listeners: Listener[] = []
  readonly #connections = new Set<RequestConnection>()
  readonly #perHost = new Map<string, number>()
  #timer: Timer | null = null

  constructor(broker: Broker, handlers: readonly Handler[]) {
    this.#broker = broker
    this.#handlers = new Map(handlers.map(handler => [handler.api.key, handler]))
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Rejects with ConfigError naming port, key and file when an address cannot be had. Gives the ports by listener name. */
  async start(): Promise<Map<string, number>> {
    const { network, settings, clock, log } = this.#broker
    const ports = new Map<string, number>()
    for (const listener of settings.listeners) {
      try {
        const open = await network.listen({ host: listener.host, port: listener.port }, connection =>
          this.#accept(connection, listener),
        )
        this.#listeners.push(open)
        ports.set(listener.name, open.address.port)
        log
          .named('kafka.network.DataPlaneAcceptor')
          .info(`Awaiting socket connections on ${listener.host}:${open.address.port}.`)
      } catch (error) {
        throw cannotListen(error as NodeJS.ErrnoException, listener, settings.file)
      }
    }
    this.#timer = clock.every(idleCheckMs, () => this.#closeIdle())
    return ports
  }

  #accept(
    connection: Parameters<Parameters<Broker['network']['listen']>[1]>[0],
    listener: ListenerSettings,
  ): void {
    const { values } = this.#broker.settings
    const { host } = connection.remote
    const ofHost = this.#perHost.get(host) ?? 0
    if (this.#connections.size >= values['max.connections']! || ofHost >= values['max.connections.per.ip']!) {
      this.#broker.log
        .named('kafka.network.ConnectionQuotas')
        .warn(`Rejected connection from /${host}, address already has the configured maximum of connections`)
      return connection.destroy()
    }
    this.#perHost.set(host, ofHost + 1)
    this.#connections.add(
      new RequestConnection(connection, this.#broker, {
        handlers: this.#handlers,
        listenerName: listener.name,
        onClosed: closed => {
          this.#connections.delete(closed)
          const left = (this.#perHost.get(host) ?? 1) - 1
          if (left === 0) this.#perHost.delete(host)
          else this.#perHost.set(host, left)
        },
      }),
    )
  }

  #closeIdle(): void {
    const limitMs = this.#broker.settings.values['connections.max.idle.ms']!
    if (limitMs < 0) return
    const nowMs = this.#broker.clock.monotonicMs()
    for (const connection of this.#connections) {
      if (connection.isIdle && nowMs - connection.lastActiveMs > limitMs) connection.end()
    }
  }

  async stop(): Promise<void> {
    this.#timer?.cancel()
    const closing = this.#listeners.map(listener => listener.close())
    for (const connection of this.#connections) connection.end()
    await Promise.all(closing)
  }
}

function cannotListen(error: NodeJS.ErrnoException, listener: ListenerSettings, file: string): Error {
  const problems: Record<string, [string, string]> = {
    EADDRINUSE: [
      'is taken by another program',
      `stop that program, or change the port of listeners in ${file}`,
    ],
    EACCES: ['may not be opened by this user', `choose a port above 1023 for listeners in ${file}`],
    EADDRNOTAVAIL: [
      'lies on an address this machine does not have',
      `change the address of listeners in ${file}`,
    ],
  }
  const known = problems[error.code ?? '']
  if (known === undefined) return error
  return new ConfigError({
    key: 'listeners',
    value: `${listener.name}://${listener.host}:${listener.port}`,
    where: file,
    problem: known[0],
    fix: known[1],
  })
}

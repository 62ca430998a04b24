import {
  type Address,
  type Clock,
  type Connection,
  formatAddress,
  type Listener,
  type Log,
  type Network,
} from '@vivarium/platform'

/** So long an address has for itself before the next one is tried as well. Source: RFC 8305, Connection Attempt Delay. */
const staggerMs = 250

/**
 * Connects to whichever of some addresses answers first; they are tried one after another, the next one without delay where
 * nobody is. Rejects, naming each, when none answers.
 */
export function connectToAny<A extends Address>(
  { network, clock }: { network: Network; clock: Clock },
  addresses: readonly A[],
  options: { timeoutMs: number },
): Promise<{ connection: Connection; address: A }> {
  return new Promise((resolve, reject) => {
    const waiting = [...addresses]
    const failures: Error[] = []
    let isConnected = false
    const tryNext = () => {
      const address = waiting.shift()
      if (address === undefined || isConnected) return
      const stagger = clock.after(staggerMs, tryNext)
      network.connect(address, options).then(
        connection => {
          stagger.cancel()
          if (isConnected) return connection.destroy()
          isConnected = true
          resolve({ connection, address })
        },
        error => {
          stagger.cancel()
          failures.push(error as Error)
          if (failures.length === addresses.length)
            reject(
              failures.length === 1 ? error : new Error(failures.map(({ message }) => message).join('; ')),
            )
          else tryNext()
        },
      )
    }
    tryNext()
  })
}

/**
 * Listens on all addresses of a server that can be had, or on their ports of all interfaces. `key` is where they were
 * configured. Rejects with CannotListen when none can be had.
 */
export async function listenOnAny(
  network: Network,
  addresses: readonly Address[],
  { onAllInterfaces, key, log }: { onAllInterfaces: boolean; key: string; log: Log },
  onConnection: (connection: Connection) => void,
): Promise<Listener[]> {
  const wanted = onAllInterfaces
    ? [...new Set(addresses.map(({ port }) => port))].map(port => ({ host: '0.0.0.0', port }))
    : addresses
  const results = await Promise.allSettled(wanted.map(address => network.listen(address, onConnection)))
  const listeners = results.filter(result => result.status === 'fulfilled').map(({ value }) => value)
  const failed = results.flatMap((result, i) =>
    result.status === 'rejected' ? [{ error: result.reason as Error, address: wanted[i]! }] : [],
  )
  if (listeners.length === 0) throw new CannotListen(failed[0]!.error, failed[0]!.address, key)
  // A server is still found at its other addresses.
  for (const { error, address } of failed)
    log.warn(`Couldn't bind to ${formatAddress(address)}: ${error.message}`)
  return listeners
}

/** No address of a server could be had. */
export class CannotListen extends Error {
  override readonly cause: NodeJS.ErrnoException
  readonly address: Address
  /** Where the address was configured. */
  readonly key: string

  constructor(cause: Error, address: Address, key: string) {
    super(cause.message)
    this.cause = cause
    this.address = address
    this.key = key
  }
}

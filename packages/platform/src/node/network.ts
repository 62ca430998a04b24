import { type AddressInfo, createServer, connect as netConnect, type Socket } from 'node:net'
import { type Address, type Connection, isWildcard, type Network } from '../network.ts'

/** The machine's TCP. TCP_NODELAY is on: what should leave together is written together. */
export const nodeNetwork: Network = {
  listen: (address, onConnection) =>
    new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true, allowHalfOpen: true }, socket =>
        onConnection(new NodeConnection(socket)),
      )
      server.once('error', reject)
      // Without a host where it stands for all: then IPv4 and IPv6 alike, as in Java.
      server.listen(
        { port: address.port, ...(isWildcard(address.host) ? {} : { host: address.host }) },
        () => {
          server.off('error', reject)
          // An accept that fails (EMFILE) must not end the server; the next one may succeed.
          server.on('error', () => {})
          const { port } = server.address() as AddressInfo
          resolve({
            address: { host: address.host, port },
            // Not Node's callback: that waits for every connection to end, and they are to go on.
            close: () =>
              new Promise(closed => {
                server.close()
                setImmediate(closed)
              }),
          })
        },
      )
    }),

  connect: (address, { timeoutMs }) =>
    new Promise((resolve, reject) => {
      const socket = netConnect({ host: address.host, port: address.port, noDelay: true })
      const timer = setTimeout(() => {
        socket.destroy(new Error(`no connection to ${address.host}:${address.port} within ${timeoutMs} ms`))
      }, timeoutMs)
      const fail = (error: Error) => {
        clearTimeout(timer)
        reject(error)
      }
      socket.once('error', fail)
      socket.once('connect', () => {
        clearTimeout(timer)
        socket.off('error', fail)
        resolve(new NodeConnection(socket))
      })
    }),
}

class NodeConnection implements Connection {
  readonly remote: Address
  readonly local: Address
  onData: (chunk: Buffer) => void = () => {}
  onClose: (error: Error | null) => void = () => {}
  onDrain: () => void = () => {}
  readonly #socket: Socket
  #error: Error | null = null
  #isCorked = false
  #isPaused = false
  /** The peer will send no more. */
  #hasEnded = false

  constructor(socket: Socket) {
    this.#socket = socket
    this.remote = { host: plainHost(socket.remoteAddress), port: socket.remotePort ?? 0 }
    this.local = { host: plainHost(socket.localAddress), port: socket.localPort ?? 0 }
    socket.on('data', chunk => this.onData(chunk as Buffer))
    socket.on('drain', () => this.onDrain())
    socket.on('end', () => {
      this.#hasEnded = true
      if (!this.#isPaused) socket.end()
    })
    socket.on('error', error => {
      this.#error = error
    })
    socket.on('close', () => this.onClose(this.#error))
  }

  get pendingBytes(): number {
    return this.#socket.writableLength
  }

  write(bytes: Uint8Array): boolean {
    const socket = this.#socket
    if (socket.destroyed || socket.writableEnded) return false
    // Corked until the microtasks of this turn are done: many small replies become one writev.
    if (!this.#isCorked) {
      this.#isCorked = true
      socket.cork()
      process.nextTick(() => {
        this.#isCorked = false
        socket.uncork()
      })
    }
    return socket.write(bytes)
  }

  writeNow(bytes: Uint8Array): boolean {
    const socket = this.#socket
    if (socket.destroyed || socket.writableEnded) return false
    return socket.write(bytes)
  }

  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#socket.resume()
    if (this.#hasEnded) this.#socket.end()
  }

  end(): void {
    this.#socket.end()
  }

  destroy(): void {
    this.#socket.destroy()
  }
}

/** `127.0.0.1` for `::ffff:127.0.0.1`, which is what a dual-stack listener reports for IPv4. */
function plainHost(host: string | undefined): string {
  if (host === undefined) return ''
  return host.startsWith('::ffff:') ? host.slice(7) : host
}

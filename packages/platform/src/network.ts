/** The door to the network: byte streams between addresses. */
export interface Network {
  /** Rejects with Node's error (`code` EADDRINUSE …) if the address cannot be had. Port 0 takes a free one. */
  listen(address: Address, onConnection: (connection: Connection) => void): Promise<Listener>
  /** Rejects if there is no connection within `timeoutMs`. */
  connect(address: Address, options: { timeoutMs: number }): Promise<Connection>
}

export interface Address {
  host: string
  port: number
}

/** `host:port`, an IPv6 address in brackets. */
export function formatAddress({ host, port }: Address): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::', '0:0:0:0:0:0:0:0'])

/** Whether it stands for every address of a machine, and tells others nothing. */
export function isWildcard(host: string): boolean {
  return wildcards.has(host)
}

export interface Listener {
  readonly address: Address
  /** Stops accepting; connections that exist go on. */
  close(): Promise<void>
}

/** One byte stream. All callbacks are set right after it is handed over, before any event can come. */
export interface Connection {
  readonly remote: Address
  readonly local: Address
  /** Called with each received chunk. The chunk belongs to the receiver. */
  onData: (chunk: Buffer) => void
  /** Called once when nothing more will come or can be sent; `error` if it did not end in order. */
  onClose: (error: Error | null) => void
  /** Called when bytes that waited in `pendingBytes` have left, after a write returned false. */
  onDrain: () => void
  /** Sends; what is written in one turn of the event loop leaves together. False: the receiver is slow, write less. */
  write(bytes: Uint8Array): boolean
  /** The same at once, for less: what belongs together has been gathered. */
  writeNow(bytes: Uint8Array): boolean
  /** Bytes written but not yet taken by the system. */
  readonly pendingBytes: number
  /** No onData until `resume`; the peer is held back by TCP. A peer that has ended its half is still written to. */
  pause(): void
  resume(): void
  /** Sends what is written, then closes. */
  end(): void
  /** Closes at once; unsent bytes are lost. */
  destroy(): void
}

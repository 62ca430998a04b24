import { createServer } from 'node:net'

/**
 * Below those that a system gives to outgoing connections: one of them could take a port before the server it was chosen for.
 * Each process has a stretch of its own, and starts somewhere in it.
 */
const firstPort = 25_100
const stretchPorts = 100
const stretches = 76
const ownFirst = firstPort + (process.pid % stretches) * stretchPorts
let given = Math.floor(Math.random() * stretchPorts)

/** Ports of 127.0.0.1 for servers of a test, on which nobody listens. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  for (let tries = 0; ports.length < count; tries++) {
    if (tries > 2 * stretchPorts) throw new Error(`no free ports from ${ownFirst} on`)
    const port = ownFirst + (given++ % stretchPorts)
    if (!ports.includes(port) && (await isFree(port))) ports.push(port)
  }
  return ports
}

export async function freePort(): Promise<number> {
  return (await freePorts(1))[0]!
}

export function isFree(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

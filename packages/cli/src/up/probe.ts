import { connect } from 'node:net'
import { FrameDecoder } from '@vivarium/bytes'
import { decodeResponse, encodeRequest, metadata } from '@vivarium/kafka-protocol'
import { nodeClock, nodeNetwork } from '@vivarium/platform/node'
import { fourLetterWord } from '@vivarium/zookeeper-client'
import type { PlannedProcess } from './plan.ts'

const probeTimeoutMs = 2_000
const maxAnswerBytes = 1024 * 1024

/** Whether the process serves: a coordination server has a role, a broker knows all `brokers`, the dashboard answers. */
export async function isReady(process: PlannedProcess, { brokers }: { brokers: number }): Promise<boolean> {
  const { address } = process
  if (address === null) return true
  try {
    switch (process.role) {
      case 'server':
        return (await serverMode(address)) !== null
      case 'broker':
        return (await brokersKnownTo(address)) >= brokers
      default:
        return (
          await fetch(`http://${address.host}:${address.port}/`, {
            signal: AbortSignal.timeout(probeTimeoutMs),
          })
        ).ok
    }
  } catch {
    // Refused or cut off: not yet. The caller decides how long to wait.
    return false
  }
}

/** `leader`, `follower`, `observer` or `standalone`; null while it serves nobody. Rejects when it does not answer. */
export async function serverMode(address: { host: string; port: number }): Promise<string | null> {
  const text = await fourLetterWord(address, 'srvr', {
    network: nodeNetwork,
    clock: nodeClock,
    timeoutMs: probeTimeoutMs,
  })
  return /^Mode: (\S+)$/m.exec(text)?.[1] ?? null
}

/** How many brokers the broker at `address` knows, itself included, when the cluster has a controller; else 0. */
function brokersKnownTo(address: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(address)
    const decoder = new FrameDecoder(maxAnswerBytes)
    socket.setTimeout(probeTimeoutMs, () =>
      socket.destroy(new Error(`no answer from ${address.host}:${address.port}`)),
    )
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`${address.host}:${address.port} closed the connection`)))
    socket.on('connect', () => {
      socket.write(encodeRequest(metadata, 1, { correlationId: 1, clientId: 'vivarium' }, { topics: [] }))
    })
    socket.on('data', chunk => {
      decoder.push(chunk as Buffer, frame => {
        const { body } = decodeResponse(metadata, 1, frame)
        resolve(body.controllerId < 0 ? 0 : body.brokers.length)
        socket.destroy()
      })
    })
  })
}

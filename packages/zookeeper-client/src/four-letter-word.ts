import type { Address, Clock, Network } from '@vivarium/platform'

const defaultMaxBytes = 4 * 1024 * 1024

/**
 * Asks a coordination server one of its four-letter words (`ruok`, `srvr`, `mntr` …) and gives its whole answer.
 *
 * Rejects when the server does not answer within `timeoutMs`, or with more than `maxBytes` (4 MiB).
 */
export async function fourLetterWord(
  address: Address,
  word: string,
  options: { network: Network; clock: Clock; timeoutMs: number; maxBytes?: number },
): Promise<string> {
  const { network, clock, timeoutMs, maxBytes = defaultMaxBytes } = options
  if (!/^[a-z]{4}$/.test(word)) throw new Error(`"${word}" is not a word of four letters`)
  const name = `${address.host}:${address.port}`
  const startMs = clock.monotonicMs()
  const connection = await network.connect(address, { timeoutMs })
  return await new Promise<string>((resolve, reject) => {
    const chunks: Buffer[] = []
    let sizeBytes = 0
    const leftMs = Math.max(0, timeoutMs - (clock.monotonicMs() - startMs))
    const timer = clock.after(leftMs, () => {
      reject(new Error(`${name} has not answered ${word} within ${timeoutMs} ms`))
      connection.destroy()
    })
    connection.onData = chunk => {
      sizeBytes += chunk.length
      chunks.push(chunk)
      if (sizeBytes <= maxBytes) return
      reject(new Error(`${name} answers ${word} with more than ${maxBytes} bytes`))
      connection.destroy()
    }
    connection.onClose = error => {
      timer.cancel()
      if (error !== null) reject(error)
      else resolve(Buffer.concat(chunks).toString('utf8'))
    }
    connection.write(Buffer.from(word, 'latin1'))
  })
}

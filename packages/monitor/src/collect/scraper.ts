import type { Address, Clock, Network } from '@vivarium/platform'
import { fourLetterWord } from '@vivarium/zookeeper-client'
import type { MetricsRecord } from '../records.ts'
import { readAnswers } from './four-letter-words.ts'

/**
 * Looks at one server once. Never rejects: a server that does not answer is what the record says.
 *
 * A server that allows neither `srvr` nor `mntr` is asked `ruok`, so that it at least counts as alive.
 */
export async function scrape(
  server: { name: string; address: Address },
  world: { cluster: string; network: Network; clock: Clock; timeoutMs: number },
): Promise<MetricsRecord> {
  const { cluster, network, clock, timeoutMs } = world
  const ts = clock.wallMs()
  const startMs = clock.monotonicMs()
  const ask = (word: string) => fourLetterWord(server.address, word, { network, clock, timeoutMs })
  const record = { ts, server: server.name, cluster }
  try {
    const [srvr, mntr] = await Promise.all([ask('srvr'), ask('mntr')])
    const answers = readAnswers({ srvr, mntr })
    if (answers.error !== undefined && Object.keys(answers.values).length === 0) await ask('ruok')
    return { ...record, ...answers, scrapeMs: elapsed() }
  } catch (error) {
    return { ...record, role: 'down', values: {}, scrapeMs: elapsed(), error: (error as Error).message }
  }

  function elapsed(): number {
    return Math.round((clock.monotonicMs() - startMs) * 10) / 10
  }
}

import { BatchCursor, errorCode, messageSetFromBatches } from '@vivarium/kafka-protocol'
import type { Broker } from '../broker.ts'
import type { Partition } from '../replication/partition.ts'

/** From these versions on consumers know timestamps (format 1), record batches (format 2), and zstd (KIP-110). */
const firstVersionWithTimestamps = 2
const firstVersionWithBatches = 4
export const firstVersionOfAnyFormat = 10
const zstd = 4

interface Stored {
  apiVersion: number
  /** Whole batches, as stored. */
  batches: Buffer[]
  fromOffset: number
  maxBytes: number
  /** The consumer sees nothing at or above it. */
  upTo: number
}

interface Suited {
  errorCode: number
  records: Buffer[]
  sizeBytes: number
}

/** Records in a form that consumers of the version understand, or the error that says there is none. */
export async function suitConsumer(broker: Broker, partition: Partition, stored: Stored): Promise<Suited> {
  const own = broker.configs.topicTexts(partition.topic)
  const { values } = broker.settings
  if ((own.get('compression.type') ?? values['compression.type']) === 'zstd')
    return refused(errorCode.UNSUPPORTED_COMPRESSION_TYPE)
  if (stored.apiVersion >= firstVersionWithBatches) return answered(stored.batches)
  const mayConvert =
    own.get('message.downconversion.enable') ?? String(values['log.message.downconversion.enable'])
  return mayConvert === 'true' ? convert(partition, stored) : refused(errorCode.UNSUPPORTED_VERSION)
}

/** The one place where a broker decodes records: consumers from before Kafka 0.11 read message sets. */
async function convert(
  partition: Partition,
  { apiVersion, batches, fromOffset, maxBytes, upTo }: Stored,
): Promise<Suited> {
  const format = apiVersion >= firstVersionWithTimestamps ? 1 : 0
  for (let left = batches, from = fromOffset; ; ) {
    const last = lastOffsetOf(left)
    if (last === 'zstd') return refused(errorCode.UNSUPPORTED_COMPRESSION_TYPE)
    const messages = messageSetFromBatches(left, { format, fromOffset: from, maxBytes })
    if (messages.length > 0 || last === null) return answered([messages])
    // Nothing but control batches: without a look behind them the consumer would never get past.
    from = last + 1
    left = await partition.log.read(from, maxBytes, upTo)
  }
}

/** Offset of the last record in whole batches; `zstd` if one is compressed so; null if there is none. */
function lastOffsetOf(batches: readonly Buffer[]): number | 'zstd' | null {
  let last: number | null = null
  for (const bytes of batches) {
    for (const batch = new BatchCursor(bytes); batch.next(); last = batch.lastOffset)
      if (batch.compression === zstd) return 'zstd'
  }
  return last
}

function answered(records: Buffer[]): Suited {
  const sizeBytes = records.reduce((sum, piece) => sum + piece.length, 0)
  return { errorCode: errorCode.NONE, records, sizeBytes }
}

function refused(code: number): Suited {
  return { errorCode: code, records: [], sizeBytes: 0 }
}

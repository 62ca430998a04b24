import { createInterface } from 'node:readline'
import type { CommandIo } from '../io.ts'
import { type Compression, openSender, type RecordToSend, type Sender } from '../kafka-client.ts'
import { clientProperties, milliseconds, warnOfUnused } from '../kafka-tools/client-properties.ts'
import { parseAddresses } from '../kafka-tools/cluster.ts'
import { BrokerConnection } from '../kafka-tools/connection.ts'
import { lineLayout, lineProperties, parseLine } from '../kafka-tools/line-reader.ts'
import { type Options, UsageError } from '../kafka-tools/options.ts'
import { ToolError, tool } from '../kafka-tools/tool.ts'

const spec = {
  name: 'kafka-console-producer',
  about: 'Send lines of standard input to a topic.',
  options: {
    'bootstrap-server': { argument: '<host:port,…>', about: 'Brokers to connect to.' },
    'broker-list': { argument: '<host:port,…>', about: 'The former name of --bootstrap-server.' },
    topic: { argument: '<name>', about: 'The topic to send to.' },
    property: {
      argument: '<key=value>',
      isRepeatable: true,
      about: 'How lines are read: parse.key, key.separator, parse.headers, ignore.error, null.marker …',
    },
    'reader-config': { argument: '<file>', about: 'The same properties in a file.' },
    'producer-property': {
      argument: '<key=value>',
      isRepeatable: true,
      about: 'A property of the producer.',
    },
    'producer.config': { argument: '<file>', about: 'Properties of the producer in a file.' },
    'compression-codec': {
      argument: '[none|gzip|snappy|lz4|zstd]',
      valueWhenBare: 'gzip',
      about: 'How batches are compressed; gzip when given bare.',
      default: 'none',
    },
    'request-required-acks': { argument: '<-1|0|1|all>', about: 'Who must have a record.', default: '-1' },
    sync: { about: 'Wait for each record before the next is sent.' },
    'batch-size': { argument: '<bytes>', about: 'What is sent together at most.', default: '16384' },
    timeout: { argument: '<ms>', about: 'How long records wait for others.', default: '1000' },
    'message-send-max-retries': {
      argument: '<count>',
      about: 'How often a send is repeated.',
      default: '100',
    },
    'retry-backoff-ms': { argument: '<ms>', about: 'Pause before a repetition.', default: '100' },
    'request-timeout-ms': { argument: '<ms>', about: 'How long a broker may take.', default: '30000' },
    'metadata-expiry-ms': { argument: '<ms>', about: 'When leaders are looked up anew.', default: '1000' },
    'max-block-ms': { argument: '<ms>', about: 'Accepted for compatibility.' },
    'max-memory-bytes': { argument: '<bytes>', about: 'Lines held back at most.', default: '33554432' },
    'max-partition-memory-bytes': { argument: '<bytes>', about: 'Accepted for compatibility.' },
    'socket-buffer-size': { argument: '<bytes>', about: 'Accepted for compatibility.' },
    'line-reader': { argument: '<class>', about: 'Only the reader of lines is there.' },
  },
  examples: [
    'kafka-console-producer.sh --bootstrap-server 127.0.0.1:9092 --topic orders',
    'kafka-console-producer.sh --bootstrap-server 127.0.0.1:9092 --topic orders --property parse.key=true --property key.separator=:',
    'seq 1000 | kafka-console-producer.sh --bootstrap-server 127.0.0.1:9092 --topic numbers --compression-codec zstd',
  ],
} as const

type Name = keyof typeof spec.options
type Given = Options<Name | 'help' | 'version'>

const compressions: readonly string[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const readerClass = /(^|[.$])(LineMessageReader|LineReader)$/

/** Apache's kafka-console-producer. Ends with 1 if a record was not acknowledged. */
export const run = tool<Name>(spec, async (options, io) => {
  const servers = options.value('bootstrap-server') ?? options.value('broker-list')
  if (servers === null) throw new UsageError('Missing required argument "[bootstrap-server]"')
  const topic = options.required('topic')
  const reader = options.value('line-reader')
  if (reader !== null && !readerClass.test(reader))
    throw new UsageError(`--line-reader ${reader} is not supported: lines are read as LineMessageReader does`)
  const properties = await clientProperties(options.value('reader-config'), options.values('property'))
  warnOfUnused(properties, lineProperties, io)
  const settings = await senderSettings(options, io)
  await checkReachable(servers, settings.clientId)
  const sender = openSender({ bootstrapServers: servers, topic, ...settings })
  try {
    return await sendLines(sender, io, {
      layout: lineLayout(properties),
      isTyped: (io.stdin as NodeJS.ReadStream).isTTY === true,
      maxBatchBytes: options.has('sync') ? 1 : (options.integer('batch-size', { min: 1 }) ?? 16_384),
      lingerMs: options.has('sync') ? 0 : (options.integer('timeout', { min: 0 }) ?? 1000),
      maxHeldBytes: options.integer('max-memory-bytes', { min: 1 }) ?? 33_554_432,
      topic,
    })
  } finally {
    await sender.close()
  }
})

const usedProperties = [
  'acks',
  'client.id',
  'compression.type',
  'enable.idempotence',
  'request.timeout.ms',
  'retries',
  'retry.backoff.ms',
  'metadata.max.age.ms',
  'security.protocol',
  'bootstrap.servers',
]

async function senderSettings(options: Given, io: CommandIo) {
  const properties = await clientProperties(
    options.value('producer.config'),
    options.values('producer-property'),
  )
  warnOfUnused(properties, usedProperties, io)
  const acksText = options.value('request-required-acks') ?? properties.get('acks') ?? '-1'
  const acks = acksText === 'all' ? -1 : Number(acksText)
  if (acks !== -1 && acks !== 0 && acks !== 1)
    throw new UsageError(`acks=${acksText} is none of -1, 0, 1, all`)
  const compression = options.value('compression-codec') ?? properties.get('compression.type') ?? 'none'
  if (!compressions.includes(compression))
    throw new UsageError(`${compression} is none of the codecs ${compressions.join(', ')}`)
  return {
    clientId: properties.get('client.id') ?? 'console-producer',
    acks: acks as -1 | 0 | 1,
    compression: compression as Compression,
    // As Java's producer: a repeated send does not store a record twice.
    isIdempotent: acks === -1 && properties.get('enable.idempotence')?.trim() !== 'false',
    retries:
      options.integer('message-send-max-retries', { min: 0 }) ??
      Math.min(milliseconds(properties, 'retries', 1200), 10_000),
    retryPauseMs:
      options.integer('retry-backoff-ms', { min: 0 }) ?? milliseconds(properties, 'retry.backoff.ms', 100),
    requestTimeoutMs:
      options.integer('request-timeout-ms', { min: 1 }) ??
      milliseconds(properties, 'request.timeout.ms', 30_000),
    metadataMaxAgeMs:
      options.integer('metadata-expiry-ms', { min: 0 }) ??
      milliseconds(properties, 'metadata.max.age.ms', 1_000),
  }
}

/** Fails at once when no broker is there, instead of after the first line. */
async function checkReachable(servers: string, clientId: string): Promise<void> {
  const problems: string[] = []
  for (const address of parseAddresses(servers)) {
    try {
      const connection = await BrokerConnection.open(address, { clientId, timeoutMs: 5_000 })
      connection.close()
      return
    } catch (error) {
      if (!(error instanceof ToolError)) throw error
      problems.push(error.message)
    }
  }
  throw new ToolError(`No broker could be reached: ${problems.join('; ')}`)
}

async function sendLines(
  sender: Sender,
  io: CommandIo,
  options: {
    topic: string
    layout: ReturnType<typeof lineLayout>
    isTyped: boolean
    maxBatchBytes: number
    lingerMs: number
    maxHeldBytes: number
  },
): Promise<number> {
  const { topic, layout, isTyped, maxBatchBytes, lingerMs, maxHeldBytes } = options
  const outbox = new Outbox(sender, maxBatchBytes, isTyped ? 0 : lingerMs, error => {
    io.stderr.write(`ERROR Error when sending message to topic ${topic}: ${error.message}\n`)
  })
  const lines = createInterface({ input: io.stdin, terminal: false, crlfDelay: Infinity })
  const prompt = () => isTyped && io.stdout.write('>')
  const interrupt = () => lines.close()
  process.once('SIGINT', interrupt)
  let lineNumber = 0
  try {
    prompt()
    for await (const line of lines) {
      outbox.add(parseLine(line, ++lineNumber, layout))
      if (outbox.heldBytes >= maxHeldBytes) await outbox.drained()
      prompt()
    }
  } finally {
    // What was read before a wrong line is sent all the same.
    process.off('SIGINT', interrupt)
    lines.close()
    await outbox.drained()
  }
  return outbox.hasFailed ? 1 : 0
}

/** Records on their way: sent in the order they came, one batch after the other. */
class Outbox {
  readonly #sender: Sender
  readonly #maxBatchBytes: number
  readonly #lingerMs: number
  readonly #onError: (error: Error) => void
  #records: RecordToSend[] = []
  #sizes: number[] = []
  #sending: Promise<void> | null = null
  #timer: NodeJS.Timeout | null = null
  heldBytes = 0
  hasFailed = false

  constructor(sender: Sender, maxBatchBytes: number, lingerMs: number, onError: (error: Error) => void) {
    this.#sender = sender
    this.#maxBatchBytes = maxBatchBytes
    this.#lingerMs = lingerMs
    this.#onError = onError
  }

  add(record: RecordToSend): void {
    const size = 64 + (record.key?.length ?? 0) + (record.value?.length ?? 0)
    this.#records.push(record)
    this.#sizes.push(size)
    this.heldBytes += size
    if (this.heldBytes >= this.#maxBatchBytes) this.#start()
    else this.#timer ??= setTimeout(() => this.#start(), this.#lingerMs)
  }

  async drained(): Promise<void> {
    while (this.#records.length > 0 || this.#sending !== null) {
      this.#start()
      await this.#sending
    }
  }

  #start(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = null
    })
  }

  async #sendAll(): Promise<void> {
    while (this.#records.length > 0) {
      let count = 0
      let bytes = 0
      while (
        count < this.#records.length &&
        (count === 0 || bytes + this.#sizes[count]! <= this.#maxBatchBytes)
      )
        bytes += this.#sizes[count++]!
      const batch = this.#records.splice(0, count)
      this.#sizes.splice(0, count)
      try {
        await this.#sender.send(batch)
      } catch (error) {
        if (!(error instanceof ToolError)) throw error
        this.hasFailed = true
        this.#onError(error)
      }
      this.heldBytes -= bytes
    }
  }
}

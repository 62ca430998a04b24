import { Kafka, logLevel } from 'kafkajs'

// kafkajs, a client we did not write, as tests use it.

const patienceMs = 90_000

function connect(brokers: readonly string[]): Kafka {
  return new Kafka({
    clientId: 'test',
    brokers: [...brokers],
    logLevel: logLevel.NOTHING,
    retry: { retries: 30, maxRetryTime: 500 },
  })
}

/** Writes records with acks=all, one after another, until it is stopped. */
export class RecordWriter implements AsyncDisposable {
  /** What was acknowledged. */
  readonly acknowledged: Set<string>
  readonly #producer
  readonly #done: Promise<void>
  #isStopped = false

  constructor(brokers: readonly string[], topic: string, acknowledged = new Set<string>()) {
    this.acknowledged = acknowledged
    this.#producer = connect(brokers).producer()
    this.#done = this.#write(topic)
  }

  async #write(topic: string): Promise<void> {
    await this.#producer.connect()
    for (let i = 0; !this.#isStopped; i++) {
      const value = `${process.hrtime.bigint()}-${i}`
      try {
        await this.#producer.send({ topic, acks: -1, messages: [{ value }] })
        this.acknowledged.add(value)
      } catch {
        // Not acknowledged: it may be there or not.
      }
    }
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return
    this.#isStopped = true
    await this.#producer.disconnect()
    await this.#done
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

let groups = 0

/** Reads a topic from its beginning, as a new group, until `isEnough` of the values; rejects when they do not come. */
export async function readTopic(
  brokers: readonly string[],
  topic: string,
  isEnough: (values: readonly string[]) => boolean,
): Promise<readonly string[]> {
  const values: string[] = []
  const consumer = connect(brokers).consumer({ groupId: `kafkajs-${process.pid}-${++groups}` })
  await consumer.connect()
  try {
    await consumer.subscribe({ topic, fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${topic} does not get there: ${values.length} records`)),
        patienceMs,
      )
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) reject(payload.error)
      })
      const eachMessage = async ({ message }: { message: { value: Buffer | null } }) => {
        values.push(message.value!.toString())
        if (!isEnough(values)) return
        clearTimeout(timer)
        resolve()
      }
      consumer.run({ eachMessage }).catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
  return values
}

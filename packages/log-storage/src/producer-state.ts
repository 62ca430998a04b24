import { ByteReader, ByteWriter, MalformedBytesError } from '@vivarium/bytes'
import { crc32c } from '@vivarium/bytes/crc32c'
import { type BatchCursor, errorCode } from '@vivarium/kafka-protocol'
import { LogError } from './log-error.ts'

interface AppendedBatch {
  firstSequence: number
  lastSequence: number
  lastOffset: number
  offsetDelta: number
  timestampMs: number
}

interface Producer {
  epoch: number
  /** Up to five, oldest first: what can still be a repetition (producers have five requests in flight at most). */
  batches: AppendedBatch[]
  lastTimestampMs: number
}

const keptBatches = 5

/** What each idempotent producer has written to a partition: repetitions are found, gaps refused. */
export class ProducerState {
  readonly #producers = new Map<number, Producer>()

  get size(): number {
    return this.#producers.size
  }

  /**
   * Whether the batch at `cursor` may be appended: 'new', or the batch it repeats. Throws LogError for a stale epoch or a
   * gap in sequences.
   */
  check(cursor: BatchCursor): 'new' | { firstOffset: number; timestampMs: number } {
    const { producerId, producerEpoch, baseSequence, lastSequence } = cursor
    if (producerId < 0) return 'new'
    const known = this.#producers.get(producerId)
    if (known === undefined) return 'new'
    if (producerEpoch < known.epoch) {
      throw new LogError(
        errorCode.INVALID_PRODUCER_EPOCH,
        `producer ${producerId} has epoch ${known.epoch}; the batch is of epoch ${producerEpoch}`,
      )
    }
    if (producerEpoch > known.epoch) {
      if (baseSequence !== 0) throw outOfOrder(producerId, 0, baseSequence)
      return 'new'
    }
    const repeated = known.batches.find(
      batch => batch.firstSequence === baseSequence && batch.lastSequence === lastSequence,
    )
    if (repeated !== undefined)
      return { firstOffset: repeated.lastOffset - repeated.offsetDelta, timestampMs: repeated.timestampMs }
    const last = known.batches.at(-1)
    const expected = last === undefined ? 0 : (last.lastSequence + 1) % 2 ** 31
    if (baseSequence !== expected) throw outOfOrder(producerId, expected, baseSequence)
    return 'new'
  }

  /** The batch at `cursor`, whose offsets are assigned, is in the log. */
  update(cursor: BatchCursor): void {
    const { producerId, producerEpoch } = cursor
    if (producerId < 0) return
    let producer = this.#producers.get(producerId)
    if (producer === undefined || producer.epoch !== producerEpoch) {
      producer = { epoch: producerEpoch, batches: [], lastTimestampMs: -1 }
      this.#producers.set(producerId, producer)
    }
    producer.lastTimestampMs = cursor.maxTimestampMs
    if (cursor.isControl) return
    producer.batches.push({
      firstSequence: cursor.baseSequence,
      lastSequence: cursor.lastSequence,
      lastOffset: cursor.lastOffset,
      offsetDelta: cursor.lastOffsetDelta,
      timestampMs: cursor.maxTimestampMs,
    })
    if (producer.batches.length > keptBatches) producer.batches.shift()
  }

  expire(nowMs: number, expirationMs: number): void {
    for (const [id, { lastTimestampMs }] of this.#producers)
      if (nowMs - lastTimestampMs >= expirationMs) this.#producers.delete(id)
  }

  clear(): void {
    this.#producers.clear()
  }

  /** A `.snapshot` file: the newest batch of each producer. */
  encode(): Buffer {
    const out = new ByteWriter(64 + this.#producers.size * 46)
    out.int16(1)
    out.int32(0)
    out.int32(this.#producers.size)
    for (const [id, { epoch, batches, lastTimestampMs }] of this.#producers) {
      const last = batches.at(-1)
      out.safeInt64(id)
      out.int16(epoch)
      out.int32(last?.lastSequence ?? -1)
      out.safeInt64(last?.lastOffset ?? -1)
      out.int32(last?.offsetDelta ?? 0)
      out.safeInt64(lastTimestampMs)
      out.int32(-1)
      out.safeInt64(-1)
    }
    const bytes = out.written()
    bytes.writeUInt32BE(crc32c(bytes.subarray(6)), 2)
    return bytes
  }

  /** Throws MalformedBytesError for what is no snapshot. */
  decode(bytes: Buffer): void {
    const reader = new ByteReader(bytes)
    const version = reader.int16()
    const crc = reader.uint32()
    if (version !== 1 || crc !== crc32c(bytes.subarray(6)))
      throw new MalformedBytesError('a producer snapshot with a wrong version or checksum')
    const count = reader.int32()
    this.#producers.clear()
    for (let i = 0; i < count; i++) {
      const id = reader.safeInt64()
      const epoch = reader.int16()
      const lastSequence = reader.int32()
      const lastOffset = reader.safeInt64()
      const offsetDelta = reader.int32()
      const timestampMs = reader.safeInt64()
      reader.int32()
      reader.safeInt64()
      const firstSequence =
        lastSequence - offsetDelta < 0 ? lastSequence - offsetDelta + 2 ** 31 : lastSequence - offsetDelta
      const batches =
        lastOffset < 0 ? [] : [{ firstSequence, lastSequence, lastOffset, offsetDelta, timestampMs }]
      this.#producers.set(id, { epoch, batches, lastTimestampMs: timestampMs })
    }
  }
}

function outOfOrder(producerId: number, expected: number, found: number): LogError {
  return new LogError(
    errorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
    `producer ${producerId} should go on with sequence ${expected}; the batch begins with ${found}`,
  )
}

import { MalformedBytesError } from './byte-reader.ts'

/** What becomes of frames that are too long, but not so long that they can only be nonsense. */
export interface Oversized {
  /** Longer ones make the stream unusable. */
  maxBytes: number
  /** So many bytes of the frame are handed out; the rest is thrown away as it comes. */
  headBytes: number
  onFrame: (head: Buffer, length: number) => void
}

/** Told of a frame in `bytes` from `start` to `end`. */
type OnFrame = (bytes: Buffer, start: number, end: number) => void

/**
 * Cuts a stream of bytes into frames of `int32 length` + payload, as ZooKeeper and Kafka use them.
 *
 * A frame that lies whole in one chunk is a slice of that chunk; one that is spread over several is joined once.
 * The length is checked before any memory is taken for it.
 */
export class FrameDecoder {
  readonly #maxFrameBytes: number
  readonly #oversized: Oversized | null
  #chunks: Buffer[] = []
  #buffered = 0
  /** Of a frame that is too long: still to be thrown away. */
  #unwanted = 0

  constructor(maxFrameBytes: number, oversized: Oversized | null = null) {
    this.#maxFrameBytes = maxFrameBytes
    this.#oversized = oversized
  }

  /** Bytes held back because their frame is not complete yet. */
  get bufferedBytes(): number {
    return this.#buffered
  }

  /** Length of the frame that is being received, as far as that is known. */
  get expectedBytes(): number {
    if (this.#buffered < 4) return 0
    const head = this.#chunks[0]!
    return head.length < 4 ? 0 : head.readInt32BE(0)
  }

  /**
   * Takes a chunk and hands every frame it completes to `onFrame`, without the length prefix.
   * Throws MalformedBytesError on a length that cannot be; the stream is unusable afterwards.
   */
  push(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    this.locate(chunk, (bytes, start, end) => onFrame(bytes.subarray(start, end)))
  }

  /** As `push`, but no view is made of a frame: it lies in `bytes` from `start` to `end`. */
  locate(chunk: Buffer, onFrame: OnFrame): void {
    let at = this.#buffered === 0 ? 0 : chunk.length - this.#completeHeldFrame(chunk, onFrame).length
    if (this.#unwanted > 0) at += this.#throwAway(chunk.length - at)
    while (chunk.length - at >= 4) {
      const length = chunk.readInt32BE(at)
      const end = at + 4 + this.#keptLength(length)
      if (end > chunk.length) break
      const start = at + 4
      at = end
      if (length <= this.#maxFrameBytes) onFrame(chunk, start, end)
      else {
        this.#refuse(chunk.subarray(start, end), length)
        at += this.#throwAway(chunk.length - at)
      }
    }
    if (at < chunk.length) this.#hold(at === 0 ? chunk : chunk.subarray(at))
  }

  /** Finishes the held frame from `chunk`; returns what is left of the chunk (empty while the frame lacks bytes). */
  #completeHeldFrame(chunk: Buffer, onFrame: OnFrame): Buffer {
    let rest = chunk
    if (this.#buffered < 4) {
      const need = Math.min(4 - this.#buffered, rest.length)
      this.#hold(rest.subarray(0, need))
      rest = rest.subarray(need)
      if (this.#buffered < 4) return rest
      this.#chunks = [Buffer.concat(this.#chunks)]
    }
    const length = this.#chunks[0]!.readInt32BE(0)
    const missing = 4 + this.#keptLength(length) - this.#buffered
    if (rest.length < missing) {
      if (rest.length > 0) this.#hold(rest)
      return rest.subarray(rest.length)
    }
    this.#hold(rest.subarray(0, missing))
    const joined = Buffer.concat(this.#chunks, this.#buffered)
    this.#chunks = []
    this.#buffered = 0
    if (length <= this.#maxFrameBytes) onFrame(joined, 4, joined.length)
    else this.#refuse(joined.subarray(4), length)
    return rest.subarray(missing)
  }

  #refuse(head: Buffer, length: number): void {
    this.#unwanted = length - head.length
    this.#oversized!.onFrame(head, length)
  }

  #throwAway(available: number): number {
    const count = Math.min(this.#unwanted, available)
    this.#unwanted -= count
    return count
  }

  #hold(bytes: Buffer): void {
    this.#chunks.push(bytes)
    this.#buffered += bytes.length
  }

  /** How many bytes of a frame of that length are kept. */
  #keptLength(length: number): number {
    if (length >= 0 && length <= this.#maxFrameBytes) return length
    if (length > 0 && this.#oversized !== null && length <= this.#oversized.maxBytes)
      return Math.min(length, this.#oversized.headBytes)
    throw new MalformedBytesError(`frame length ${length} is outside 0..${this.#maxFrameBytes}`)
  }
}

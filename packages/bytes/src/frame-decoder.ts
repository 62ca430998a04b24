import { MalformedBytesError } from './byte-reader.ts'

/**
 * Cuts a stream of bytes into frames of `int32 length` + payload, as ZooKeeper and Kafka use them.
 *
 * A frame that lies whole in one chunk is a slice of that chunk; one that is spread over several is joined once.
 * The length is checked before any memory is taken for it.
 */
export class FrameDecoder {
  readonly #maxFrameBytes: number
  #chunks: Buffer[] = []
  #buffered = 0

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes
  }

  /** Bytes held back because their frame is not complete yet. */
  get bufferedBytes(): number {
    return this.#buffered
  }

  /**
   * Takes a chunk and hands every frame it completes to `onFrame`, without the length prefix.
   * Throws MalformedBytesError on a negative or oversized length; the stream is unusable afterwards.
   */
  push(chunk: Buffer, onFrame: (frame: Buffer) => void): void {
    let at = this.#buffered === 0 ? 0 : chunk.length - this.#completeHeldFrame(chunk, onFrame).length
    while (chunk.length - at >= 4) {
      const end = at + 4 + this.#checkedLength(chunk, at)
      if (end > chunk.length) break
      onFrame(chunk.subarray(at + 4, end))
      at = end
    }
    if (at < chunk.length) this.#hold(at === 0 ? chunk : chunk.subarray(at))
  }

  /** Finishes the held frame from `chunk`; returns what is left of the chunk (empty while the frame lacks bytes). */
  #completeHeldFrame(chunk: Buffer, onFrame: (frame: Buffer) => void): Buffer {
    let rest = chunk
    if (this.#buffered < 4) {
      const need = Math.min(4 - this.#buffered, rest.length)
      this.#hold(rest.subarray(0, need))
      rest = rest.subarray(need)
      if (this.#buffered < 4) return rest
      this.#chunks = [Buffer.concat(this.#chunks)]
    }
    const head = this.#chunks[0]!
    const missing = 4 + this.#checkedLength(head, 0) - this.#buffered
    if (rest.length < missing) {
      if (rest.length > 0) this.#hold(rest)
      return rest.subarray(rest.length)
    }
    this.#hold(rest.subarray(0, missing))
    const frame = Buffer.concat(this.#chunks, this.#buffered).subarray(4)
    this.#chunks = []
    this.#buffered = 0
    onFrame(frame)
    return rest.subarray(missing)
  }

  #hold(bytes: Buffer): void {
    this.#chunks.push(bytes)
    this.#buffered += bytes.length
  }

  #checkedLength(bytes: Buffer, at: number): number {
    const length = bytes.readInt32BE(at)
    if (length < 0 || length > this.#maxFrameBytes) {
      throw new MalformedBytesError(`frame length ${length} is outside 0..${this.#maxFrameBytes}`)
    }
    return length
  }
}

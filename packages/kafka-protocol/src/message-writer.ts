import { ByteWriter } from '@vivarium/bytes'

/** Smaller ones are copied: a piece of its own costs more. */
const minSpliceBytes = 2048

/** Writes a message; large byte fields are not copied but stand as pieces of their own in what comes out. */
export class MessageWriter extends ByteWriter {
  readonly #splices: { at: number; bytes: Buffer }[] = []
  #splicedBytes = 0

  splice(bytes: Buffer): void {
    if (bytes.length < minSpliceBytes) return this.bytes(bytes)
    this.#splices.push({ at: this.length, bytes })
    this.#splicedBytes += bytes.length
  }

  get totalLength(): number {
    return this.length + this.#splicedBytes
  }

  pieces(): Buffer[] {
    const written = this.written()
    const pieces: Buffer[] = []
    let from = 0
    for (const { at, bytes } of this.#splices) {
      if (at > from) pieces.push(written.subarray(from, at))
      pieces.push(bytes)
      from = at
    }
    if (from < written.length) pieces.push(written.subarray(from))
    return pieces
  }
}

/** «None», as a topic id. */
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'

/** 16 bytes as text. */
export function uuidText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString('base64url')
}

/** The 16 bytes of a uuid's text. */
export function uuidBytes(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length !== 16) throw new RangeError(`${JSON.stringify(text)} is not a uuid`)
  return bytes
}

/** A new uuid of random bytes; one whose text would begin with `-`, which tools take for an option, is drawn again. */
export function randomUuid(bytes: (count: number) => Buffer): string {
  for (;;) {
    const text = uuidText(bytes(16))
    if (!text.startsWith('-') && text !== ZERO_UUID) return text
  }
}

import type { Buffer } from 'node:buffer'

/** Longer ones are made anew each time. */
const mostBytes = 96
/** As many as a power of two. */
const slots = 4096
const prime = 0x0100_0193

/** Of each slot: the hash of the newest text, and a text that came twice. */
const hashes = new Int32Array(slots)
const texts: string[] = new Array(slots).fill('')

/**
 * The text in UTF-8 from `start` to `end`, the same string as before if it comes often: to find it costs a fraction of what
 * it costs to call native code for a string, collect it, and compare it letter by letter with its likes. Texts that come
 * once, of millions, are not kept.
 */
export function commonText(bytes: Buffer, start: number, end: number): string {
  if (end - start > mostBytes) return bytes.toString('utf8', start, end)
  let hash = 0
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, prime)
  const slot = (hash ^ (hash >>> 15)) & (slots - 1)
  if (hashes[slot] !== hash) {
    hashes[slot] = hash
    return bytes.toString('utf8', start, end)
  }
  const known = texts[slot]!
  if (isText(known, bytes, start, end)) return known
  const text = bytes.toString('utf8', start, end)
  texts[slot] = text
  return text
}

/** Texts with other characters than ASCII never are. */
function isText(text: string, bytes: Buffer, start: number, end: number): boolean {
  const { length } = text
  if (length !== end - start) return false
  for (let at = 0; at < length; at++) {
    const byte = bytes[start + at]!
    if (byte > 0x7f || text.charCodeAt(at) !== byte) return false
  }
  return true
}

import type { Buffer } from 'node:buffer'

/** A call into native code costs more than to look at so many bytes here. */
const mostBytes = 64
const slots = 4096
const prime = 0x0100_0193
const texts: string[] = new Array(slots).fill('')

/**
 * The text that these bytes are in UTF-8. Names come again and again (paths, topics, clients), and one that was met lately is
 * given out again instead of being made anew.
 */
export function textOf(bytes: Buffer, start: number, end: number): string {
  const length = end - start
  if (length > mostBytes) return bytes.toString('utf8', start, end)
  let hash = 0
  for (let at = start; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, prime)
  const slot = (hash ^ (hash >>> 15)) & (slots - 1)
  const known = texts[slot]!
  if (known.length === length && isSame(known, bytes, start)) return known
  const text = bytes.toString('utf8', start, end)
  // Only then is each of its characters a byte: ASCII, or what stands for a byte that is no text and equals none.
  if (text.length === length) texts[slot] = text
  return text
}

function isSame(text: string, bytes: Buffer, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) !== bytes[start + i]) return false
  return true
}

import type { Chance } from '@vivarium/simulator'

const lengths = [0, 1, -1, -2, 16, 1000, 65_535, 1 << 20, (1 << 20) + 1, 64 << 20, 2 ** 31 - 1, -(2 ** 31)]

/** What is done to bytes; each gives them back changed. */
const changes: readonly ((bytes: Buffer, chance: Chance, others: readonly Buffer[]) => Buffer)[] = [
  function flipBit(bytes, chance) {
    if (bytes.length > 0) bytes[chance.below(bytes.length)]! ^= 1 << chance.below(8)
    return bytes
  },
  function setByte(bytes, chance) {
    if (bytes.length > 0) bytes[chance.below(bytes.length)] = chance.below(256)
    return bytes
  },
  function setInt(bytes, chance) {
    if (bytes.length >= 4) bytes.writeInt32BE(chance.pick(lengths), chance.below(bytes.length - 3))
    return bytes
  },
  function nudgeInt(bytes, chance) {
    if (bytes.length < 4) return bytes
    const at = chance.below(bytes.length - 3)
    bytes.writeInt32BE((bytes.readInt32BE(at) + chance.between(-2, 2)) | 0, at)
    return bytes
  },
  function cutOff(bytes, chance) {
    return bytes.subarray(0, chance.below(bytes.length + 1))
  },
  function leaveOut(bytes, chance) {
    const from = chance.below(bytes.length + 1)
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + chance.below(16))])
  },
  function repeat(bytes, chance) {
    const from = chance.below(bytes.length + 1)
    const piece = bytes.subarray(from, from + chance.below(64))
    const at = chance.below(bytes.length + 1)
    return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)])
  },
  function insert(bytes, chance) {
    const at = chance.below(bytes.length + 1)
    return Buffer.concat([bytes.subarray(0, at), chance.bytes(chance.below(32)), bytes.subarray(at)])
  },
  function blank(bytes, chance) {
    const from = chance.below(bytes.length + 1)
    return bytes.fill(0, from, Math.min(bytes.length, from + chance.below(600)))
  },
  function goOnWithAnother(bytes, chance, others) {
    const other = chance.pick(others)
    return Buffer.concat([
      bytes.subarray(0, chance.below(bytes.length + 1)),
      other.subarray(chance.below(other.length + 1)),
    ])
  },
]

/** `bytes` with up to four things done to them. */
export function mutated(bytes: Buffer, chance: Chance, others: readonly Buffer[] = [bytes]): Buffer {
  let result: Buffer = Buffer.from(bytes)
  for (let left = 1 + chance.below(4); left > 0; left--) result = chance.pick(changes)(result, chance, others)
  return result
}

/** Bytes behind their length. */
export function framed(body: Buffer): Buffer {
  const frame = Buffer.alloc(4 + body.length)
  frame.writeInt32BE(body.length)
  body.copy(frame, 4)
  return frame
}

import type { ZnodeStore } from '../znodes/znode-store.ts'

/** In a smaller tree what a lookup touches is in the processor's caches anyway. */
const cachedZnodes = 50_000
/** At most so many at a time: what is touched first must still be there when its turn comes. */
const maxPaths = 256
const maxPathBytes = 512
/** From the start of a frame: its length, xid, opcode, and the length of the path that most requests begin with. */
const pathLengthAt = 12
const pathAt = 16

const starts = new Int32Array(maxPaths)
const lengths = new Int32Array(maxPaths)

/**
 * Has the znodes brought near that the requests in `bytes`, whole frames one behind another, are about: those of a large tree
 * lie in memory that takes longer to answer than a request does.
 */
export function lookAhead(nodes: ZnodeStore, bytes: Buffer): void {
  if (nodes.size < cachedZnodes) return
  let count = 0
  for (let at = 0; at + pathAt <= bytes.length && count < maxPaths; ) {
    const end = at + 4 + int32At(bytes, at)
    if (end < at + pathAt || end > bytes.length) break
    const length = int32At(bytes, at + pathLengthAt)
    // Of a request that begins with something else, this is no path, and nothing comes of it.
    if (length > 0 && length <= Math.min(maxPathBytes, end - at - pathAt)) {
      starts[count] = at + pathAt
      lengths[count] = length
      count++
    }
    at = end
  }
  if (count > 1) nodes.lookAhead(bytes, starts, lengths, count)
}

/** As `readInt32BE`, without its checks: whoever asks has seen that it is there. */
function int32At(bytes: Buffer, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

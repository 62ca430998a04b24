import { crc32 } from 'node:zlib'

export const digestVersion = 2

/** The stored values of a znode that its digest covers. */
export interface DigestedNode {
  readonly data: Buffer | null
  /** Bytes of its data; −1 for null. */
  readonly dataLength: number
  /** Its data, written to the start of `into` without a view between. */
  copyData(into: Buffer): void
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly pzxid: bigint
  readonly ctimeMs: number
  readonly mtimeMs: number
  readonly version: number
  readonly cversion: number
  readonly aversion: number
  readonly ephemeralOwner: bigint
  /** `pathCrc` of its path: paths do not change, so that part is computed once. */
  readonly pathCrc: number
}

const statBytes = 60
/** Data up to this size is checked in one call together with the stat. */
const joinedBytes = 1024
const scratch = Buffer.alloc(joinedBytes + statBytes)
/** The start of `scratch` for each length of data, made when first needed. */
const scratches: (Buffer | undefined)[] = new Array(joinedBytes + 1)
const view = new DataView(scratch.buffer, scratch.byteOffset, scratch.length)
/** What lives below /zookeeper differs between servers (quota counts): it does not take part. */
export const takesNoPart = -1
const systemFolder = Buffer.from('/zookeeper/')
const root = 1

/** The part of a znode's digest that its path, in UTF-8, contributes. */
export function pathCrcOf(path: Buffer): number {
  if (path.length === root) return crc32('')
  const isSystem = path.length > systemFolder.length && path.compare(systemFolder, 0, 11, 0, 11) === 0
  return isSystem ? takesNoPart : crc32(path)
}

/**
 * A znode's share in the digest of the tree: CRC-32 over path, data and stored stat. The tree's digest is the sum of all,
 * so that servers that applied the same transactions hold the same number. Source: DigestCalculator (version 2).
 */
export function nodeDigest(node: DigestedNode): number {
  const { dataLength, pathCrc } = node
  if (pathCrc === takesNoPart) return 0
  const isJoined = dataLength <= joinedBytes
  const at = isJoined ? Math.max(0, dataLength) : 0
  if (at > 0) node.copyData(scratch)
  view.setBigInt64(at, node.czxid)
  view.setBigInt64(at + 8, node.mzxid)
  view.setBigInt64(at + 16, node.pzxid)
  setMs(at + 24, node.ctimeMs)
  setMs(at + 32, node.mtimeMs)
  view.setInt32(at + 40, node.version)
  view.setInt32(at + 44, node.cversion)
  view.setInt32(at + 48, node.aversion)
  view.setBigInt64(at + 52, node.ephemeralOwner)
  const before = isJoined ? pathCrc : crc32(node.data!, pathCrc)
  scratches[at] ??= scratch.subarray(0, at + statBytes)
  return crc32(scratches[at], before)
}

function setMs(at: number, ms: number): void {
  view.setInt32(at, Math.floor(ms / 0x1_0000_0000))
  view.setUint32(at + 4, ms >>> 0)
}

import { crc32 } from 'node:zlib'

export const digestVersion = 2

/** The stored values of a znode that its digest covers. */
export interface DigestedStat {
  czxid: bigint
  mzxid: bigint
  pzxid: bigint
  ctimeMs: number
  mtimeMs: number
  version: number
  cversion: number
  aversion: number
  ephemeralOwner: bigint
}

const scratch = Buffer.alloc(60)

/**
 * A znode's share in the digest of the tree: CRC-32 over path, data and stored stat. The tree's digest is the sum of all,
 * so that servers that applied the same transactions hold the same number. Source: DigestCalculator (version 2).
 */
export function nodeDigest(path: string, data: Buffer | null, stat: DigestedStat): number {
  // What lives below /zookeeper differs between servers (quota counts): it does not take part.
  if (path.startsWith('/zookeeper/')) return 0
  scratch.writeBigInt64BE(stat.czxid, 0)
  scratch.writeBigInt64BE(stat.mzxid, 8)
  scratch.writeBigInt64BE(stat.pzxid, 16)
  writeMs(stat.ctimeMs, 24)
  writeMs(stat.mtimeMs, 32)
  scratch.writeInt32BE(stat.version, 40)
  scratch.writeInt32BE(stat.cversion, 44)
  scratch.writeInt32BE(stat.aversion, 48)
  scratch.writeBigInt64BE(stat.ephemeralOwner, 52)
  let crc = crc32(path === '/' ? '' : path)
  if (data !== null) crc = crc32(data, crc)
  return crc32(scratch, crc)
}

function writeMs(ms: number, at: number): void {
  scratch.writeInt32BE(Math.floor(ms / 0x1_0000_0000), at)
  scratch.writeUInt32BE(ms >>> 0, at + 4)
}

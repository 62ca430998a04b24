import { crc32, crc32OfWords } from '@vivarium/bytes'

export const digestVersion = 2

/** The stored values of a znode that its digest covers. */
export interface DigestedNode {
  readonly data: Buffer | null
  /** Bytes of its data; −1 for null. */
  readonly dataLength: number
  /** Its data, written to the start of `into` without a view between. */
  copyData(into: Buffer): void
  /** Its stat as `digested` says. */
  writeDigested(into: DataView, at: number): void
  /** `pathCrc` of its path: paths do not change, so that part is computed once. */
  readonly pathCrc: number
}

/** Where each part of a znode's stat lies when the digest is taken, big-endian. */
export const digested = {
  czxid: 0,
  mzxid: 8,
  pzxid: 16,
  ctimeMs: 24,
  mtimeMs: 32,
  version: 40,
  cversion: 44,
  aversion: 48,
  ephemeralOwner: 52,
} as const
export const digestedStatBytes = 60
/** Data up to this size is checked in one go together with the stat; longer ones are left to native code. */
const joinedBytes = 320
const scratch = Buffer.allocUnsafeSlow(joinedBytes + digestedStatBytes)
const view = new DataView(scratch.buffer)
const words = new Int32Array(scratch.buffer)
/** What lives below /zookeeper differs between servers (quota counts): it does not take part. */
export const takesNoPart = -1
const systemFolder = Buffer.from('/zookeeper/')
const firstOfSystem = systemFolder[1]
const root = 1

/** The part of a znode's digest that its path contributes: the first `length` bytes of `path`, in UTF-8. */
export function pathCrcOf(path: Buffer, length: number = path.length): number {
  if (length === root) return 0
  return isSystemPath(path, length) ? takesNoPart : crc32(path, 0, length)
}

function isSystemPath(path: Buffer, length: number): boolean {
  if (path[1] !== firstOfSystem || length <= systemFolder.length) return false
  return path.compare(systemFolder, 0, systemFolder.length, 0, systemFolder.length) === 0
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
  node.writeDigested(view, at)
  const before = isJoined ? pathCrc : crc32(node.data!, pathCrc)
  return crc32OfWords(words, at + digestedStatBytes, before)
}

/** Writes a time as 64 bits, big-endian. */
export function setMs(into: DataView, at: number, ms: number): void {
  into.setInt32(at, Math.floor(ms / 0x1_0000_0000))
  into.setUint32(at + 4, ms >>> 0)
}

/** The digest of a tree, in two unsigned halves, because there is one with every write. */
export interface TreeDigest {
  version: number
  high: number
  low: number
}

/** A sum of digests, modulo 2⁶⁴. */
export class DigestSum {
  #high = 0
  #low = 0

  /** The sum as it is now. */
  get halves(): TreeDigest {
    return { version: digestVersion, high: this.#high, low: this.#low }
  }

  isSame({ high, low }: TreeDigest): boolean {
    return high === this.#high && low === this.#low
  }

  get value(): bigint {
    return (BigInt(this.#high) << 32n) | BigInt(this.#low)
  }

  set value(value: bigint) {
    this.#high = Number(BigInt.asUintN(32, value >> 32n))
    this.#low = Number(BigInt.asUintN(32, value))
  }

  /** Adds a difference of two digests: less than 2³² up or down. */
  add(change: number): void {
    const low = this.#low + change
    if (low < 0) this.#high = (this.#high - 1) >>> 0
    else if (low > 0xffff_ffff) this.#high = (this.#high + 1) >>> 0
    this.#low = low >>> 0
  }

  clear(): void {
    this.#high = 0
    this.#low = 0
  }
}

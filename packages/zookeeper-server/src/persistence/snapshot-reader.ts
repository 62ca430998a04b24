import type { Disk, DiskFile } from '@vivarium/platform'
import { type Acl, openAcl } from '@vivarium/zookeeper-protocol'
import type { DataTree } from '../data-tree.ts'
import type { ByteSource } from '../quorum/replica.ts'
import { adler32 } from './adler32.ts'
import { DataError } from './data-error.ts'
import type { NamedFile } from './file-names.ts'
import { packers, packingOf } from './snapshot-packing.ts'
import { snapshotMagic, snapshotVersion } from './snapshot-writer.ts'

/** Bounds on single values, far above what a server accepts, far below what would exhaust memory. */
const maxStringBytes = 16 * 1024 * 1024
const maxDataBytes = 256 * 1024 * 1024

/** What a znode takes in a snapshot, usually or less. */
const usualZnodeBytes = 160
/** The most of them that are reckoned with: a file may be sparse. */
const mostExpected = 2 ** 24

/**
 * Reads a database (sessions, ACLs, znodes, end mark) into `tree`, replacing what it holds; `sizeBytes` of it, or about as
 * many. Gives the sessions with their timeouts. Rejects if the stream ends early or holds what no snapshot can.
 */
export async function deserializeDatabase(
  source: ByteSource,
  tree: DataTree,
  sizeBytes = 0,
): Promise<Map<bigint, number>> {
  const input = new StreamReader(source)
  tree.clear()
  tree.nodes.expect(Math.min(sizeBytes / usualZnodeBytes, mostExpected))
  const sessions = new Map<bigint, number>()
  for (let left = await input.int(); left > 0; left--) sessions.set(await input.long(), await input.int())
  const acls = await readAcls(input, tree)
  // There are millions of znodes: what has arrived already is not waited for, and a length is read with what is before it.
  let pathLength = checkedLength(await input.int(), 0, maxStringBytes)
  while (pathLength !== 1) {
    let head = input.take(pathLength + 4)
    if (!Buffer.isBuffer(head)) head = await head
    const dataLength = checkedLength(head.readInt32BE(pathLength), -1, maxDataBytes)
    const at = Math.max(dataLength, 0)
    let rest = input.take(at + 72)
    if (!Buffer.isBuffer(rest)) rest = await rest
    const aclKey = acls.at(rest, at)
    if (aclKey === undefined)
      throw new Error(
        `znode ${head.toString('utf8', 0, pathLength)} has ACL ${rest.readBigInt64BE(at)}, which is not in the snapshot`,
      )
    if (!tree.restoreNode({ path: head, pathLength, rest, dataLength, statAt: at + 8, aclKey }))
      throw new Error(`znode ${head.toString('utf8', 0, pathLength)} stands before its parent, or twice`)
    pathLength = checkedLength(rest.readInt32BE(at + 68), 0, maxStringBytes)
  }
  for (const key of acls.keys()) tree.nodes.acls.release(key)
  if ((await input.take(1))[0] !== 0x2f) throw new Error('a znode whose path is one character')
  tree.finishRestore()
  return sessions
}

/** From the keys that ACLs have in a snapshot to those they have here, each in use. */
class AclKeys {
  readonly #keys = new Map<bigint, number>()
  /** The key that was looked up last: most znodes have the same. */
  readonly #last = { high: 0, low: 0, key: undefined as number | undefined }

  set(theirs: bigint, ours: number): void {
    this.#keys.set(theirs, ours)
  }

  /** The key here for the one that stands in `bytes`. */
  at(bytes: Buffer, position: number): number | undefined {
    const last = this.#last
    const high = bytes.readInt32BE(position)
    const low = bytes.readInt32BE(position + 4)
    if (last.key === undefined || high !== last.high || low !== last.low) {
      last.high = high
      last.low = low
      last.key = this.#keys.get(bytes.readBigInt64BE(position))
    }
    return last.key
  }

  keys(): Iterable<number> {
    return this.#keys.values()
  }
}

async function readAcls(input: StreamReader, tree: DataTree): Promise<AclKeys> {
  const { acls } = tree.nodes
  const keys = new AclKeys()
  keys.set(-1n, acls.acquire(openAcl))
  for (let left = await input.int(); left > 0; left--) {
    const key = await input.long()
    const acl: Acl[] = []
    for (let entries = await input.int(); entries > 0; entries--) {
      acl.push({ perms: await input.int(), id: { scheme: await input.string(), id: await input.string() } })
    }
    keys.set(key, acls.acquire(acl))
  }
  return keys
}

class StreamReader {
  readonly #source: ByteSource

  constructor(source: ByteSource) {
    this.#source = source
  }

  take(length: number): Promise<Buffer> | Buffer {
    return this.#source.read(length)
  }

  async int(): Promise<number> {
    return (await this.take(4)).readInt32BE(0)
  }

  async long(): Promise<bigint> {
    return (await this.take(8)).readBigInt64BE(0)
  }

  async string(): Promise<string> {
    const length = await this.int()
    if (length < 0 || length > maxStringBytes) throw new Error(`a string of ${length} bytes`)
    return (await this.take(length)).toString('utf8')
  }
}

function checkedLength(length: number, least: number, most: number): number {
  if (length < least || length > most) throw new Error(`a field of ${length} bytes`)
  return length
}

/** Loads a snapshot file into `tree`. Throws DataError when it is not whole or its checksums do not match. */
export async function readSnapshot(
  disk: Disk,
  file: NamedFile,
  tree: DataTree,
): Promise<Map<bigint, number>> {
  const fail = (problem: string, cause?: unknown) =>
    new DataError(
      file.path,
      problem,
      'move the file away; the server then starts from the next older snapshot',
      { cause },
    )
  const open = await disk.open(file.path, 'read')
  try {
    const content = await contentOf(file, open)
    const source = new CheckedSource(content)
    try {
      const header = await source.read(fileHeaderBytes)
      if (header.readInt32BE(0) !== snapshotMagic || header.readInt32BE(4) !== snapshotVersion)
        throw new Error('it has another beginning')
    } catch (error) {
      throw fail('this is not a ZooKeeper snapshot', error)
    }
    let sessions: Map<bigint, number>
    try {
      sessions = await deserializeDatabase(source, tree, content.sizeBytes)
    } catch (error) {
      throw fail(
        `the snapshot is damaged near position ${source.position}: ${(error as Error).message}`,
        error,
      )
    }
    const checksum = source.checksum()
    const seal = await Promise.resolve(source.read(sealBytes)).catch(() => null)
    if (seal === null || seal.readUInt32BE(4) !== checksum) throw fail('the checksum does not match')
    return sessions
  } finally {
    await open.close()
  }
}

/** Whether a file could be a whole snapshot, told by its first and last bytes alone. */
export async function looksWhole(disk: Disk, file: NamedFile): Promise<boolean> {
  const size = (await disk.stat(file.path))?.sizeBytes ?? 0
  if (size < 10) return false
  const open = await disk.open(file.path, 'read')
  try {
    const ends = Buffer.alloc(8)
    await open.read(ends, 0)
    const packing = packingOf(file.name)
    if (packing === 'gz') return ends[0] === 0x1f && ends[1] === 0x8b
    if (packing === 'snappy') return ends.equals(snappyMagic)
    await open.read(ends.subarray(0, 5), size - 5)
    return ends.subarray(0, 5).equals(Buffer.from('000000012f', 'hex'))
  } finally {
    await open.close()
  }
}

const snappyMagic = Buffer.from('82534e4150505900', 'hex')
const fileHeaderBytes = 16
const sealBytes = 13
const chunkBytes = 1024 * 1024

/** What a snapshot holds: the file as it is, or what is packed in it. */
interface Content {
  sizeBytes: number
  read(into: Uint8Array, position: number): Promise<number>
}

async function contentOf(file: NamedFile, open: DiskFile): Promise<Content> {
  const sizeBytes = await open.size()
  const packing = packingOf(file.name)
  if (packing === '') return { sizeBytes, read: (into, position) => open.read(into, position) }
  const packed = Buffer.allocUnsafe(sizeBytes)
  await open.read(packed, 0)
  const bytes = await packers[packing].unpack(packed, file.path)
  return { sizeBytes: bytes.length, read: async (into, position) => bytes.copy(into, 0, position) }
}

/** Hands out bytes in order, reading ahead, and knows the checksum of all it handed out. */
class CheckedSource implements ByteSource {
  readonly #content: Content
  #buffer = Buffer.alloc(0)
  #offset = 0
  /** Where the buffer ends. */
  #end = 0
  /** Of everything before the buffer. */
  #checksumBefore = 1

  constructor(content: Content) {
    this.#content = content
  }

  get position(): number {
    return this.#end - (this.#buffer.length - this.#offset)
  }

  read(length: number): Promise<Buffer> | Buffer {
    if (length > this.#buffer.length - this.#offset) return this.#readLater(length)
    const start = this.#offset
    this.#offset += length
    return this.#buffer.subarray(start, this.#offset)
  }

  async #readLater(length: number): Promise<Buffer> {
    // A length that lies must not take memory for what is not there.
    if (length > this.#content.sizeBytes - this.position) throw new Error('the file ends early')
    this.#checksumBefore = this.checksum()
    const held = this.#buffer.subarray(this.#offset)
    const left = this.#content.sizeBytes - this.#end
    const wanted = Math.min(Math.max(chunkBytes, length - held.length), left)
    const buffer = Buffer.allocUnsafe(held.length + wanted)
    held.copy(buffer)
    const count = await this.#content.read(buffer.subarray(held.length), this.#end)
    this.#buffer = buffer.subarray(0, held.length + count)
    this.#offset = 0
    this.#end += count
    if (length > this.#buffer.length) throw new Error('the file ends early')
    return this.read(length)
  }

  /** Adler-32 of everything handed out so far. */
  checksum(): number {
    return adler32(this.#buffer.subarray(0, this.#offset), this.#checksumBefore)
  }
}

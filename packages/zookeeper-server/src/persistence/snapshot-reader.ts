import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Disk } from '@vivarium/platform'
import type { Acl } from '@vivarium/zookeeper-protocol'
import { uncompress } from 'snappy'
import { type DataTree, Znode } from '../data-tree.ts'
import type { ByteSource } from '../quorum/replica.ts'
import { adler32 } from './adler32.ts'
import { DataError } from './data-error.ts'
import type { NamedFile } from './file-names.ts'
import { snapshotMagic, snapshotVersion } from './snapshot-writer.ts'

/** Bounds on single values, far above what a server accepts, far below what would exhaust memory. */
const maxStringBytes = 16 * 1024 * 1024
const maxDataBytes = 256 * 1024 * 1024

/**
 * Reads a database (sessions, ACLs, znodes, end mark) into `tree`, replacing what it holds. Gives the sessions with
 * their timeouts. Rejects if the stream ends early or holds what no snapshot can.
 */
export async function deserializeDatabase(source: ByteSource, tree: DataTree): Promise<Map<bigint, number>> {
  const input = new StreamReader(source)
  tree.clear()
  const sessions = new Map<bigint, number>()
  for (let left = await input.int(); left > 0; left--) sessions.set(await input.long(), await input.int())
  const acls = await readAcls(input, tree)
  // Each read waits, and there are millions of znodes: two reads each, by taking the length of what follows along.
  let pathLength = checkedLength(await input.int(), 0, maxStringBytes)
  while (pathLength !== 1) {
    const head = await input.take(pathLength + 4)
    const path = pathLength === 0 ? '/' : head.toString('utf8', 0, pathLength)
    const dataLength = checkedLength(head.readInt32BE(pathLength), -1, maxDataBytes)
    const at = Math.max(dataLength, 0)
    const rest = await input.take(at + 72)
    const key = rest.readBigInt64BE(at)
    const acl = acls.get(key)
    if (acl === undefined) throw new Error(`znode ${path} has ACL ${key}, which is not in the snapshot`)
    const node = new Znode(
      path,
      dataLength === -1 ? null : Buffer.from(rest.subarray(0, at)),
      acl,
      rest.readBigInt64BE(at + 52),
      rest.readBigInt64BE(at + 8),
      Number(rest.readBigInt64BE(at + 24)),
    )
    node.mzxid = rest.readBigInt64BE(at + 16)
    node.mtimeMs = Number(rest.readBigInt64BE(at + 32))
    node.version = rest.readInt32BE(at + 40)
    node.cversion = rest.readInt32BE(at + 44)
    node.aversion = rest.readInt32BE(at + 48)
    node.pzxid = rest.readBigInt64BE(at + 60)
    if (!tree.restoreNode(path, node)) throw new Error(`znode ${path} stands before its parent`)
    pathLength = checkedLength(rest.readInt32BE(at + 68), 0, maxStringBytes)
  }
  if ((await input.take(1))[0] !== 0x2f) throw new Error('a znode whose path is one character')
  tree.finishRestore()
  return sessions
}

async function readAcls(input: StreamReader, tree: DataTree): Promise<Map<bigint, readonly Acl[]>> {
  const acls = new Map<bigint, readonly Acl[]>([
    [-1n, tree.internAcl([{ perms: 31, id: { scheme: 'world', id: 'anyone' } }])],
  ])
  for (let left = await input.int(); left > 0; left--) {
    const key = await input.long()
    const acl: Acl[] = []
    for (let entries = await input.int(); entries > 0; entries--) {
      acl.push({ perms: await input.int(), id: { scheme: await input.string(), id: await input.string() } })
    }
    acls.set(key, tree.internAcl(acl))
  }
  return acls
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
  const bytes = await uncompressed(file, await disk.readFile(file.path))
  const fail = (problem: string, cause?: unknown) =>
    new DataError(
      file.path,
      problem,
      'move the file away; the server then starts from the next older snapshot',
      { cause },
    )
  if (
    bytes.length < 29 ||
    bytes.readInt32BE(0) !== snapshotMagic ||
    bytes.readInt32BE(4) !== snapshotVersion
  ) {
    throw fail('this is not a ZooKeeper snapshot')
  }
  const source = new BufferSource(bytes, 16)
  let sessions: Map<bigint, number>
  try {
    sessions = await deserializeDatabase(source, tree)
  } catch (error) {
    throw fail(`the snapshot is damaged near position ${source.position}: ${(error as Error).message}`, error)
  }
  const sealed = source.position
  if (bytes.length < sealed + 13 || bytes.readUInt32BE(sealed + 4) !== adler32(bytes.subarray(0, sealed))) {
    throw fail('the checksum does not match')
  }
  return sessions
}

/** Whether a file could be a whole snapshot, told by its first and last bytes alone. */
export async function looksWhole(disk: Disk, file: NamedFile): Promise<boolean> {
  const size = (await disk.stat(file.path))?.sizeBytes ?? 0
  if (size < 10) return false
  const open = await disk.open(file.path, 'read')
  try {
    const ends = Buffer.alloc(8)
    await open.read(ends, 0)
    if (file.name.endsWith('.gz')) return ends[0] === 0x1f && ends[1] === 0x8b
    if (file.name.endsWith('.snappy')) return ends.equals(snappyMagic)
    await open.read(ends.subarray(0, 5), size - 5)
    return ends.subarray(0, 5).equals(Buffer.from('000000012f', 'hex'))
  } finally {
    await open.close()
  }
}

const snappyMagic = Buffer.from('82534e4150505900', 'hex')
const maxSnapshotBytes = 2 ** 32

async function uncompressed(file: NamedFile, bytes: Buffer): Promise<Buffer> {
  if (file.name.endsWith('.gz')) return promisify(gunzip)(bytes, { maxOutputLength: maxSnapshotBytes })
  if (!file.name.endsWith('.snappy')) return bytes
  const blocks: Buffer[] = []
  for (let at = 16; at + 4 <= bytes.length; ) {
    const length = bytes.readInt32BE(at)
    at += 4
    if (length < 0 || length > bytes.length - at)
      throw new DataError(
        file.path,
        `a snappy block of ${length} bytes at position ${at}`,
        'move the file away',
      )
    blocks.push((await uncompress(bytes.subarray(at, at + length))) as Buffer)
    at += length
  }
  return Buffer.concat(blocks)
}

class BufferSource implements ByteSource {
  readonly #bytes: Buffer
  position: number

  constructor(bytes: Buffer, position: number) {
    this.#bytes = bytes
    this.position = position
  }

  read(length: number): Promise<Buffer> | Buffer {
    if (length > this.#bytes.length - this.position) throw new Error('the file ends early')
    const start = this.position
    this.position += length
    return this.#bytes.subarray(start, this.position)
  }
}

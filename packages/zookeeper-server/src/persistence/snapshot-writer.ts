import { join } from 'node:path'
import { ByteWriter } from '@vivarium/bytes'
import type { Disk, DiskFile } from '@vivarium/platform'
import { type Acl, acl } from '@vivarium/zookeeper-protocol'
import type { DataTree, Znode } from '../data-tree.ts'
import { adler32 } from './adler32.ts'
import { snapshotName } from './file-names.ts'
import { packers, type SnapshotPacking } from './snapshot-packing.ts'

export const snapshotMagic = 0x5a4b534e
export const snapshotVersion = 2

/** How much is serialised in one go: small enough that nobody waits. */
const chunkBytes = 64 * 1024

/**
 * The database as the body of a snapshot: sessions, ACLs, znodes, end mark, in chunks. The tree may change between two
 * chunks: the result is fuzzy, and replaying the transactions from `lastProcessedZxid` at the first chunk on mends it.
 */
export function* serializeDatabase(tree: DataTree, sessions: ReadonlyMap<bigint, number>): Generator<Buffer> {
  const startZxid = tree.lastProcessedZxid
  const aclsBefore = new Map<string, readonly Acl[]>()
  tree.aclsBeforeSnapshot = aclsBefore
  try {
    const out = new ByteWriter(chunkBytes * 2)
    writeSessions(out, sessions)
    writeAcls(out, tree)
    for (const [path, node] of tree.nodes) {
      // Created since the start: the replay creates it, with an ACL the table above may lack.
      if (node.czxid > startZxid) continue
      writeNode(out, path, node, tree.aclKeyOf(aclsBefore.get(path) ?? node.acl))
      if (out.length < chunkBytes) continue
      yield Buffer.from(out.written())
      out.reset()
    }
    out.int32(1)
    out.utf8('/')
    yield Buffer.from(out.written())
  } finally {
    if (tree.aclsBeforeSnapshot === aclsBefore) tree.aclsBeforeSnapshot = null
  }
}

function writeSessions(out: ByteWriter, sessions: ReadonlyMap<bigint, number>): void {
  out.int32(sessions.size)
  for (const [id, timeoutMs] of sessions) {
    out.int64(id)
    out.int32(timeoutMs)
  }
}

function writeAcls(out: ByteWriter, tree: DataTree): void {
  const entries = tree.aclEntries()
  out.int32(entries.length)
  for (const entry of entries) {
    out.safeInt64(entry.key)
    out.int32(entry.acl.length)
    for (const one of entry.acl) acl.write(out, one)
  }
}

function writeNode(out: ByteWriter, path: string, node: Znode, aclKey: number): void {
  const name = path === '/' ? '' : path
  const length = Buffer.byteLength(name)
  out.int32(length)
  out.utf8(name, length)
  if (node.data === null) {
    out.int32(-1)
  } else {
    out.int32(node.data.length)
    out.bytes(node.data)
  }
  out.safeInt64(aclKey)
  out.int64(node.czxid)
  out.int64(node.mzxid)
  out.safeInt64(node.ctimeMs)
  out.safeInt64(node.mtimeMs)
  out.int32(node.version)
  out.int32(node.cversion)
  out.int32(node.aversion)
  out.int64(node.ephemeralOwner)
  out.int64(node.pzxid)
}

/**
 * Writes a snapshot file in Apache's format, synced and put in place with one rename, so that a file of that name is
 * whole. Resolves with its path.
 */
export async function writeSnapshot(
  disk: Disk,
  folder: string,
  tree: DataTree,
  sessions: ReadonlyMap<bigint, number>,
  packing: SnapshotPacking = '',
): Promise<string> {
  const zxid = tree.lastProcessedZxid
  const packer = packers[packing]
  const path = join(folder, `${snapshotName(zxid)}${packer.suffix}`)
  const temporary = `${path}.tmp`
  await disk.remove(temporary)
  const file = await disk.open(temporary, 'create')
  try {
    const sealed = new SealedWriter(file, packer.pack)
    await sealed.begin(packer.head)
    const header = new ByteWriter(16)
    header.int32(snapshotMagic)
    header.int32(snapshotVersion)
    header.int64(-1n)
    await sealed.write(header.written())
    for (const chunk of serializeDatabase(tree, sessions)) await sealed.write(chunk)
    // Zeros stand for a tree nothing was written to yet. The tree went on while it was written: whoever replays up to here must arrive at this digest.
    const digest = { zxid: tree.lastProcessedZxid, value: zxid === 0n ? 0n : tree.digest }
    await sealed.seal()
    const tail = new ByteWriter(20)
    tail.int64(digest.zxid)
    tail.int32(tree.digestVersion)
    tail.int64(BigInt.asIntN(64, digest.value))
    await sealed.write(tail.written())
    await sealed.seal()
    const last = new ByteWriter(8)
    last.int64(zxid)
    await sealed.write(last.written())
    await sealed.seal()
    await file.sync()
  } catch (error) {
    await file.close()
    await disk.remove(temporary)
    throw error
  }
  await file.close()
  await disk.rename(temporary, path)
  await disk.syncDirectory(folder)
  return path
}

/** Writes in order and keeps the running checksum; a seal is the checksum of every byte before it, and `/`. */
class SealedWriter {
  readonly #file: DiskFile
  readonly #pack: (bytes: Buffer) => Promise<Buffer>
  #position = 0
  #checksum = 1

  constructor(file: DiskFile, pack: (bytes: Buffer) => Promise<Buffer>) {
    this.#file = file
    this.#pack = pack
  }

  /** What the packing puts before everything: no part of what is sealed. */
  async begin(head: Buffer): Promise<void> {
    if (head.length > 0) await this.#put(head)
  }

  async write(bytes: Buffer): Promise<void> {
    this.#checksum = adler32(bytes, this.#checksum)
    await this.#put(await this.#pack(bytes))
  }

  async #put(bytes: Buffer): Promise<void> {
    await this.#file.write([bytes], this.#position)
    this.#position += bytes.length
  }

  async seal(): Promise<void> {
    const seal = Buffer.alloc(13)
    seal.writeUInt32BE(this.#checksum, 4)
    seal.writeInt32BE(1, 8)
    seal.write('/', 12)
    await this.write(seal)
  }
}

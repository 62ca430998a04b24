import { join } from 'node:path'
import { ByteWriter } from '@vivarium/bytes'
import type { Disk, DiskFile } from '@vivarium/platform'
import { acl } from '@vivarium/zookeeper-protocol'
import type { DataTree } from '../data-tree.ts'
import { adler32 } from './adler32.ts'
import { snapshotName } from './file-names.ts'
import { type Packer, packers, type SnapshotPacking } from './snapshot-packing.ts'

export const snapshotMagic = 0x5a4b534e
export const snapshotVersion = 2

/** How much is serialised in one go: small enough that nobody waits. */
const chunkBytes = 256 * 1024

/** How much of a snapshot is written before it is synced. */
const unsyncedBytes = 8 * 1024 * 1024

/**
 * The database as the body of a snapshot: sessions, ACLs, znodes, end mark, in chunks. The tree may change between two
 * chunks: the result is fuzzy, and replaying the transactions from `lastProcessedZxid` at the first chunk on mends it.
 */
export function* serializeDatabase(tree: DataTree, sessions: ReadonlyMap<bigint, number>): Generator<Buffer> {
  const startZxid = tree.lastProcessedZxid
  const aclsBefore = new Map<string, number>()
  tree.aclsBeforeSnapshot = aclsBefore
  try {
    const out = new ByteWriter(chunkBytes * 2)
    writeSessions(out, sessions)
    writeAcls(out, tree)
    for (const node of tree.nodes) {
      // Created since the start: the replay creates it, with an ACL the table above may lack.
      if (node.czxid > startZxid) continue
      const before = aclsBefore.size === 0 ? undefined : aclsBefore.get(node.path)
      node.writePersisted(out, before ?? node.aclKey)
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
  const entries = tree.nodes.acls.entries()
  out.int32(entries.length)
  for (const entry of entries) {
    out.safeInt64(entry.key)
    out.int32(entry.acl.length)
    for (const one of entry.acl) acl.write(out, one)
  }
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
    const sealed = new SealedWriter(file, packer)
    const header = new ByteWriter(16)
    header.int32(snapshotMagic)
    header.int32(snapshotVersion)
    header.int64(-1n)
    sealed.put(header.written())
    for (const chunk of serializeDatabase(tree, sessions)) {
      sealed.put(chunk)
      await sealed.write()
      await sealed.syncNowAndThen()
    }
    // Zeros stand for a tree nothing was written to yet. The tree went on while it was written: whoever replays up to here must arrive at this digest.
    const digest = { zxid: tree.lastProcessedZxid, value: zxid === 0n ? 0n : tree.digest }
    sealed.seal()
    const tail = new ByteWriter(20)
    tail.int64(digest.zxid)
    tail.int32(tree.digestVersion)
    tail.int64(BigInt.asIntN(64, digest.value))
    sealed.put(tail.written())
    sealed.seal()
    const last = new ByteWriter(8)
    last.int64(zxid)
    sealed.put(last.written())
    sealed.seal()
    await sealed.write()
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
  /** Goes with the next write; what the packing puts before everything is no part of what is sealed. */
  #pending: Buffer[] = []
  #position = 0
  #syncedPosition = 0
  #checksum = 1
  #head: Buffer

  constructor(file: DiskFile, { pack, head }: Packer) {
    this.#file = file
    this.#pack = pack
    this.#head = head
  }

  put(bytes: Buffer): void {
    this.#checksum = adler32(bytes, this.#checksum)
    this.#pending.push(bytes)
  }

  async write(): Promise<void> {
    const pending = this.#pending
    const packed = await this.#pack(pending.length === 1 ? pending[0]! : Buffer.concat(pending))
    this.#pending = []
    await this.#file.write([this.#head, packed], this.#position)
    this.#position += this.#head.length + packed.length
    this.#head = Buffer.alloc(0)
  }

  /** The disk would be busy for long if everything had to be synced at the end, and the log would wait for it. */
  async syncNowAndThen(): Promise<void> {
    if (this.#position - this.#syncedPosition < unsyncedBytes) return
    this.#syncedPosition = this.#position
    await this.#file.sync()
  }

  seal(): void {
    const seal = Buffer.alloc(13)
    seal.writeUInt32BE(this.#checksum, 4)
    seal.writeInt32BE(1, 8)
    seal.write('/', 12)
    this.put(seal)
  }
}

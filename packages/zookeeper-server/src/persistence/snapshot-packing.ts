import { promisify } from 'node:util'
import { gzip } from 'node:zlib'

/** How snapshots are compressed: `snapshot.compression.method`. */
export type SnapshotPacking = '' | 'gz' | 'snappy'

export const snapshotPackings: readonly SnapshotPacking[] = ['', 'gz', 'snappy']

/** What a snapshot of a packing begins with, and what becomes of its bytes. The work is done off the event loop. */
interface Packer {
  suffix: string
  head: Buffer
  pack(bytes: Buffer): Promise<Buffer>
}

/** Java's SnappyOutputStream: a header, then blocks, each behind its length. */
const snappyHeader = Buffer.from('82534e41505059000000000100000001', 'hex')

export const packers: Record<SnapshotPacking, Packer> = {
  '': { suffix: '', head: Buffer.alloc(0), pack: async bytes => bytes },
  // A gzip file may have any number of members.
  gz: { suffix: '.gz', head: Buffer.alloc(0), pack: promisify<Buffer, Buffer>(gzip) },
  snappy: {
    suffix: '.snappy',
    head: snappyHeader,
    pack: async bytes => {
      // Its native part is loaded where it is needed, not at every start.
      const { compress } = await import('snappy')
      const block = await compress(bytes)
      const length = Buffer.alloc(4)
      length.writeInt32BE(block.length)
      return Buffer.concat([length, block])
    },
  },
}

import { DataError } from './data-error.ts'

/** How snapshots are compressed: `snapshot.compression.method`. */
export type SnapshotPacking = '' | 'gz' | 'snappy'

export const snapshotPackings: readonly SnapshotPacking[] = ['', 'gz', 'snappy']

/**
 * What a snapshot of a packing begins with, and what becomes of its bytes. The work is done off the event loop, by code that
 * is loaded where it is needed, not at every start.
 */
export interface Packer {
  suffix: string
  head: Buffer
  pack(bytes: Buffer): Promise<Buffer>
  /** What was packed into the whole file at `path`. */
  unpack(bytes: Buffer, path: string): Promise<Buffer>
}

/** What a packed snapshot may grow to: it is unpacked in memory. */
const maxUnpackedBytes = 2 ** 32
/** Java's SnappyOutputStream: a header, then blocks, each behind its length. */
const snappyHeader = Buffer.from('82534e41505059000000000100000001', 'hex')

export const packers: Record<SnapshotPacking, Packer> = {
  '': { suffix: '', head: Buffer.alloc(0), pack: async bytes => bytes, unpack: async bytes => bytes },
  gz: {
    suffix: '.gz',
    head: Buffer.alloc(0),
    // A gzip file may have any number of members.
    pack: async bytes => {
      const [{ gzip }, { promisify }] = await Promise.all([import('node:zlib'), import('node:util')])
      return promisify(gzip)(bytes)
    },
    unpack: async bytes => {
      const [{ gunzip }, { promisify }] = await Promise.all([import('node:zlib'), import('node:util')])
      return promisify(gunzip)(bytes, { maxOutputLength: maxUnpackedBytes })
    },
  },
  snappy: {
    suffix: '.snappy',
    head: snappyHeader,
    pack: async bytes => {
      const { compress } = await import('snappy')
      const block = await compress(bytes)
      const length = Buffer.alloc(4)
      length.writeInt32BE(block.length)
      return Buffer.concat([length, block])
    },
    unpack: async (bytes, path) => {
      const { uncompress } = await import('snappy')
      const blocks: Buffer[] = []
      for (let at = snappyHeader.length; at + 4 <= bytes.length; ) {
        const length = bytes.readInt32BE(at)
        at += 4
        if (length < 0 || length > bytes.length - at)
          throw new DataError(
            path,
            `a snappy block of ${length} bytes at position ${at}`,
            'move the file away',
          )
        blocks.push((await uncompress(bytes.subarray(at, at + length))) as Buffer)
        at += length
      }
      return Buffer.concat(blocks)
    },
  },
}

/** The packing of a snapshot file, told by its name. */
export function packingOf(name: string): SnapshotPacking {
  return snapshotPackings.find(packing => packing !== '' && name.endsWith(packers[packing].suffix)) ?? ''
}

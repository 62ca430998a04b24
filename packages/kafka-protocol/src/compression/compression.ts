import { gunzipSync, zstdDecompressSync } from 'node:zlib'
import { MalformedBytesError } from '@vivarium/bytes'
import { decompressFrameSync } from 'lz4-napi'
import { uncompressSync } from 'snappy'

/**
 * The records of a batch, given as its compression codec stored them. Never more than `maxBytes` come out, however small
 * the input: what would be larger is an error before memory is taken for it.
 */
export function decompress(type: number, stored: Buffer, maxBytes: number): Buffer {
  try {
    switch (type) {
      case 0:
        return stored
      case 1:
        return gunzipSync(stored, { maxOutputLength: maxBytes })
      case 2:
        return unsnappy(stored, maxBytes)
      case 3:
        checkLz4(stored, maxBytes)
        return decompressFrameSync(stored)
      case 4:
        return zstdDecompressSync(stored, { maxOutputLength: maxBytes })
      default:
        throw new MalformedBytesError(`compression type ${type} does not exist`)
    }
  } catch (error) {
    if (error instanceof MalformedBytesError) throw error
    throw new MalformedBytesError(
      `records compressed with type ${type} cannot be read: ${(error as Error).message}`,
    )
  }
}

const xerialMagic = Buffer.from('82534e4150505900', 'hex')

/** Java clients put a stream header before blocks of snappy; others send one bare block. */
function unsnappy(stored: Buffer, maxBytes: number): Buffer {
  if (!stored.subarray(0, 8).equals(xerialMagic)) return unsnappyBlock(stored, maxBytes)
  const blocks: Buffer[] = []
  let left = maxBytes
  for (let at = 16; at < stored.length; ) {
    const length = at + 4 <= stored.length ? stored.readInt32BE(at) : -1
    at += 4
    if (length < 0 || length > stored.length - at)
      throw new MalformedBytesError(`a snappy block of ${length} bytes`)
    const block = unsnappyBlock(stored.subarray(at, at + length), left)
    left -= block.length
    blocks.push(block)
    at += length
  }
  return Buffer.concat(blocks)
}

/** A block begins with its uncompressed size. */
function unsnappyBlock(block: Buffer, maxBytes: number): Buffer {
  let size = 0
  for (let i = 0; ; i++) {
    const byte = block[i]
    if (byte === undefined || i > 4) throw new MalformedBytesError('a snappy block without size')
    size += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) break
  }
  if (size > maxBytes)
    throw new MalformedBytesError(`a snappy block of ${size} bytes; ${maxBytes} is the most`)
  return uncompressSync(block) as Buffer
}

const lz4BlockSizes = [0, 0, 0, 0, 64 * 1024, 256 * 1024, 1024 * 1024, 4 * 1024 * 1024]

/** Walks the block headers of an LZ4 frame: no block can grow past the frame's block size. */
function checkLz4(stored: Buffer, maxBytes: number): void {
  if (stored.length < 7 || stored.readUInt32LE(0) !== 0x184d2204)
    throw new MalformedBytesError('not an LZ4 frame')
  const flags = stored[4]!
  const blockBytes = lz4BlockSizes[(stored[5]! >> 4) & 7]!
  if (blockBytes === 0) throw new MalformedBytesError('an LZ4 frame of unknown block size')
  let at = 7 + ((flags & 8) !== 0 ? 8 : 0) + ((flags & 1) !== 0 ? 4 : 0)
  let most = 0
  for (;;) {
    if (at + 4 > stored.length) throw new MalformedBytesError('an LZ4 frame without end')
    const header = stored.readUInt32LE(at)
    if (header === 0) return
    most += blockBytes
    if (most > maxBytes)
      throw new MalformedBytesError(`an LZ4 frame of ${most} bytes; ${maxBytes} is the most`)
    at += 4 + (header & 0x7fffffff) + ((flags & 16) !== 0 ? 4 : 0)
  }
}

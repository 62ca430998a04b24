import {
  constants,
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Disk, DiskFile } from '../disk.ts'

// Not imported: as an ES module it is made with all it has, at every start.
const { writev } = process.getBuiltinModule('node:fs')

const flags = {
  read: constants.O_RDONLY,
  'read-write': constants.O_RDWR,
  'append-or-create': constants.O_RDWR | constants.O_CREAT,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
}

/** The machine's file system. */
export const nodeDisk: Disk = {
  open: async (path, mode) => new NodeDiskFile(path, await open(path, flags[mode], 0o644)),
  readFile: path => readFile(path),
  replaceFile: async (path, content, { isSecret = false } = {}) => {
    const temporary = `${path}.tmp`
    await writeFile(temporary, content, { flush: true, mode: isSecret ? 0o600 : 0o644 })
    await rename(temporary, path)
    await nodeDisk.syncDirectory(dirname(path))
  },
  rename: (from, to) => rename(from, to),
  remove: path => rm(path, { force: true }),
  removeTree: path => rm(path, { force: true, recursive: true }),
  makeDirectory: async path => {
    await mkdir(path, { recursive: true })
  },
  list: path => orNull(readdir(path).then(names => names.sort())),
  stat: path =>
    orNull(
      stat(path).then(s => ({ sizeBytes: s.size, modifiedMs: s.mtimeMs, isDirectory: s.isDirectory() })),
    ),
  syncDirectory: async path => {
    const handle = await open(path, constants.O_RDONLY)
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
  },
}

class NodeDiskFile implements DiskFile {
  readonly #path: string
  readonly #handle: FileHandle
  /** Opened with O_DSYNC: one visit to a thread of the pool writes and syncs. */
  #durable: FileHandle | null = null

  constructor(path: string, handle: FileHandle) {
    this.#path = path
    this.#handle = handle
  }

  write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    return writeAll(this.#handle, buffers, position)
  }

  writeDurably(buffers: readonly Uint8Array[], position: number): Promise<void> {
    if (this.#durable !== null) return writeAll(this.#durable, buffers, position)
    return this.#writeDurably(buffers, position)
  }

  async #writeDurably(buffers: readonly Uint8Array[], position: number): Promise<void> {
    if (process.platform !== 'linux') {
      // Elsewhere the flag does not empty the drive's own cache, as fdatasync of libuv does.
      await this.write(buffers, position)
      return this.sync()
    }
    this.#durable = await open(this.#path, constants.O_WRONLY | constants.O_DSYNC)
    return this.writeDurably(buffers, position)
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let filled = 0
    while (filled < into.length) {
      const { bytesRead } = await this.#handle.read(into, filled, into.length - filled, position + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    return filled
  }

  sync(): Promise<void> {
    return this.#handle.datasync()
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#handle.truncate(sizeBytes)
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size
  }

  async close(): Promise<void> {
    await this.#durable?.close()
    await this.#handle.close()
  }
}

/** With callbacks: the promises of the file system cost more than the write of a small record. */
function writeAll({ fd }: FileHandle, buffers: readonly Uint8Array[], position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const writeFrom = (pending: readonly Uint8Array[], at: number): void => {
      if (pending.length === 0) return resolve()
      // 1024 is IOV_MAX on Linux; a short write goes on where it stopped.
      writev(fd, pending.slice(0, 1024), at, (error, count) => {
        if (error !== null) reject(error)
        else writeFrom(withoutFirst(pending, count), at + count)
      })
    }
    writeFrom(
      buffers.filter(({ length }) => length > 0),
      position,
    )
  })
}

function withoutFirst(buffers: readonly Uint8Array[], count: number): Uint8Array[] {
  let index = 0
  let rest = count
  while (index < buffers.length && rest >= buffers[index]!.length) rest -= buffers[index++]!.length
  const left = buffers.slice(index)
  if (rest > 0) left[0] = left[0]!.subarray(rest)
  return left
}

async function orNull<T>(result: Promise<T>): Promise<T | null> {
  try {
    return await result
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

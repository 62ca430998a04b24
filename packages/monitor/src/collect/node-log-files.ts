import { open, readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { LogFile, LogFiles } from './log-files.ts'

/** The machine's files. */
export const nodeLogFiles: LogFiles = {
  open: async path => {
    const handle = await orNull(open(path, 'r'))
    if (handle === null) return null
    const { ino } = await handle.stat()
    const file: LogFile = {
      inode: String(ino),
      size: async () => (await handle.stat()).size,
      read: async (into, position) => (await handle.read(into, 0, into.length, position)).bytesRead,
      close: () => handle.close(),
    }
    return file
  },
  rotated: async path => {
    const names = (await orNull(readdir(dirname(path)))) ?? []
    const own = basename(path)
    // Compressed ones cannot be read on; what they hold was read before they were compressed, or is gone.
    const siblings = names.filter(n => n !== own && n.startsWith(own) && !/\.(gz|zip|zst|bz2|xz)$/.test(n))
    const found: { path: string; changedMs: number }[] = []
    for (const name of siblings) {
      const details = await orNull(stat(join(dirname(path), name)))
      if (details?.isFile()) found.push({ path: join(dirname(path), name), changedMs: details.mtimeMs })
    }
    return found.sort((a, b) => a.changedMs - b.changedMs).map(f => f.path)
  },
}

async function orNull<T>(result: Promise<T>): Promise<T | null> {
  try {
    return await result
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

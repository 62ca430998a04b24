import type { Disk } from '@vivarium/platform'
import { LogDirectoryError } from './log-error.ts'

/** Reads a text checkpoint: version 0, a count, then that many lines of `columns` words. Empty if there is no file. */
export async function readCheckpoint(disk: Disk, path: string, columns: number): Promise<string[][]> {
  let text: string
  try {
    text = (await disk.readFile(path)).toString('utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
  const [version, count, ...rest] = text.split('\n')
  const lines = rest.filter(line => line !== '').map(line => line.split(' '))
  if (version !== '0' || Number(count) !== lines.length || lines.some(line => line.length !== columns)) {
    throw new LogDirectoryError(
      path,
      'this is no checkpoint of version 0',
      'restore the file, or remove it to have everything it points to checked anew',
    )
  }
  return lines
}

/** Replaces a text checkpoint in one step. */
export function writeCheckpoint(
  disk: Disk,
  path: string,
  lines: readonly (readonly (string | number)[])[],
): Promise<void> {
  return disk.replaceFile(path, `0\n${lines.length}\n${lines.map(line => `${line.join(' ')}\n`).join('')}`)
}

// Not imported: as an ES module it is made with all it has, at every start.
const { openSync, writeSync } = process.getBuiltinModule('node:fs')

/**
 * Appends lines to a file, or to standard output for '-'. Lines are written at once: a killed process loses none.
 *
 * A line that cannot be written (the reader of the pipe has gone, the disk is full) is dropped: a server must not die of
 * its log. The next line that can be written is preceded by how many are missing.
 */
export function fileSink(path: string): (line: string) => void {
  const descriptor = path === '-' ? 1 : openSync(path, 'a')
  let dropped = 0
  return line => {
    try {
      if (dropped > 0) {
        writeSync(descriptor, `${dropped} lines could not be written here\n`)
        dropped = 0
      }
      writeSync(descriptor, line)
    } catch {
      dropped++
    }
  }
}

import { openSync, writeSync } from 'node:fs'

/** Appends lines to a file, or to standard output for '-'. Lines are written at once: a killed process loses none. */
export function fileSink(path: string): (line: string) => void {
  const descriptor = path === '-' ? 1 : openSync(path, 'a')
  return line => {
    writeSync(descriptor, line)
  }
}

/** The door to the files of a log. Rotation moves names between files, so a file is known by its number on the disk. */
export interface LogFiles {
  /** Opens for reading; null if there is none. */
  open(path: string): Promise<LogFile | null>
  /** Paths of rotated files of `path` (its name followed by more), oldest change first. */
  rotated(path: string): Promise<string[]>
}

export interface LogFile {
  /** The file's number on its disk: the same whatever its name. */
  readonly inode: string
  size(): Promise<number>
  /** Reads up to `into.length` bytes at `position`; returns how many there were. */
  read(into: Buffer, position: number): Promise<number>
  close(): Promise<void>
}

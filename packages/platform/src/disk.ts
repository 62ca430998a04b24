/**
 * The door to the file system. Paths are absolute or relative to the process; errors are Node's (`code` ENOENT, ENOSPC …).
 *
 * Durability: written bytes survive the process at once, and the machine only after `sync`. A created, renamed or
 * removed name survives the machine only after `syncDirectory` of the folder that holds it.
 */
export interface Disk {
  /** Opens a file. 'read': must exist; 'append-or-create': read and write, created if missing; 'create': must not exist. */
  open(path: string, mode: 'read' | 'read-write' | 'append-or-create' | 'create'): Promise<DiskFile>
  readFile(path: string): Promise<Buffer>
  /** Replaces a small file in one step: temporary file, sync, rename, directory sync. A secret is its owner's alone to read. */
  replaceFile(path: string, content: string | Uint8Array, options?: { isSecret?: boolean }): Promise<void>
  rename(from: string, to: string): Promise<void>
  /** Removes a file; a missing one is no error. */
  remove(path: string): Promise<void>
  /** Removes a folder with all it holds; a missing one is no error. */
  removeTree(path: string): Promise<void>
  /** Creates a folder and its parents; an existing one is no error. */
  makeDirectory(path: string): Promise<void>
  /** Names in a folder, sorted; null if there is no such folder. */
  list(path: string): Promise<string[] | null>
  /** null if nothing is there. */
  stat(path: string): Promise<{ sizeBytes: number; modifiedMs: number; isDirectory: boolean } | null>
  syncDirectory(path: string): Promise<void>
}

export interface DiskFile {
  /** Writes all buffers one after another at `position`; resolves when every byte has been handed to the system. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>
  /** The same, but resolves when the bytes survive the machine. After it rejected, the file must not be trusted. */
  writeDurably(buffers: readonly Uint8Array[], position: number): Promise<void>
  /** Reads up to `into.length` bytes at `position`; returns how many there were. */
  read(into: Uint8Array, position: number): Promise<number>
  /** fdatasync: the bytes survive the machine once this resolves. After it rejected, the file must not be trusted. */
  sync(): Promise<void>
  truncate(sizeBytes: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

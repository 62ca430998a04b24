import { basename, join } from 'node:path'
import type { Disk } from '@vivarium/platform'
import { formatZxid } from '@vivarium/zookeeper-protocol'

/** The folder of format version 2 inside dataDir and dataLogDir. */
export function versionFolder(directory: string): string {
  return join(directory, 'version-2')
}

export function logName(zxid: bigint): string {
  return `log.${formatZxid(zxid)}`
}

export function snapshotName(zxid: bigint): string {
  return `snapshot.${formatZxid(zxid)}`
}

export interface NamedFile {
  path: string
  name: string
  /** The zxid in the name: of a log its first transaction, of a snapshot the last one it surely holds. */
  zxid: bigint
}

/** Logs or snapshots of a folder, oldest first. Files with other names are none of ours. */
export async function listFiles(disk: Disk, folder: string, kind: 'log' | 'snapshot'): Promise<NamedFile[]> {
  const files: NamedFile[] = []
  for (const name of (await disk.list(folder)) ?? []) {
    const zxid = name.startsWith(kind) ? zxidIn(name) : null
    if (zxid !== null) files.push({ path: join(folder, name), name, zxid })
  }
  return files.sort((a, b) => (a.zxid < b.zxid ? -1 : 1))
}

/** The zxid in the name of a log or a snapshot; null if it is neither. */
export function zxidIn(path: string): bigint | null {
  const match = /^(?:log\.([0-9a-f]+)|snapshot\.([0-9a-f]+)(?:\.gz|\.snappy)?)$/.exec(basename(path))
  return match === null ? null : BigInt.asIntN(64, BigInt(`0x${match[1] ?? match[2]}`))
}

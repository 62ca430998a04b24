import type { Disk } from '@vivarium/platform'
import { listFiles } from './file-names.ts'
import { looksWhole } from './snapshot-reader.ts'

/**
 * Removes what the newest `keep` whole snapshots do not need: older snapshots, and logs that end before the oldest kept
 * one begins. Gives the removed paths.
 */
export async function purge(
  disk: Disk,
  folders: { snapshots: string; logs: string },
  keep: number,
): Promise<string[]> {
  const whole = []
  for (const file of (await listFiles(disk, folders.snapshots, 'snapshot')).reverse()) {
    if (await looksWhole(disk, file)) whole.push(file)
    if (whole.length === keep) break
  }
  const oldestKept = whole.at(-1)
  if (oldestKept === undefined) return []
  const logs = await listFiles(disk, folders.logs, 'log')
  // A log may hold transactions from before the snapshot to long after it: the newest that begins at or before it stays.
  const firstNeeded = logs.findLast(file => file.zxid <= oldestKept.zxid)?.zxid ?? oldestKept.zxid
  const removed = [
    ...(await listFiles(disk, folders.snapshots, 'snapshot')).filter(file => file.zxid < oldestKept.zxid),
    ...logs.filter(file => file.zxid < firstNeeded),
  ].map(file => file.path)
  for (const path of removed) await disk.remove(path)
  return removed
}

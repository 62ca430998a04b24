import type { Cluster } from './cluster.ts'
import type { CommittedOffset } from './groups.ts'
import { earliest, latest, offsetsAt, partitionName, type TopicPartition } from './offsets.ts'
import { UsageError } from './options.ts'

/** Where the offsets of a group are to be put. */
export type ResetTarget =
  | { to: 'earliest' | 'latest' | 'current' }
  | { to: 'offset'; offset: number }
  | { to: 'shift'; by: number }
  | { to: 'time'; timestampMs: number }
  | { to: 'given'; offsets: readonly CommittedOffset[] }

/**
 * New offsets, never outside of what the log holds; `warn` is told where the wanted one was. A partition without committed
 * offset goes to the end under `current`, and cannot be shifted.
 */
export async function resetOffsets(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  committed: readonly CommittedOffset[],
  target: ResetTarget,
  warn: (message: string) => void,
): Promise<CommittedOffset[]> {
  const first = await offsetsAt(cluster, partitions, earliest)
  const last = await offsetsAt(cluster, partitions, latest)
  const current = new Map(committed.map(entry => [partitionName(entry), entry.offset]))
  const given = target.to === 'given' ? new Map(target.offsets.map(e => [partitionName(e), e.offset])) : null
  const inTime = target.to === 'time' ? await offsetsAt(cluster, partitions, target.timestampMs) : null
  return partitions.map(partition => {
    const name = partitionName(partition)
    const offset = newOffset(target, name, {
      start: first.get(name)!,
      end: last.get(name)!,
      current: current.get(name) ?? null,
      given: given?.get(name) ?? null,
      inTime: inTime?.get(name) ?? null,
      warn,
    })
    return { ...partition, offset }
  })
}

interface Known {
  start: number
  end: number
  /** Null where not known or not asked for. */
  current: number | null
  given: number | null
  inTime: number | null
  warn: (message: string) => void
}

function newOffset(target: ResetTarget, name: string, known: Known): number {
  const { start, end, current, given, inTime, warn } = known
  const bounded = (wanted: number) => {
    const nearest = Math.min(Math.max(wanted, start), end)
    const problem = wanted > end ? 'higher than latest' : 'lower than earliest'
    if (nearest !== wanted)
      warn(
        `New offset (${wanted}) is ${problem} offset for topic partition ${name}. Value will be set to ${nearest}`,
      )
    return nearest
  }
  switch (target.to) {
    case 'earliest':
      return start
    case 'latest':
      return end
    case 'current':
      return bounded(current ?? end)
    case 'offset':
      return bounded(target.offset)
    case 'given':
      return bounded(given!)
    case 'time':
      if (inTime! < 0)
        warn(`No offset was found for topic partition ${name} at that time. Value will be set to ${end}`)
      return inTime! < 0 ? end : inTime!
    case 'shift':
      if (current === null)
        throw new UsageError(
          `Cannot shift offset for partition ${name} since there is no current committed offset`,
        )
      return bounded(current + target.by)
  }
}

/** `YYYY-MM-DDTHH:mm:SS.sss`, with `Z` or an offset, or in local time. Throws UsageError. */
export function parseDateTime(text: string): number {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d(:?\d\d)?)?$/.test(text)
    ? Date.parse(text.replace(/([+-]\d\d)(\d\d)?$/, (_, hours, minutes) => `${hours}:${minutes ?? '00'}`))
    : Number.NaN
  if (Number.isNaN(time)) throw new UsageError(`${text} is not of the form YYYY-MM-DDTHH:mm:SS.sss`)
  return time
}

/** ISO 8601 `PnDTnHnMnS` in milliseconds. Throws UsageError. */
export function parseDuration(text: string): number {
  const parts = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/.exec(text)
  if (parts === null || text.endsWith('P') || text.endsWith('T'))
    throw new UsageError(`${text} is not of the form PnDTnHnMnS`)
  const [, days, hours, minutes, seconds] = parts.map(part => Number(part ?? 0))
  return ((days! * 24 + hours!) * 60 + minutes!) * 60_000 + seconds! * 1000
}

/** `topic,partition,offset` or, for several groups, `group,topic,partition,offset` a line. */
export function parseCsv(text: string, groups: readonly string[]): Map<string, CommittedOffset[]> {
  const result = new Map<string, CommittedOffset[]>()
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue
    const cells = line.split(',').map(cell => cell.trim().replace(/^"(.*)"$/, '$1'))
    const [group, topic, partition, offset] = cells.length === 3 ? [groups[0], ...cells] : cells
    if (cells.length < 3 || cells.length > 4 || !/^\d{1,9}$/.test(partition!) || !/^\d{1,15}$/.test(offset!))
      throw new UsageError(`line ${index + 1} of the CSV is not of the form topic,partition,offset: ${line}`)
    if (cells.length === 3 && groups.length !== 1)
      throw new UsageError('the CSV names no groups, but several were given')
    const list = result.get(group!) ?? []
    result.set(group!, list)
    list.push({ topic: topic!, partition: Number(partition), offset: Number(offset) })
  }
  return result
}

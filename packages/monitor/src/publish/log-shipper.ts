import type { LogFiles } from '../collect/log-files.ts'
import { LogFollower } from '../collect/log-follower.ts'
import { parseLogLine, templateOf } from '../collect/log-line.ts'
import type { Outgoing } from '../kafka-port.ts'
import { type DeadLetter, type LogRecord, topics } from '../records.ts'

/** What was published last of a server: where to go on, so that nothing is lost and nothing is said twice. */
export interface Published {
  file: string
  offset: number
}

/**
 * Turns one server's log file into records. Each record says where it stood; after a crash the topic itself tells what has
 * been published, so there is no second bookkeeping that could disagree with it.
 */
export class LogShipper {
  readonly #server: { name: string; path: string; cluster: string }
  readonly #follower: LogFollower
  #last: Published | null

  constructor(
    server: { name: string; path: string; cluster: string },
    files: LogFiles,
    published: Published | null,
    onGap: (problem: string) => void,
  ) {
    this.#server = server
    this.#last = published
    this.#follower = new LogFollower({ path: server.path, files, position: published, quietPolls: 2, onGap })
  }

  /** The next records, and whether there is nothing more for now. They must be sent before the next call. */
  async poll(): Promise<{ records: Outgoing[]; isCaughtUp: boolean }> {
    const { batch, isCaughtUp } = await this.#follower.poll()
    if (batch === null) return { records: [], isCaughtUp }
    const last = this.#last
    // Reading goes on at the entry that was published last: it is not said again.
    const fresh = batch.entries.filter(
      entry => last === null || last.file !== batch.file || entry.offset > last.offset,
    )
    const newest = fresh.at(-1)
    if (newest !== undefined) this.#last = { file: batch.file, offset: newest.offset }
    return { records: fresh.map(entry => this.#record(batch.file, entry)), isCaughtUp }
  }

  #record(
    file: string,
    entry: { offset: number; head: string; more: string[]; isTruncated: boolean },
  ): Outgoing {
    const { name: server, path, cluster } = this.#server
    const source = { kind: 'file' as const, file: `${path}#${file}`, offset: entry.offset }
    const parsed = parseLogLine(entry.head)
    if (parsed === null) {
      const letter: DeadLetter = {
        ts: Date.now(),
        server,
        cluster,
        reason: 'the line is not of the layout of a ZooKeeper log',
        raw: [entry.head, ...entry.more].join('\n'),
        source,
      }
      return { topic: topics.deadLetters, key: server, value: JSON.stringify(letter) }
    }
    const record: LogRecord = { ...parsed, server, cluster, ...templateOf(parsed.message), source }
    if (entry.more.length > 0) record.stack = entry.more.join('\n')
    if (entry.isTruncated) record.truncated = true
    return { topic: topics.logs, key: server, value: JSON.stringify(record) }
  }

  close(): Promise<void> {
    return this.#follower.close()
  }
}

/** Where a published record stood. */
export function publishedAt(record: LogRecord | DeadLetter): Published {
  const { file, offset } = record.source
  return { file: file.slice(file.lastIndexOf('#') + 1), offset }
}

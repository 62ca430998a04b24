import { createHash } from 'node:crypto'
import { type Entry, EntryAssembler } from './entry-assembler.ts'
import type { LogFile, LogFiles } from './log-files.ts'

/** Where reading goes on. `file` is inode, length and hash of the first bytes: it survives renaming, not rewriting. */
export interface Position {
  file: string
  offset: number
}

/** Entries of one file, in order. */
export interface Batch {
  /** Names the file as `Position` does. */
  file: string
  entries: Entry[]
}

const fingerprintBytes = 256
const chunkBytes = 256 * 1024

/**
 * Follows one log through growth, rotation by renaming, truncation and rewriting in place.
 *
 * `poll` is called again and again; each call reads at most one chunk, so that a large backlog is read piece by piece.
 */
export class LogFollower {
  readonly #path: string
  readonly #files: LogFiles
  readonly #onGap: (problem: string) => void
  readonly #buffer = Buffer.alloc(chunkBytes)
  #resumeAt: Position | null
  #file: LogFile | null = null
  #id = ''
  #assembler = new EntryAssembler(0)
  /** Rotated files still to be read before the one that has the name now. */
  #queue: string[] = []
  #quietPolls = 0
  readonly #quietPollsToFinish: number

  /**
   * `position` is where an earlier follower stopped, null for the beginning. `quietPolls`: polls without a new byte
   * after which the last entry counts as whole.
   */
  constructor(options: {
    path: string
    files: LogFiles
    position: Position | null
    quietPolls: number
    onGap: (problem: string) => void
  }) {
    this.#path = options.path
    this.#files = options.files
    this.#resumeAt = options.position
    this.#quietPollsToFinish = options.quietPolls
    this.#onGap = options.onGap
  }

  /** Reads on. `isCaughtUp` tells that there is nothing more for now. */
  async poll(): Promise<{ batch: Batch | null; isCaughtUp: boolean }> {
    if (this.#file === null && !(await this.#openNext())) return { batch: null, isCaughtUp: true }
    const file = this.#file!
    if (await this.#isRewritten(file)) {
      const batch = this.#batch(this.#assembler.finish())
      await this.#leave()
      return { batch, isCaughtUp: false }
    }
    const count = await file.read(this.#buffer, this.#assembler.position)
    if (count > 0) {
      this.#quietPolls = 0
      const entries = this.#assembler.push(this.#buffer.subarray(0, count))
      return { batch: this.#batch(entries), isCaughtUp: false }
    }
    this.#quietPolls++
    // A renamed file is left only after it stayed quiet too: its writer may still hold it.
    if (this.#quietPolls >= this.#quietPollsToFinish) {
      const batch = this.#batch(this.#assembler.finish())
      if (batch !== null) return { batch, isCaughtUp: true }
      if (await this.#isLeftBehind(file)) {
        await this.#leave()
        return { batch: null, isCaughtUp: false }
      }
    }
    return { batch: null, isCaughtUp: true }
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = null
  }

  #batch(entries: Entry[]): Batch | null {
    return entries.length === 0 ? null : { file: this.#id, entries }
  }

  async #openNext(): Promise<boolean> {
    if (this.#resumeAt !== null) {
      const at = this.#resumeAt
      const found = await this.#findAgain(at)
      if (found === 'not yet') return false
      this.#resumeAt = null
      if (found === null) {
        this.#onGap(
          `${this.#path} was rotated away while nobody read it: lines after byte ${at.offset} are lost`,
        )
      } else {
        this.#queue = found.later
        this.#begin(found.file, at.file, at.offset)
        return true
      }
    }
    const path = this.#queue.shift() ?? this.#path
    const file = await this.#files.open(path)
    if (file === null) return false
    const id = await identify(file)
    if (id === null) {
      await file.close()
      return false
    }
    this.#begin(file, id, 0)
    return true
  }

  #begin(file: LogFile, id: string, offset: number): void {
    this.#file = file
    this.#id = id
    this.#assembler = new EntryAssembler(offset)
    this.#quietPolls = 0
  }

  async #leave(): Promise<void> {
    await this.#file?.close()
    this.#file = null
  }

  /** The file of an earlier position, under its old name or a new one, with the files that came after it. */
  async #findAgain(at: Position): Promise<{ file: LogFile; later: string[] } | null | 'not yet'> {
    const rotated = await this.#files.rotated(this.#path)
    const candidates = [...rotated, this.#path]
    for (const [index, path] of candidates.entries()) {
      const file = await this.#files.open(path)
      if (file === null) continue
      if ((await matches(file, at.file)) && (await file.size()) >= at.offset) {
        return { file, later: candidates.slice(index + 1, -1) }
      }
      await file.close()
    }
    const current = await this.#files.open(this.#path)
    if (current === null && rotated.length === 0) return 'not yet'
    await current?.close()
    return null
  }

  async #isRewritten(file: LogFile): Promise<boolean> {
    return (await file.size()) < this.#assembler.position || !(await matches(file, this.#id))
  }

  /** Whether the name belongs to another file by now, or more files wait. */
  async #isLeftBehind(file: LogFile): Promise<boolean> {
    if (this.#queue.length > 0) return true
    const current = await this.#files.open(this.#path)
    if (current === null) return false
    const isOther = current.inode !== file.inode
    await current.close()
    return isOther
  }
}

/** Names a file by inode and first bytes; null until it holds a line or enough bytes. */
async function identify(file: LogFile): Promise<string | null> {
  const head = Buffer.alloc(fingerprintBytes)
  const count = await file.read(head, 0)
  const lineEnd = head.subarray(0, count).indexOf(0x0a)
  const length = lineEnd >= 0 ? lineEnd + 1 : count
  if (lineEnd < 0 && count < fingerprintBytes) return null
  return `${file.inode}-${length}-${hashOf(head.subarray(0, length))}`
}

async function matches(file: LogFile, id: string): Promise<boolean> {
  const [inode, length, hash] = id.split('-')
  if (inode !== file.inode) return false
  const head = Buffer.alloc(Math.min(Number(length), fingerprintBytes))
  const count = await file.read(head, 0)
  return count === head.length && hashOf(head) === hash
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('hex').slice(0, 16)
}

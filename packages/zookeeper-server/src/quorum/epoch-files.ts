import { join } from 'node:path'
import type { Disk, Log } from '@vivarium/platform'
import { epochOf } from '@vivarium/zookeeper-protocol'
import { DataError } from '../persistence/data-error.ts'
import { versionFolder } from '../persistence/file-names.ts'

/**
 * The epochs a server has promised (`acceptedEpoch`) and joined (`currentEpoch`), on disk in Apache's files. They are
 * replaced in one step and synced, because a server that forgot a promise could help two leaders.
 */
export class EpochFiles {
  readonly #disk: Disk
  readonly #folder: string
  #accepted = 0n
  #current = 0n
  #writing: Promise<void> = Promise.resolve()
  /** The highest epoch any voter said it had accepted; in memory only. */
  seen = 0n

  private constructor(disk: Disk, folder: string) {
    this.#disk = disk
    this.#folder = folder
  }

  /** Missing files are those of a server that has taken part in nothing newer than its last transaction. */
  static async open(disk: Disk, dataDir: string, lastZxid: bigint, log: Log): Promise<EpochFiles> {
    const files = new EpochFiles(disk, versionFolder(dataDir))
    const epochOfData = epochOf(lastZxid)
    const current = await files.#read('currentEpoch')
    const accepted = await files.#read('acceptedEpoch')
    if (current === null) await files.setCurrent(epochOfData)
    else files.#current = current
    if (accepted === null) await files.setAccepted(files.#current)
    else files.#accepted = accepted
    const fix =
      'the files do not belong together: restore them, or remove this data directory (keep myid) so that the server copies its state from the others'
    if (files.#current < epochOfData && files.#accepted >= epochOfData) {
      // It ended between taking over a leader's history and noting that leader's epoch. What it has is the beginning of that
      // history, so it is as one that followed in the epoch of its last transaction.
      log.warn(
        `currentEpoch is ${files.#current}, the last transaction of epoch ${epochOfData}: it is set to that`,
      )
      await files.setCurrent(epochOfData)
    }
    if (files.#current < epochOfData) {
      throw new DataError(
        files.#path('currentEpoch'),
        `The current epoch, ${files.#current}, is older than the last zxid, 0x${lastZxid.toString(16)}`,
        fix,
      )
    }
    if (files.#accepted < files.#current) {
      throw new DataError(
        files.#path('acceptedEpoch'),
        `The accepted epoch, ${files.#accepted} is less than the current epoch, ${files.#current}`,
        fix,
      )
    }
    return files
  }

  get accepted(): bigint {
    return this.#accepted
  }

  get current(): bigint {
    return this.#current
  }

  setAccepted(epoch: bigint): Promise<void> {
    return this.#replace('acceptedEpoch', epoch, () => {
      this.#accepted = epoch
    })
  }

  setCurrent(epoch: bigint): Promise<void> {
    return this.#replace('currentEpoch', epoch, () => {
      this.#current = epoch
    })
  }

  /**
   * One after another: on a slow disk, what a server promised in a role that it has given up may still be on its way when
   * it promises the next. That one failed is told to whoever asked for it.
   */
  #replace(name: string, epoch: bigint, done: () => void): Promise<void> {
    const before = this.#writing.catch(() => {})
    this.#writing = before.then(() => this.#disk.replaceFile(this.#path(name), String(epoch))).then(done)
    return this.#writing
  }

  #path(name: string): string {
    return join(this.#folder, name)
  }

  async #read(name: string): Promise<bigint | null> {
    let text: string
    try {
      text = (await this.#disk.readFile(this.#path(name))).toString('latin1').trim()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
    if (!/^\d{1,18}$/.test(text))
      throw new DataError(
        this.#path(name),
        `it holds ${JSON.stringify(text.slice(0, 40))}, not an epoch`,
        'restore the file',
      )
    return BigInt(text)
  }
}

import { join } from 'node:path'
import type { Disk, Log } from '@vivarium/platform'
import type { SessionSecret } from '@vivarium/zookeeper-client'

// Kafka's own broker keeps no such file, and passes over this one.
const fileName = '.zookeeper-session'

/**
 * A broker's ZooKeeper session, kept in its first log directory. A broker that was killed leaves its session behind, with
 * its registration, until that expires; with this file its next life can end it at once.
 */
export class SessionFile {
  readonly #disk: Disk
  readonly #log: Log
  readonly #path: string

  constructor(logDirectory: string, { disk, log }: { disk: Disk; log: Log }) {
    this.#disk = disk
    this.#log = log
    this.#path = join(logDirectory, fileName)
  }

  /** A failure costs the next life its quick start only. */
  async write({ id, password }: SessionSecret): Promise<void> {
    const text = JSON.stringify({ id: id.toString(16), password: password.toString('hex') })
    try {
      await this.#disk.replaceFile(this.#path, text, { isSecret: true })
    } catch (error) {
      this.#log.warn(`${this.#path} cannot be written`, error)
    }
  }

  /** null if there is none, or none that can be read. */
  async read(): Promise<SessionSecret | null> {
    try {
      const { id, password } = JSON.parse((await this.#disk.readFile(this.#path)).toString('utf8'))
      const secret = { id: BigInt(`0x${id}`), password: Buffer.from(password, 'hex') }
      if (secret.password.length === 16) return secret
      throw new Error('the password is not 16 bytes long')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#log.warn(`${this.#path} cannot be used (${(error as Error).message}); it will be written anew`)
      return null
    }
  }
}

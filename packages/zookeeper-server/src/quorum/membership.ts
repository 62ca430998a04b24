import type { QuorumRule, Sid } from '@vivarium/zab'
import { type Configuration, configurationText, isSuccessor, ruleOf } from './configuration.ts'
import type { ConfigurationFiles } from './configuration-files.ts'

/**
 * The configuration the ensemble has agreed on, and the newest one this server has heard of: while that is another, it may
 * have been agreed on without this server, and nothing is decided against it.
 */
export class Membership {
  #committed: Configuration
  #lastSeen: Configuration
  /** null: `reconfigEnabled` is off, and the members are what people wrote, whatever others say. */
  readonly #files: ConfigurationFiles | null
  #writing: Promise<void> = Promise.resolve()
  readonly #onFailure: (error: Error) => void

  constructor(
    committed: Configuration,
    lastSeen: Configuration,
    files: ConfigurationFiles | null,
    onFailure: (error: Error) => void,
  ) {
    this.#committed = committed
    this.#lastSeen = lastSeen
    this.#files = files
    this.#onFailure = onFailure
  }

  get isDynamic(): boolean {
    return this.#files !== null
  }

  get committed(): Configuration {
    return this.#committed
  }

  get lastSeen(): Configuration {
    return this.#lastSeen
  }

  /** The members as clients read them at /zookeeper/config, and as election messages carry them. */
  get text(): string {
    return configurationText(this.#committed)
  }

  get currentRule(): QuorumRule {
    return ruleOf(this.#committed)
  }

  /** null while nothing is under way. */
  get nextRule(): QuorumRule | null {
    return isSuccessor(this.#lastSeen, this.#committed) ? ruleOf(this.#lastSeen) : null
  }

  /** Whether a server votes, or would once what is under way is agreed on. */
  isVoter(sid: Sid): boolean {
    return this.currentRule.voters.has(sid) || this.nextRule?.voters.has(sid) === true
  }

  /** A configuration was proposed. Resolves once this server will know of it after any crash. */
  async see(configuration: Configuration): Promise<void> {
    if (this.#files === null) return
    // It may still be on its way to the disk.
    if (configuration.version === this.#lastSeen.version) return this.#writing
    this.#lastSeen = configuration
    await this.#write(files => files.propose(configuration))
  }

  /** The ensemble has agreed on a configuration. False if this server knows that one or a newer one already. */
  activate(configuration: Configuration): boolean {
    if (this.#files === null || configuration.version <= this.#committed.version) return false
    this.#committed = configuration
    const isLast = configuration.version >= this.#lastSeen.version
    if (isLast) this.#lastSeen = configuration
    // Should that be lost, the server hears of it from the others again.
    void this.#write(files => files.activate(configuration, isLast))
    return true
  }

  /** Resolves when what was to be written is on disk. */
  written(): Promise<void> {
    return this.#writing
  }

  #write(task: (files: ConfigurationFiles) => Promise<void>): Promise<void> {
    const written = this.#writing.then(() => task(this.#files!))
    this.#writing = written.catch(error => this.#onFailure(error as Error))
    return written
  }
}

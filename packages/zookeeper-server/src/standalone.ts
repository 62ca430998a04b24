import { Fifo } from '@vivarium/platform'
import { errorCode } from '@vivarium/zookeeper-protocol'
import type { Database } from './database.ts'
import type { LogListener } from './persistence/txn-log.ts'
import type { Quorum } from './quorum/replica.ts'
import { Refusal } from './refusal.ts'

/** The quorum of a server on its own: what is durable on its disk is committed. */
export class StandaloneQuorum implements Quorum, LogListener {
  readonly #database: Database
  readonly #commit: (zxid: bigint, entry: Buffer) => void
  #lastProposed = 0n
  #lastCommitted = 0n
  readonly #waiting = new Fifo<{ zxid: bigint; onSynced: () => void }>()

  constructor(database: Database, commit: (zxid: bigint, entry: Buffer) => void) {
    this.#database = database
    this.#commit = commit
  }

  propose(zxid: bigint, entry: Buffer): void {
    this.#lastProposed = zxid
    this.#database.append(zxid, entry, this)
  }

  durable(zxid: bigint, entry: Buffer): void {
    this.#lastCommitted = zxid
    this.#commit(zxid, entry)
    for (
      let next = this.#waiting.peek();
      next !== undefined && next.zxid <= zxid;
      next = this.#waiting.peek()
    ) {
      this.#waiting.shift()
      next.onSynced()
    }
  }

  reconfigure(): never {
    throw new Refusal(errorCode.UNIMPLEMENTED)
  }

  afterOutstanding(onSynced: () => void): void {
    if (this.#lastProposed === this.#lastCommitted) onSynced()
    else this.#waiting.push({ zxid: this.#lastProposed, onSynced })
  }

  forward(): never {
    throw new Error('a server on its own has nobody to forward to')
  }

  sync(): never {
    throw new Error('a server on its own has nobody to sync with')
  }

  revalidate(): never {
    throw new Error('a server on its own knows its sessions')
  }
}

import { background, type Connection } from '@vivarium/platform'
import type { Sid } from '@vivarium/zab'
import { LearnerHandler, type LearnerMaster } from './learner-handler.ts'
import type { MemberContext } from './member.ts'
import { PeerStream } from './peer-stream.ts'

/** More connections than any ensemble has learners. */
const maxConnections = 1000

/** The connections of the learners that learn from this server, one of each. */
export class Learners {
  readonly #context: MemberContext
  readonly #master: LearnerMaster
  readonly #onGone: (sid: Sid) => void
  readonly #handlers = new Map<Sid, LearnerHandler>()
  /** Those that have not said who they are. */
  readonly #greeting = new Set<LearnerHandler>()

  /** `onGone` is told of a learner that has no connection any more, or a new one. */
  constructor(context: MemberContext, master: LearnerMaster, onGone: (sid: Sid) => void) {
    this.#context = context
    this.#master = master
    this.#onGone = onGone
  }

  accept(connection: Connection): void {
    const { clock, tickMs, initLimit, log } = this.#context
    if (this.#greeting.size + this.#handlers.size >= maxConnections) return connection.destroy()
    const stream = new PeerStream(connection, clock, initLimit * tickMs)
    const handler = new LearnerHandler(stream, this.#master, this.#context)
    this.#greeting.add(handler)
    background(
      handler
        .run()
        .catch(error => {
          log
            .named('LearnerHandler')
            .warn(`******* GOODBYE ${handler.stream.remoteText} ******** (${(error as Error).message})`)
        })
        .finally(() => this.#gone(handler)),
      error => this.#context.onFailure(error),
    )
  }

  /** A learner said who it is. An older connection of the same server is a dead one. */
  introduced(handler: LearnerHandler): void {
    this.#greeting.delete(handler)
    const { sid } = handler
    const older = this.#handlers.get(sid)
    if (older !== undefined) {
      older.stream.close(new Error('the learner connected anew'))
      this.#onGone(sid)
    }
    this.#handlers.set(sid, handler)
  }

  #gone(handler: LearnerHandler): void {
    handler.stream.close()
    this.#greeting.delete(handler)
    if (this.#handlers.get(handler.sid) !== handler) return
    this.#handlers.delete(handler.sid)
    this.#onGone(handler.sid)
  }

  get(sid: Sid): LearnerHandler | undefined {
    return this.#handlers.get(sid)
  }

  [Symbol.iterator](): IterableIterator<LearnerHandler> {
    return this.#handlers.values()
  }

  close(reason: string): void {
    for (const handler of [...this.#handlers.values(), ...this.#greeting])
      handler.stream.close(new Error(reason))
  }
}

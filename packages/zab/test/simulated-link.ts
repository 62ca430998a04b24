import type { FromLeader } from '../src/index.ts'
import type { Cluster } from './simulated-cluster.ts'
import type { Server } from './simulated-server.ts'

export interface Txn {
  readonly zxid: bigint
  readonly entry: Uint8Array
}

export type ToLeader =
  | { kind: 'info'; acceptedEpoch: bigint }
  | { kind: 'ack-epoch'; currentEpoch: bigint; lastZxid: bigint }
  | { kind: 'ack'; zxid: bigint }
  | { kind: 'pong'; round: number }

/** A wire between learner and leader: in order, until it breaks. */
export class Link {
  readonly learner: Server
  readonly leader: Server
  isBroken = false
  #lastMs = [0, 0]

  constructor(learner: Server, leader: Server) {
    this.learner = learner
    this.leader = leader
  }

  #send(direction: 0 | 1, cluster: Cluster, deliver: () => void): void {
    if (this.isBroken) return
    const atMs = Math.max(this.#lastMs[direction]!, cluster.time.nowMs + cluster.chance.below(20))
    this.#lastMs[direction] = atMs
    cluster.time.after(atMs - cluster.time.nowMs, () => {
      if (!this.isBroken) deliver()
    })
  }

  toLearner(
    packet:
      | FromLeader
      | { kind: 'ping'; round: number }
      | { kind: 'database'; log: readonly Txn[]; zxid: bigint },
  ): void {
    this.#send(0, this.leader.cluster, () => this.learner.fromLeader(this, packet))
  }

  toLeader(packet: ToLeader): void {
    this.#send(1, this.leader.cluster, () => this.leader.fromLearner(this, packet))
  }

  break(): void {
    if (this.isBroken) return
    this.isBroken = true
    const { time, chance } = this.learner.cluster
    time.after(chance.below(50), () => this.learner.linkBroke(this))
    time.after(chance.below(50), () => this.leader.linkBroke(this))
  }
}

import assert from 'node:assert/strict'
import type { QuorumRule, Sid } from '../src/index.ts'
import type { Txn } from './simulated-link.ts'
import { Server } from './simulated-server.ts'
import { Chance, SimulatedTime } from './simulated-time.ts'

/** Servers, disks and wires of an ensemble in simulated time. Checks Zab's promises at every step. */
export class Cluster {
  readonly time = new SimulatedTime()
  readonly chance: Chance
  readonly rule: QuorumRule
  readonly servers = new Map<Sid, Server>()
  /** What was committed anywhere, in order: every server's database is a beginning of it. */
  readonly history: Txn[] = []
  /** The last transaction some client was told of. */
  acknowledgedCount = 0
  syncCount = 0
  readonly leaders = new Map<bigint, Sid>()
  readonly syncModes = new Set<string>()
  #partition = new Map<Sid, number>()
  #nextEntry = 0

  constructor(options: { seed: number; rule: QuorumRule; observers?: readonly Sid[] }) {
    this.chance = new Chance(options.seed)
    this.rule = options.rule
    for (const sid of [...options.rule.voters, ...(options.observers ?? [])])
      this.servers.set(sid, new Server(this, sid))
    for (const server of this.servers.values()) server.boot()
  }

  areConnected(a: Sid, b: Sid): boolean {
    return (this.#partition.get(a) ?? 0) === (this.#partition.get(b) ?? 0)
  }

  /** Splits the servers at random into two groups that do not hear each other. */
  split(): void {
    for (const sid of this.servers.keys()) this.#partition.set(sid, this.chance.below(2))
    for (const server of this.servers.values())
      server.breakLinks(peer => !this.areConnected(server.sid, peer))
  }

  heal(): void {
    this.#partition = new Map()
  }

  /** A client writes, at whatever server leads (or believes so). */
  write(): void {
    const leading = [...this.servers.values()].filter(server => server.isServingAsLeader)
    if (leading.length === 0) return
    const entry = new Uint8Array(4)
    new DataView(entry.buffer).setUint32(0, this.#nextEntry++)
    this.chance.pick(leading).propose(entry)
    if (this.chance.happens(0.3)) this.chance.pick(leading).sync()
  }

  committed(sid: Sid, position: number, txn: Txn): void {
    const known = this.history[position]
    if (known === undefined) {
      assert.equal(position, this.history.length, `server ${sid} left out transactions`)
      this.history.push(txn)
      return
    }
    assert.equal(txn.zxid, known.zxid, `server ${sid} committed another zxid at position ${position}`)
    assert.deepEqual(txn.entry, known.entry, `server ${sid} committed another 0x${txn.zxid.toString(16)}`)
  }

  established(sid: Sid, epoch: bigint): void {
    const other = this.leaders.get(epoch)
    assert.ok(other === undefined || other === sid, `servers ${other} and ${sid} both lead epoch ${epoch}`)
    this.leaders.set(epoch, sid)
  }
}

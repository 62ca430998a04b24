import type { Id, ReconfigRequest } from '@vivarium/zookeeper-protocol'
import type { LogDamage } from '../persistence/log-repair.ts'
import type { LogListener } from '../persistence/txn-log.ts'
import type { Entry } from '../txn.ts'

/**
 * The line between the two halves of a coordination server.
 *
 * The quorum half (this folder) elects, replicates and decides what is committed. The serving half (pipeline, tree,
 * sessions, disk, client connections) prepares requests into transactions, keeps them on disk, applies them and answers
 * clients. Each sees the other only through these two interfaces, so that both are tested alone.
 *
 * A transaction travels as its *entry*: the bytes of TxnHeader + body + optional TxnDigest, exactly as they stand in a
 * PROPOSAL packet and in the log.
 */

/** What the quorum half asks of the serving half. */
export interface Replica {
  // ---- what is on disk -------------------------------------------------------------------------------------------
  /** zxid of the newest transaction in the log (durable or on its way), or of the snapshot if that is newer. */
  readonly lastLoggedZxid: bigint
  /** zxid of the newest transaction applied to the tree. */
  readonly lastProcessedZxid: bigint

  /**
   * Appends a transaction to the log. The listener is told, in order, once it survives a power loss; many appends share
   * one fdatasync. A failed fsync is never reported as success: the server stops instead.
   */
  append(zxid: bigint, entry: Buffer, listener: LogListener | null): void

  /** Resolves when everything appended so far is durable. */
  flush(): Promise<void>

  /**
   * Cuts the log behind `zxid`, drops newer snapshots and reloads the tree from disk. Rejects, and leaves the disk as it
   * is, if that state cannot be reached from what is there; the tree is then unusable until `reload` or `restore`.
   */
  truncate(zxid: bigint): Promise<void>

  /** Loads the tree anew from disk, after a synchronisation that was broken off. */
  reload(): Promise<void>

  /** Committed transactions kept in memory (`commitLogCount`), oldest first; what a DIFF is made of. */
  readonly committedLog: readonly CommittedTxn[]

  /**
   * Committed transactions from `fromZxid` on read back from the log files, or null if the log does not reach back
   * that far or they are more than `maxBytes`.
   */
  readLog(fromZxid: bigint, maxBytes: number): Promise<CommittedTxn[] | null>

  /** The stretch of the log that keeps it from being loaded, if another server's log can mend that. */
  readonly damage: LogDamage | null

  /** Puts another server's records there, if they are the ones, and loads what is on disk anew. */
  mend(records: Buffer): Promise<Mending>

  /** Records behind transaction `before` as they stand in the log, up to `maxBytes` of them. */
  recordsBehind(before: bigint, maxBytes: number): Promise<Buffer>

  // ---- the tree ---------------------------------------------------------------------------------------------------
  /**
   * Applies a committed transaction, fires its watches and answers the client that waits for it, if it is here. `decoded`
   * spares reading the entry again.
   */
  commit(zxid: bigint, entry: Buffer, decoded?: Entry): void

  /**
   * Applies a transaction that is in the log (or will be, before anything is acknowledged) and may yet be cut off by the
   * next leader. Takes no snapshot, since a snapshot cannot be cut.
   */
  applyTentatively(entry: Buffer): void

  /** Resolves when no snapshot is being written: one under way takes in what is applied meanwhile. */
  snapshotsDone(): Promise<void>

  /** The whole database in the snapshot stream's form, as of `lastProcessedZxid` at the call, in bounded chunks. */
  serialize(): AsyncIterable<Buffer>

  /** Replaces the whole database with a snapshot stream (sessions, ACLs, nodes, end mark) as of `zxid`. */
  restore(zxid: bigint, stream: ByteSource): Promise<void>

  /** Writes a snapshot of the present tree to disk, synced. */
  saveSnapshot(): Promise<void>

  /** Sets the text clients read at /zookeeper/config, and its version. */
  setConfig(text: string, version: bigint): void

  /** So many voters share from now on what may be under way in the ensemble. */
  shareLimits(voters: number): void

  /** Clients connect there from now on; those that are connected stay. */
  moveClients(address: { host: string; port: number }): void

  // ---- serving ----------------------------------------------------------------------------------------------------
  /**
   * Begins to serve clients in `role`. The leader starts at `zxid` (newEpoch << 32), owns session expiry and turns
   * requests into transactions, handing each to `quorum.propose`. Followers and observers hand writes to
   * `quorum.forward`.
   */
  startServing(role: 'leader' | 'follower' | 'observer', zxid: bigint, quorum: Quorum): void

  /** Begins to serve clients that are content with reading, while there is no quorum. */
  startReadOnly(): void

  /** Closes all client connections and forgets what was not committed. Sessions and tree stay. */
  stopServing(reason: string): void

  // ---- leader only: on behalf of learners ---------------------------------------------------------------------------
  /** A client request that reached learner `learnerSid`. Errors become error transactions, never a direct reply. */
  submitForLearner(learnerSid: bigint, request: ForwardedRequest): void

  /** Session `id` is alive at `learnerSid`. */
  touchSession(learnerSid: bigint, id: bigint, timeoutMs: number): void

  /** Whether session `id` lives; if so its owner becomes `learnerSid`. */
  revalidateSession(learnerSid: bigint, id: bigint, timeoutMs: number): boolean

  // ---- learner only -------------------------------------------------------------------------------------------------
  /** Sessions heard from since the last call: what a PING reply carries. */
  takeSessionTouches(): { id: bigint; timeoutMs: number }[]

  /** The leader's verdict on `quorum.revalidate`. */
  sessionRevalidated(id: bigint, isValid: boolean): void

  /** The oldest `quorum.sync` still open has been answered by the leader. */
  syncCompleted(): void
}

/** What the serving half asks of the quorum half. Only between startServing and stopServing. */
export interface Quorum {
  /** Leader: replicate this transaction. `commit` follows once a quorum has it on disk. zxids are consecutive. */
  propose(zxid: bigint, entry: Buffer): void
  /** Leader: the configuration that transaction `zxid` would make at a client's wish, as text. Throws Refusal. */
  reconfigure(request: ReconfigRequest, zxid: bigint): string
  /** Leader: `onSynced` is called once everything proposed so far is committed. */
  afterOutstanding(onSynced: () => void): void
  /** Learner: have the leader order this write (or createSession, closeSession, multi, reconfig). */
  forward(request: ForwardedRequest): void
  /** Learner: `syncCompleted` follows once this server has all that was committed when the leader got this. */
  sync(request: ForwardedRequest): void
  /** Learner: ask the leader whether a global session still lives. */
  revalidate(id: bigint, timeoutMs: number): void
}

/** What came of other records: they do not fit; they do, but there is more damage; or everything is loaded now. */
export type Mending = 'unfit' | 'fits' | 'whole'

export interface CommittedTxn {
  readonly zxid: bigint
  readonly entry: Buffer
}

/** A request as the REQUEST packet carries it; `body` is the raw request record behind the header. */
export interface ForwardedRequest {
  readonly sessionId: bigint
  readonly xid: number
  readonly opCode: number
  readonly body: Buffer
  /** Identities of the client connection. */
  readonly authInfo: readonly Id[]
}

/** Bytes that arrive bit by bit. */
export interface ByteSource {
  /** Exactly `length` bytes; rejects if the stream ends first. */
  read(length: number): Promise<Buffer> | Buffer
}

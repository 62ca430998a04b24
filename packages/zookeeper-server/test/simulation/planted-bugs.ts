import { Election, Leader, Learner } from '@vivarium/zab'
import { opCode } from '@vivarium/zookeeper-protocol'
import { DataTree } from '../../src/data-tree.ts'
import { Database } from '../../src/database.ts'
import { TxnLog } from '../../src/persistence/txn-log.ts'
import { Preparer } from '../../src/pipeline/prepare.ts'
import { EpochFiles } from '../../src/quorum/epoch-files.ts'
import { Membership } from '../../src/quorum/membership.ts'
import { ZooKeeperServer } from '../../src/server.ts'
import { SessionTracker } from '../../src/sessions.ts'
import { encodeEntry } from '../../src/txn.ts'
import { Watches } from '../../src/watches.ts'

/** Puts `wrap(original)` in the place of a method, for as long as the process lives. */
function replace<T extends object, K extends keyof T>(
  target: T,
  name: K,
  wrap: (original: T[K]) => T[K],
): void {
  Object.defineProperty(target, name, { value: wrap(target[name]), configurable: true })
}

const nothing = async () => {}

/**
 * Mistakes that a coordination service must not have. Each is put into the real code, to see whether the simulation finds
 * it; what it does not find, it cannot vouch for.
 */
export const plantedBugs: Record<string, () => void> = {
  'acknowledges a transaction before it is durable': () =>
    replace(
      TxnLog.prototype,
      'append',
      append =>
        function (this: TxnLog, zxid, before, entry, listener) {
          append.call(this, zxid, before, entry, null)
          queueMicrotask(() => listener?.durable(zxid, entry, true))
        },
    ),
  'acknowledges a database before it is durable': () =>
    replace(
      Database.prototype,
      'saveSnapshot',
      save =>
        async function (this: Database) {
          void save.call(this).catch(() => {})
        },
    ),
  'never saves a database': () => replace(Database.prototype, 'saveSnapshot', () => nothing),
  'forgets the epoch it has promised': () => replace(EpochFiles.prototype, 'setAccepted', () => nothing),
  'forgets the epoch it has joined': () => replace(EpochFiles.prototype, 'setCurrent', () => nothing),
  'stands for election as if it had nothing': () =>
    replace(
      Election.prototype,
      'start',
      start =>
        function (this: Election, { peerEpoch }, nowMs) {
          start.call(this, { lastZxid: 0n, peerEpoch }, nowMs)
        },
    ),
  'commits what one server has': () =>
    replace(
      Leader.prototype,
      'ack',
      ack =>
        function (this: Leader, sid, zxid, nowMs) {
          const isTransaction = (zxid & 0xffff_ffffn) !== 0n
          for (const voter of isTransaction ? [1n, 2n, 3n, 4n, 5n] : [sid]) ack.call(this, voter, zxid, nowMs)
        },
    ),
  'leads on without a quorum': () => replace(Leader.prototype, 'checkQuorum', () => () => {}),
  'keeps what its leader told it to cut': () => replace(Database.prototype, 'truncate', () => nothing),
  'forgets what it has logged when it loses its leader': () =>
    Object.defineProperty(Learner.prototype, 'uncommitted', { get: () => [], configurable: true }),
  'forgets the sessions in a leader’s database': () =>
    replace(
      Database.prototype,
      'restore',
      restore =>
        async function (this: Database, zxid, stream) {
          await restore.call(this, zxid, stream)
          this.sessions.clear()
        },
    ),
  'sends learners a history that lacks a write now and then': () =>
    replace(
      Database.prototype,
      'apply',
      apply =>
        function (this: Database, decoded, entry) {
          const { header } = decoded
          if (header.zxid % 16n !== 7n) return apply.call(this, decoded, entry)
          const refused = encodeEntry({ ...header, type: opCode.error }, { type: 'error', err: -1 }, null)
          return apply.call(this, decoded, refused)
        },
    ),
  'loses a watch now and then': () =>
    replace(
      Watches.prototype,
      'dataChanged',
      dataChanged =>
        function (this: Watches, path, zxid, node) {
          if (zxid % 4n !== 0n) dataChanged.call(this, path, zxid, node)
        },
    ),
  'never expires a session': () => replace(SessionTracker.prototype, 'expire', () => () => []),
  'cuts one transaction too many': () =>
    replace(
      Database.prototype,
      'truncate',
      truncate =>
        function (this: Database, zxid) {
          return truncate.call(this, zxid - 1n)
        },
    ),
  'serves on without a leader': () => replace(ZooKeeperServer.prototype, 'stopServing', () => () => {}),
  'says that a refused write was carried out': () =>
    replace(
      DataTree.prototype,
      'apply',
      apply =>
        function (this: DataTree, header, txn, watches) {
          const applied = apply.call(this, header, txn, watches)
          return txn.type === 'error' ? { ...applied, err: 0, node: this.nodes.get('/k0')! } : applied
        },
    ),
  'leaves ephemerals behind': () => replace(DataTree.prototype, 'ephemeralsOf', () => () => new Set()),
  'writes whatever version was asked for': () =>
    replace(
      Preparer.prototype,
      'prepare',
      prepare =>
        function (this: Preparer, request, wallMs) {
          const { opCode: code, body } = request
          if (code === opCode.setData) body.bytes.writeInt32BE(-1, body.end - 4)
          return prepare.call(this, request, wallMs)
        },
    ),
  'applies half of a multi': () =>
    replace(
      DataTree.prototype,
      'apply',
      apply =>
        function (this: DataTree, header, txn, watches) {
          if (txn.type !== 'multi' || header.zxid % 8n !== 0n) return apply.call(this, header, txn, watches)
          const half = apply.call(this, header, { ...txn, txns: txn.txns.slice(0, 1) }, watches)
          return { ...half, parts: txn.txns.map(() => half.parts![0]!) }
        },
    ),
  'puts a configuration in force before it is agreed on': () =>
    replace(
      Membership.prototype,
      'see',
      see =>
        async function (this: Membership, configuration) {
          await see.call(this, configuration)
          this.activate(configuration)
        },
    ),
}

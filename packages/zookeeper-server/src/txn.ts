import { ByteReader, ByteWriter, MalformedBytesError } from '@vivarium/bytes'
import {
  type Acl,
  checkVersionTxn,
  closeSessionTxn,
  createContainerTxn,
  createSessionTxn,
  createTtlTxn,
  createTxn,
  createTxnV0,
  deleteTxn,
  errorTxn,
  multiTxn,
  opCode,
  setAclTxn,
  setDataTxn,
  type TxnHeader,
  txnHeader,
} from '@vivarium/zookeeper-protocol'
import type { TreeDigest } from './digest.ts'

/** What a transaction does. A failed request is one too: its error has a place in the order like any write. */
export type Txn =
  | {
      type: 'create'
      path: string
      data: Buffer | null
      acl: Acl[]
      ephemeral: boolean
      parentCVersion: number
    }
  | { type: 'createContainer'; path: string; data: Buffer | null; acl: Acl[]; parentCVersion: number }
  | { type: 'createTtl'; path: string; data: Buffer | null; acl: Acl[]; parentCVersion: number; ttl: bigint }
  | { type: 'delete'; path: string }
  | {
      type: 'setData'
      path: string
      data: Buffer | null
      version: number
      /** The znode's digest afterwards, where it is known already; no part of the transaction's bytes. */
      nodeDigest?: number
    }
  | { type: 'setAcl'; path: string; acl: Acl[]; version: number }
  | { type: 'check'; path: string; version: number }
  | { type: 'multi'; txns: readonly MultiPart[] }
  | { type: 'createSession'; timeOut: number }
  | { type: 'closeSession'; paths: string[] | null }
  | { type: 'error'; err: number }

/** One operation of a multi; `code` is the kind it is logged and answered under (create and create2 differ). */
export interface MultiPart {
  code: number
  txn: Txn
}

/** A transaction with its place in the order, as it stands in the log and in a PROPOSAL. */
export interface Entry {
  header: TxnHeader
  txn: Txn
  /** Of the tree after it. */
  digest: TreeDigest | null
}

/** parentCVersion of logs so old that they lack it: the parent's own count goes on. */
export const unknownCVersion = -1

/** Entries lie one behind the other in pieces of memory of about this size: they come, and are forgotten, in order. */
const pieceBytes = 64 * 1024
let piece = new ByteWriter(pieceBytes)

export function encodeEntry(header: TxnHeader, txn: Txn, digest: TreeDigest | null): Buffer {
  if (piece.length > pieceBytes - 512) piece = new ByteWriter(pieceBytes)
  const start = piece.length
  txnHeader.write(piece, header)
  writeBody(piece, txn)
  if (digest !== null) writeDigest(piece, digest)
  return piece.written(start)
}

const digestBytes = 12

function writeDigest(writer: ByteWriter, { version, high, low }: TreeDigest): void {
  writer.int32(version)
  writer.uint32(high)
  writer.uint32(low)
}

function readDigest(reader: ByteReader): TreeDigest {
  return { version: reader.int32(), high: reader.uint32(), low: reader.uint32() }
}

/** Throws MalformedBytesError when the bytes are not a transaction. */
export function decodeEntry(bytes: Buffer): Entry {
  const reader = new ByteReader(bytes)
  const header = txnHeader.read(reader)
  const txn = readBody(header.type, reader)
  return { header, txn, digest: reader.remaining >= digestBytes ? readDigest(reader) : null }
}

function writeBody(writer: ByteWriter, txn: Txn): void {
  switch (txn.type) {
    case 'create':
      return createTxn.write(writer, txn)
    case 'createContainer':
      return createContainerTxn.write(writer, txn)
    case 'createTtl':
      return createTtlTxn.write(writer, txn)
    case 'delete':
      return deleteTxn.write(writer, txn)
    case 'setData':
      return setDataTxn.write(writer, txn)
    case 'setAcl':
      return setAclTxn.write(writer, txn)
    case 'check':
      return checkVersionTxn.write(writer, txn)
    case 'createSession':
      return createSessionTxn.write(writer, txn)
    case 'closeSession':
      if (txn.paths !== null) closeSessionTxn.write(writer, { paths2Delete: txn.paths })
      return
    case 'error':
      return errorTxn.write(writer, txn)
    case 'multi':
      return multiTxn.write(writer, {
        txns: txn.txns.map(part => ({ type: part.code, data: bodyBytes(part.txn) })),
      })
  }
}

function bodyBytes(txn: Txn): Buffer {
  const writer = new ByteWriter(128)
  writeBody(writer, txn)
  return writer.written()
}

function readBody(type: number, reader: ByteReader): Txn {
  switch (type) {
    case opCode.create:
    case opCode.create2:
      return readCreate(reader)
    case opCode.createContainer:
      return { type: 'createContainer', ...createContainerTxn.read(reader) }
    case opCode.createTTL:
      return { type: 'createTtl', ...createTtlTxn.read(reader) }
    case opCode.delete:
    case opCode.deleteContainer:
      return { type: 'delete', ...deleteTxn.read(reader) }
    case opCode.setData:
    case opCode.reconfig: {
      // Named, not spread: most of what a follower receives passes here.
      const { path, data, version } = setDataTxn.read(reader)
      return { type: 'setData', path, data, version }
    }
    case opCode.setACL:
      return { type: 'setAcl', ...setAclTxn.read(reader) }
    case opCode.check:
      return { type: 'check', ...checkVersionTxn.read(reader) }
    case opCode.createSession:
      return { type: 'createSession', ...createSessionTxn.read(reader) }
    case opCode.closeSession:
      return {
        type: 'closeSession',
        paths: hasNoPaths(reader) ? null : closeSessionTxn.read(reader).paths2Delete,
      }
    case opCode.error:
      return { type: 'error', ...errorTxn.read(reader) }
    case opCode.multi:
      return {
        type: 'multi',
        txns: multiTxn.read(reader).txns.map(({ type: code, data }) => ({ code, txn: readPart(code, data) })),
      }
    default:
      throw new MalformedBytesError(`transaction of unknown type ${type}`)
  }
}

/**
 * Servers before 3.6, and those with `closeSessionTxn.enabled=false`, write no list. Twelve bytes that begin with 2 are then
 * the digest: a list of two paths is longer.
 */
function hasNoPaths(reader: ByteReader): boolean {
  const { remaining, position, buffer } = reader
  return remaining < 4 || (remaining === 12 && buffer.readInt32BE(position) === 2)
}

function readPart(code: number, data: Buffer | null): Txn {
  // Operations around the failed one of a multi carry an error code whatever their kind was.
  if (code === opCode.error || code < 0)
    return { type: 'error', err: data !== null && data.length >= 4 ? data.readInt32BE(0) : 0 }
  if (code === opCode.multi) throw new MalformedBytesError('a multi within a multi')
  return readBody(code, new ByteReader(data ?? Buffer.alloc(0)))
}

function readCreate(reader: ByteReader): Txn {
  const start = reader.position
  try {
    return { type: 'create', ...createTxn.read(reader) }
  } catch (error) {
    if (!(error instanceof MalformedBytesError)) throw error
    reader.position = start
    return { type: 'create', ...createTxnV0.read(reader), parentCVersion: unknownCVersion }
  }
}

import { ByteReader, type ByteWriter, MalformedBytesError } from '@vivarium/bytes'
import {
  boolean,
  buffer,
  type Infer,
  int,
  long,
  nullableString,
  nullableVector,
  record,
  ustring,
  vector,
} from './jute.ts'

// Every record of ZooKeeper 3.9, in the order of zookeeper.jute. Source: that file; hand-coded ones say so.

// ---- data ----------------------------------------------------------------------------------------------------------

export const id = record('Id', { scheme: nullableString, id: nullableString })
/** Who: a scheme (`world`, `digest`, `ip` …) and a name in it. */
export type Id = Infer<typeof id>

export const acl = record('ACL', { perms: int, id })
export type Acl = Infer<typeof acl>

export const stat = record('Stat', {
  czxid: long,
  mzxid: long,
  ctime: long,
  mtime: long,
  version: int,
  cversion: int,
  aversion: int,
  ephemeralOwner: long,
  dataLength: int,
  numChildren: int,
  pzxid: long,
})
export type Stat = Infer<typeof stat>

export const statPersisted = record('StatPersisted', {
  czxid: long,
  mzxid: long,
  ctime: long,
  mtime: long,
  version: int,
  cversion: int,
  aversion: int,
  ephemeralOwner: long,
  pzxid: long,
})
export type StatPersisted = Infer<typeof statPersisted>

export const clientInfo = record('ClientInfo', { authScheme: ustring, user: ustring })
export type ClientInfo = Infer<typeof clientInfo>

// ---- proto: sessions ----------------------------------------------------------------------------------------------

/** Without its last byte `readOnly`, which clients before 3.4 do not send: see `readConnectRequest`. */
const connectRequestHead = record('ConnectRequest', {
  protocolVersion: int,
  lastZxidSeen: long,
  timeOut: int,
  sessionId: long,
  passwd: buffer,
})
export const connectRequest = record('ConnectRequest', { ...connectRequestHead.fields, readOnly: boolean })
export type ConnectRequest = Infer<typeof connectRequest>

const connectResponseHead = record('ConnectResponse', {
  protocolVersion: int,
  timeOut: int,
  sessionId: long,
  passwd: buffer,
})
export const connectResponse = record('ConnectResponse', { ...connectResponseHead.fields, readOnly: boolean })
export type ConnectResponse = Infer<typeof connectResponse>

/** A connect request and whether the client knows of `readOnly`, which decides whether the answer carries it. */
export function readConnectRequest(frame: Buffer): { request: ConnectRequest; knowsReadOnly: boolean } {
  const reader = new ByteReader(frame)
  const head = connectRequestHead.read(reader)
  const knowsReadOnly = reader.remaining > 0
  return { request: { ...head, readOnly: knowsReadOnly && reader.boolean() }, knowsReadOnly }
}

/** The body of a connect response; without the `readOnly` byte for clients that do not know it. */
export function writeConnectResponse(
  writer: ByteWriter,
  response: ConnectResponse,
  knowsReadOnly: boolean,
): void {
  if (knowsReadOnly) connectResponse.write(writer, response)
  else connectResponseHead.write(writer, response)
}

/** A connect response with or without its last byte. */
export function readConnectResponse(frame: Buffer): ConnectResponse {
  const reader = new ByteReader(frame)
  const head = connectResponseHead.read(reader)
  return { ...head, readOnly: reader.remaining > 0 && reader.boolean() }
}

// ---- proto: requests and replies -----------------------------------------------------------------------------------

export const requestHeader = record('RequestHeader', { xid: int, type: int })
export type RequestHeader = Infer<typeof requestHeader>

export const replyHeader = record('ReplyHeader', { xid: int, zxid: long, err: int })
export type ReplyHeader = Infer<typeof replyHeader>

export const setWatches = record('SetWatches', {
  relativeZxid: long,
  dataWatches: vector(ustring),
  existWatches: vector(ustring),
  childWatches: vector(ustring),
})
export type SetWatches = Infer<typeof setWatches>

export const setWatches2 = record('SetWatches2', {
  ...setWatches.fields,
  persistentWatches: vector(ustring),
  persistentRecursiveWatches: vector(ustring),
})
export type SetWatches2 = Infer<typeof setWatches2>

export const multiHeader = record('MultiHeader', { type: int, done: boolean, err: int })
export type MultiHeader = Infer<typeof multiHeader>

export const authPacket = record('AuthPacket', { type: int, scheme: nullableString, auth: buffer })
export type AuthPacket = Infer<typeof authPacket>

export const getDataRequest = record('GetDataRequest', { path: ustring, watch: boolean })
export type GetDataRequest = Infer<typeof getDataRequest>

export const setDataRequest = record('SetDataRequest', { path: ustring, data: buffer, version: int })
export type SetDataRequest = Infer<typeof setDataRequest>

/** null stands for «not given». */
export const reconfigRequest = record('ReconfigRequest', {
  joiningServers: nullableString,
  leavingServers: nullableString,
  newMembers: nullableString,
  curConfigId: long,
})
export type ReconfigRequest = Infer<typeof reconfigRequest>

export const setDataResponse = record('SetDataResponse', { stat })
export type SetDataResponse = Infer<typeof setDataResponse>

export const getSaslRequest = record('GetSASLRequest', { token: buffer })
export const setSaslRequest = record('SetSASLRequest', { token: buffer })
export const setSaslResponse = record('SetSASLResponse', { token: buffer })

/** A null ACL list is an error of its own (INVALIDACL), so it must survive reading. */
export const createRequest = record('CreateRequest', {
  path: ustring,
  data: buffer,
  acl: nullableVector(acl),
  flags: int,
})
export type CreateRequest = Infer<typeof createRequest>

export const createTtlRequest = record('CreateTTLRequest', { ...createRequest.fields, ttl: long })
export type CreateTtlRequest = Infer<typeof createTtlRequest>

export const deleteRequest = record('DeleteRequest', { path: ustring, version: int })
export type DeleteRequest = Infer<typeof deleteRequest>

export const getChildrenRequest = record('GetChildrenRequest', { path: ustring, watch: boolean })
export type GetChildrenRequest = Infer<typeof getChildrenRequest>

export const getAllChildrenNumberRequest = record('GetAllChildrenNumberRequest', { path: ustring })
export const getChildren2Request = record('GetChildren2Request', { path: ustring, watch: boolean })

export const checkVersionRequest = record('CheckVersionRequest', { path: ustring, version: int })
export type CheckVersionRequest = Infer<typeof checkVersionRequest>

export const getMaxChildrenRequest = record('GetMaxChildrenRequest', { path: ustring })
export const getMaxChildrenResponse = record('GetMaxChildrenResponse', { max: int })
export const setMaxChildrenRequest = record('SetMaxChildrenRequest', { path: ustring, max: int })

export const syncRequest = record('SyncRequest', { path: ustring })
export const syncResponse = record('SyncResponse', { path: ustring })

export const getAclRequest = record('GetACLRequest', { path: ustring })
export const setAclRequest = record('SetACLRequest', {
  path: ustring,
  acl: nullableVector(acl),
  version: int,
})
export type SetAclRequest = Infer<typeof setAclRequest>
export const setAclResponse = record('SetACLResponse', { stat })

export const addWatchRequest = record('AddWatchRequest', { path: ustring, mode: int })
export type AddWatchRequest = Infer<typeof addWatchRequest>

export const watcherEvent = record('WatcherEvent', { type: int, state: int, path: ustring })
export type WatcherEvent = Infer<typeof watcherEvent>

export const errorResponse = record('ErrorResponse', { err: int })
export const createResponse = record('CreateResponse', { path: ustring })
export const create2Response = record('Create2Response', { path: ustring, stat })
export const existsRequest = record('ExistsRequest', { path: ustring, watch: boolean })
export const existsResponse = record('ExistsResponse', { stat })
export const getDataResponse = record('GetDataResponse', { data: buffer, stat })
export type GetDataResponse = Infer<typeof getDataResponse>
export const getChildrenResponse = record('GetChildrenResponse', { children: vector(ustring) })
export const getAllChildrenNumberResponse = record('GetAllChildrenNumberResponse', { totalNumber: int })
export const getChildren2Response = record('GetChildren2Response', { children: vector(ustring), stat })
export const getAclResponse = record('GetACLResponse', { acl: vector(acl), stat })
export const checkWatchesRequest = record('CheckWatchesRequest', { path: ustring, type: int })
export const removeWatchesRequest = record('RemoveWatchesRequest', { path: ustring, type: int })
export const getEphemeralsRequest = record('GetEphemeralsRequest', { prefixPath: nullableString })
export const getEphemeralsResponse = record('GetEphemeralsResponse', { ephemerals: vector(ustring) })
export const whoAmIResponse = record('WhoAmIResponse', { clientInfo: vector(clientInfo) })
/** Hand-coded in Apache: the body of opcode 20. */
export const deleteContainerRequest = record('DeleteContainerRequest', { path: ustring })

// ---- beyond Apache -----------------------------------------------------------------------------------------------------

/**
 * Up to `limit` children, in the order in which they were made. `after`: children of the page before, the last one first;
 * the page begins behind the first of them that still exists, or at the beginning.
 */
export const getChildrenPageRequest = record('GetChildrenPageRequest', {
  path: ustring,
  watch: boolean,
  limit: int,
  after: vector(ustring),
})
export const getChildrenPageResponse = record('GetChildrenPageResponse', {
  children: vector(ustring),
  stat,
  isLast: boolean,
})
export const deleteRecursiveRequest = record('DeleteRecursiveRequest', { path: ustring })

// ---- server.quorum ---------------------------------------------------------------------------------------------------

export const learnerInfo = record('LearnerInfo', {
  serverid: long,
  protocolVersion: int,
  configVersion: long,
})
export type LearnerInfo = Infer<typeof learnerInfo>

export const quorumPacket = record('QuorumPacket', {
  type: int,
  zxid: long,
  data: buffer,
  authinfo: nullableVector(id),
})
export type QuorumPacket = Infer<typeof quorumPacket>

export const quorumAuthPacket = record('QuorumAuthPacket', { magic: long, status: int, token: buffer })

// ---- server.persistence ------------------------------------------------------------------------------------------------

export const fileHeader = record('FileHeader', { magic: int, version: int, dbid: long })
export type FileHeader = Infer<typeof fileHeader>

/** Hand-coded in Apache: the digest behind a snapshot's nodes. */
export const zxidDigest = record('ZxidDigest', { zxid: long, digestVersion: int, digest: long })
/** Hand-coded in Apache: a node in a snapshot, behind its path. */
export const dataNode = record('DataNode', { data: buffer, acl: long, stat: statPersisted })

// ---- txn ---------------------------------------------------------------------------------------------------------------

export const txnDigest = record('TxnDigest', { version: int, treeDigest: long })
export type TxnDigest = Infer<typeof txnDigest>

export const txnHeader = record('TxnHeader', { clientId: long, cxid: int, zxid: long, time: long, type: int })
export type TxnHeader = Infer<typeof txnHeader>

/** Logs written before 3.3.3 lack `parentCVersion`. */
export const createTxnV0 = record('CreateTxnV0', {
  path: ustring,
  data: buffer,
  acl: vector(acl),
  ephemeral: boolean,
})
export const createTxn = record('CreateTxn', { ...createTxnV0.fields, parentCVersion: int })
export type CreateTxn = Infer<typeof createTxn>

export const createTtlTxn = record('CreateTTLTxn', {
  path: ustring,
  data: buffer,
  acl: vector(acl),
  parentCVersion: int,
  ttl: long,
})
export type CreateTtlTxn = Infer<typeof createTtlTxn>

export const createContainerTxn = record('CreateContainerTxn', {
  path: ustring,
  data: buffer,
  acl: vector(acl),
  parentCVersion: int,
})
export type CreateContainerTxn = Infer<typeof createContainerTxn>

export const deleteTxn = record('DeleteTxn', { path: ustring })
export const setDataTxn = record('SetDataTxn', { path: ustring, data: buffer, version: int })
export const checkVersionTxn = record('CheckVersionTxn', { path: ustring, version: int })
export const setAclTxn = record('SetACLTxn', { path: ustring, acl: vector(acl), version: int })
export const setMaxChildrenTxn = record('SetMaxChildrenTxn', { path: ustring, max: int })
export const createSessionTxn = record('CreateSessionTxn', { timeOut: int })
export const closeSessionTxn = record('CloseSessionTxn', { paths2Delete: vector(ustring) })
export const errorTxn = record('ErrorTxn', { err: int })
export const txn = record('Txn', { type: int, data: buffer })
export type Txn = Infer<typeof txn>
export const multiTxn = record('MultiTxn', { txns: vector(txn) })

// ---- multi: hand-coded in Apache ---------------------------------------------------------------------------------------

/** One operation of a multi request, its body still encoded. */
export interface MultiOp {
  type: number
  body: Buffer
}

/** The record that is the body of each operation a multi request may hold. */
export const multiBodies = {
  1: createRequest,
  15: createRequest,
  19: createRequest,
  21: createTtlRequest,
  2: deleteRequest,
  5: setDataRequest,
  13: checkVersionRequest,
  4: getDataRequest,
  8: getChildrenRequest,
} as const

/** Cuts a multi or multiRead request into its operations. Throws MalformedBytesError for a kind that may not be in one. */
export function readMultiRequest(reader: ByteReader): MultiOp[] {
  const ops: MultiOp[] = []
  for (;;) {
    const header = multiHeader.read(reader)
    if (header.done) return ops
    const body = multiBodies[header.type as keyof typeof multiBodies]
    if (body === undefined)
      throw new MalformedBytesError(`operation ${header.type} cannot be part of a multi`)
    const start = reader.position
    body.read(reader)
    ops.push({ type: header.type, body: reader.buffer.subarray(start, reader.position) })
  }
}

export function writeMultiRequest(writer: ByteWriter, ops: readonly MultiOp[]): void {
  for (const { type, body } of ops) {
    multiHeader.write(writer, { type, done: false, err: -1 })
    writer.bytes(body)
  }
  multiHeader.write(writer, { type: -1, done: true, err: -1 })
}

/** What became of one operation of a multi. */
export type MultiResult =
  | { type: 1; path: string }
  | { type: 15; path: string; stat: Stat }
  | { type: 2 }
  | { type: 5; stat: Stat }
  | { type: 13 }
  | { type: 4; data: Buffer | null; stat: Stat }
  | { type: 8; children: string[] }
  | { type: -1; err: number }

export function writeMultiResponse(writer: ByteWriter, results: readonly MultiResult[]): void {
  for (const result of results) writeMultiResult(writer, result)
  endMultiResponse(writer)
}

export function writeMultiResult(writer: ByteWriter, result: MultiResult): void {
  multiHeader.write(writer, { type: result.type, done: false, err: result.type === -1 ? result.err : 0 })
  switch (result.type) {
    case 1:
      return createResponse.write(writer, result)
    case 15:
      return create2Response.write(writer, result)
    case 5:
      return setDataResponse.write(writer, result)
    case 4:
      return getDataResponse.write(writer, result)
    case 8:
      return getChildrenResponse.write(writer, result)
    case -1:
      return errorResponse.write(writer, result)
  }
}

/** Behind the last result. */
export function endMultiResponse(writer: ByteWriter): void {
  multiHeader.write(writer, { type: -1, done: true, err: -1 })
}

export function readMultiResponse(reader: ByteReader): MultiResult[] {
  const results: MultiResult[] = []
  for (;;) {
    const { type, done } = multiHeader.read(reader)
    if (done) return results
    results.push(readMultiResult(type, reader))
  }
}

function readMultiResult(type: number, reader: ByteReader): MultiResult {
  switch (type) {
    case 1:
      return { type, ...createResponse.read(reader) }
    case 15:
      return { type, ...create2Response.read(reader) }
    case 2:
    case 13:
      return { type }
    case 5:
      return { type, ...setDataResponse.read(reader) }
    case 4:
      return { type, ...getDataResponse.read(reader) }
    case 8:
      return { type, ...getChildrenResponse.read(reader) }
    case -1:
      return { type, ...errorResponse.read(reader) }
    default:
      throw new MalformedBytesError(`operation ${type} cannot be part of a multi response`)
  }
}

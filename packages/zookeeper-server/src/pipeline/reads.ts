import { ByteReader, type ByteWriter, MalformedBytesError } from '@vivarium/bytes'
import {
  type Acl,
  addWatchMode,
  addWatchRequest,
  checkWatchesRequest,
  endMultiResponse,
  errorCode,
  errorResponse,
  eventType,
  extensionOpCode,
  getAclRequest,
  getAclResponse,
  getAllChildrenNumberRequest,
  getChildrenPageRequest,
  getDataRequest,
  getEphemeralsRequest,
  getEphemeralsResponse,
  type Id,
  type MultiResult,
  opCode,
  permission,
  readMultiRequest,
  setWatches,
  setWatches2,
  ustring,
  watcherType,
  whoAmIResponse,
  writeMultiResult,
} from '@vivarium/zookeeper-protocol'
import type { DataTree } from '../data-tree.ts'
import type { Watcher, Watches, WatchMode } from '../watches.ts'
import type { Znode } from '../znodes/znode.ts'
import { isAllowed, maskedAcl } from './access.ts'

/** Who reads, and what there is to read. */
export interface ReadContext {
  readonly tree: DataTree
  readonly watches: Watches
  /** The connection: its watches die with it. */
  readonly watcher: Watcher
  readonly sessionId: bigint
  readonly identities: readonly Id[]
  readonly skipAcl: boolean
  /** Whether operations are answered that Apache's servers do not know. */
  readonly extensions: boolean
  /** Where in `out` the reply must have ended. */
  end: number
}

/** What a reply is answered with instead that no client takes: its client reports just this, having closed the connection. */
export const tooLong: number = errorCode.CONNECTIONLOSS

/** A page ends when it has become so long. */
const fullPageBytes = 512 * 1024
/** Children of the page before that are looked for. */
const maxAfter = 1000

/** Opcodes answered from this server's own tree, without a transaction. */
export const readOpCodes: ReadonlySet<number> = new Set([
  opCode.exists,
  opCode.getData,
  opCode.getACL,
  opCode.getChildren,
  opCode.getChildren2,
  opCode.ping,
  opCode.multiRead,
  opCode.setWatches,
  opCode.setWatches2,
  opCode.addWatch,
  opCode.checkWatches,
  opCode.removeWatches,
  opCode.getEphemerals,
  opCode.getAllChildrenNumber,
  opCode.whoAmI,
  extensionOpCode.getChildrenPage,
])

/**
 * Answers a read: writes the body of the reply and gives 0, or gives the error, and then what was written is void.
 * Throws MalformedBytesError when the request cannot be read.
 */
export function answerRead(code: number, reader: ByteReader, context: ReadContext, out: ByteWriter): number {
  switch (code) {
    case opCode.getData:
      return getData(reader, context, out)
    case opCode.exists:
      return exists(reader, context, out)
    case opCode.getChildren:
    case opCode.getChildren2:
      return getChildren(reader, code === opCode.getChildren2, context, out)
    case opCode.ping:
      return errorCode.OK
    case opCode.getACL:
      return getAcl(getAclRequest.read(reader).path, context, out)
    case opCode.multiRead:
      return multiRead(reader, context, out)
    case opCode.setWatches:
      return catchUp(
        { ...setWatches.read(reader), persistentWatches: [], persistentRecursiveWatches: [] },
        context,
      )
    case opCode.setWatches2:
      return catchUp(setWatches2.read(reader), context)
    case opCode.addWatch:
      return addWatch(reader, context, out)
    case opCode.checkWatches:
    case opCode.removeWatches:
      return findWatches(reader, context, code === opCode.removeWatches)
    case opCode.getEphemerals:
      return getEphemerals(reader, context, out)
    case opCode.getAllChildrenNumber:
      return countDescendants(getAllChildrenNumberRequest.read(reader).path, context, out)
    case opCode.whoAmI:
      whoAmIResponse.write(out, { clientInfo: context.identities.map(clientInfoOf) })
      return errorCode.OK
    case extensionOpCode.getChildrenPage:
      return context.extensions ? getChildrenPage(reader, context, out) : errorCode.UNIMPLEMENTED
    default:
      return errorCode.UNIMPLEMENTED
  }
}

function mayRead(acl: readonly Acl[], context: ReadContext, permissions: number = permission.READ): boolean {
  return context.skipAcl || isAllowed(acl, permissions, context.identities)
}

/**
 * Reads the path that a request begins with, and finds its znode by the bytes as they are: a text is made of them only for those
 * who need one (`pathAt`).
 */
function namedNode(reader: ByteReader, { tree }: ReadContext): Znode | undefined {
  const at = reader.position
  const length = reader.int32()
  if (length > 0) return tree.nodes.getAt(reader.buffer, reader.advance(length, 'path'), length)
  reader.position = at
  return nodeAt(tree, ustring.read(reader))
}

/** To reads the empty path is the root as well: Apache's tree holds it under both. */
function nodeAt(tree: DataTree, path: string): Znode | undefined {
  return tree.nodes.get(path === '' ? '/' : path)
}

function pathAt(reader: ByteReader, position: number): string {
  return ustring.read(new ByteReader(reader.buffer, position, reader.end))
}

function getData(reader: ByteReader, context: ReadContext, out: ByteWriter): number {
  const start = reader.position
  const node = namedNode(reader, context)
  const watch = reader.boolean()
  if (node === undefined) return errorCode.NONODE
  if (!mayRead(node.acl, context)) return errorCode.NOAUTH
  node.writeData(out)
  node.writeStat(out)
  if (out.length > context.end) return tooLong
  if (watch) context.watches.data.add(pathAt(reader, start), context.watcher, 'one-shot')
  return errorCode.OK
}

function exists(reader: ByteReader, context: ReadContext, out: ByteWriter): number {
  const start = reader.position
  const node = namedNode(reader, context)
  const watch = reader.boolean()
  if (node === undefined && pathAt(reader, start).includes('\0')) return errorCode.BADARGUMENTS
  if (node !== undefined && !mayRead(node.acl, context)) return errorCode.NOAUTH
  if (watch) context.watches.data.add(pathAt(reader, start), context.watcher, 'one-shot')
  if (node === undefined) return errorCode.NONODE
  node.writeStat(out)
  return errorCode.OK
}

function getChildren(reader: ByteReader, withStat: boolean, context: ReadContext, out: ByteWriter): number {
  const start = reader.position
  const node = namedNode(reader, context)
  const watch = reader.boolean()
  if (node === undefined) return errorCode.NONODE
  if (!mayRead(node.acl, context)) return errorCode.NOAUTH
  out.int32(node.childCount)
  for (const child of context.tree.nodes.childrenOf(node)) {
    child.writeName(out)
    if (out.length > context.end) return tooLong
  }
  if (withStat) node.writeStat(out)
  if (watch) context.watches.children.add(pathAt(reader, start), context.watcher, 'one-shot')
  return errorCode.OK
}

function getChildrenPage(reader: ByteReader, context: ReadContext, out: ByteWriter): number {
  const { path, watch, limit, after } = getChildrenPageRequest.read(reader)
  if (limit < 1) return errorCode.BADARGUMENTS
  const { nodes } = context.tree
  const node = nodes.get(path)
  if (node === undefined) return errorCode.NONODE
  if (!mayRead(node.acl, context)) return errorCode.NOAUTH
  if (watch) context.watches.children.add(path, context.watcher, 'one-shot')
  const folder = path === '/' ? '/' : `${path}/`
  let behind: Znode | null = null
  for (const name of after.slice(0, maxAfter)) {
    behind = nodes.get(folder + name) ?? null
    if (behind !== null) break
  }
  const start = out.reserve(4)
  let count = 0
  let isLast = true
  for (const child of nodes.childrenOf(node, behind)) {
    if (count === limit || out.length - start > fullPageBytes) {
      isLast = false
      break
    }
    child.writeName(out)
    count++
  }
  out.patchInt32(start, count)
  node.writeStat(out)
  out.boolean(isLast)
  return errorCode.OK
}

function getAcl(path: string, context: ReadContext, out: ByteWriter): number {
  const node = nodeAt(context.tree, path)
  if (node === undefined) return errorCode.NONODE
  if (!mayRead(node.acl, context, permission.READ | permission.ADMIN)) return errorCode.NOAUTH
  const acl = context.skipAcl ? (node.acl as Acl[]) : maskedAcl(node.acl, context.identities)
  getAclResponse.write(out, { acl, stat: node.stat })
  return errorCode.OK
}

/** Every operation answers for itself: one that fails does not fail the others. */
function multiRead(reader: ByteReader, context: ReadContext, out: ByteWriter): number {
  const { watches, watcher } = context
  const toWatch: { type: number; path: string }[] = []
  for (const { type, body } of readMultiRequest(reader)) {
    if (type !== opCode.getData && type !== opCode.getChildren)
      throw new MalformedBytesError(`operation ${type} cannot be part of a multiRead`)
    const { path, watch } = getDataRequest.read(new ByteReader(body))
    const result = resultOf(type, path, context)
    writeMultiResult(out, result)
    if (out.length > context.end) return tooLong
    if (watch && result.type !== -1) toWatch.push({ type, path })
  }
  endMultiResponse(out)
  for (const { type, path } of toWatch)
    (type === opCode.getData ? watches.data : watches.children).add(path, watcher, 'one-shot')
  return errorCode.OK
}

function resultOf(type: 4 | 8, path: string, context: ReadContext): MultiResult {
  const node = nodeAt(context.tree, path)
  if (node === undefined) return { type: -1, err: errorCode.NONODE }
  if (!mayRead(node.acl, context)) return { type: -1, err: errorCode.NOAUTH }
  if (type === opCode.getData) return { type, data: node.data, stat: node.stat }
  return { type, children: Array.from(context.tree.nodes.childrenOf(node), child => child.name) }
}

/** Registers a reconnected client's watches anew, and tells it at once of what it missed. */
function catchUp(
  lists: {
    relativeZxid: bigint
    dataWatches: string[]
    existWatches: string[]
    childWatches: string[]
    persistentWatches: string[]
    persistentRecursiveWatches: string[]
  },
  { tree, watches, watcher }: ReadContext,
): number {
  const missed = -1n
  for (const path of lists.dataWatches) {
    const node = nodeAt(tree, path)
    if (node === undefined) watcher.notify(eventType.NodeDeleted, path, missed, null)
    else if (node.mzxid > lists.relativeZxid) watcher.notify(eventType.NodeDataChanged, path, missed, null)
    else watches.data.add(path, watcher, 'one-shot')
  }
  for (const path of lists.existWatches) {
    if (nodeAt(tree, path) !== undefined) watcher.notify(eventType.NodeCreated, path, missed, null)
    else watches.data.add(path, watcher, 'one-shot')
  }
  for (const path of lists.childWatches) {
    const node = nodeAt(tree, path)
    if (node === undefined) watcher.notify(eventType.NodeDeleted, path, missed, null)
    else if (node.pzxid > lists.relativeZxid)
      watcher.notify(eventType.NodeChildrenChanged, path, missed, null)
    else watches.children.add(path, watcher, 'one-shot')
  }
  for (const path of lists.persistentWatches) watches.addPersistent(path, watcher, false)
  for (const path of lists.persistentRecursiveWatches) watches.addPersistent(path, watcher, true)
  return errorCode.OK
}

function addWatch(reader: ByteReader, { watches, watcher }: ReadContext, out: ByteWriter): number {
  const { path, mode } = addWatchRequest.read(reader)
  if (mode !== addWatchMode.persistent && mode !== addWatchMode.persistentRecursive)
    return errorCode.MARSHALLINGERROR
  watches.addPersistent(path, watcher, mode === addWatchMode.persistentRecursive)
  errorResponse.write(out, { err: 0 })
  return errorCode.OK
}

/** Which tables and modes each watcher type means. */
const watchKinds: Readonly<Record<number, { data: readonly WatchMode[]; children: readonly WatchMode[] }>> = {
  [watcherType.Children]: { data: [], children: ['one-shot'] },
  [watcherType.Data]: { data: ['one-shot'], children: [] },
  [watcherType.Persistent]: { data: ['persistent'], children: ['persistent'] },
  [watcherType.PersistentRecursive]: { data: ['recursive'], children: [] },
  [watcherType.Any]: { data: ['one-shot', 'persistent', 'recursive'], children: ['one-shot', 'persistent'] },
}

function findWatches(reader: ByteReader, { watches, watcher }: ReadContext, remove: boolean): number {
  const { path, type } = checkWatchesRequest.read(reader)
  const kinds = watchKinds[type]
  if (kinds === undefined) return errorCode.MARSHALLINGERROR
  const act = remove ? 'remove' : 'has'
  const inData = watches.data[act](path, watcher, kinds.data)
  const inChildren = watches.children[act](path, watcher, kinds.children)
  return inData || inChildren ? errorCode.OK : errorCode.NOWATCHER
}

function getEphemerals(reader: ByteReader, { tree, sessionId }: ReadContext, out: ByteWriter): number {
  const prefix = (getEphemeralsRequest.read(reader).prefixPath ?? '').trim()
  const own = [...tree.ephemeralsOf(sessionId)]
  const ephemerals = prefix === '' || prefix === '/' ? own : own.filter(path => path.startsWith(prefix))
  getEphemeralsResponse.write(out, { ephemerals })
  return errorCode.OK
}

function countDescendants(path: string, context: ReadContext, out: ByteWriter): number {
  const node = nodeAt(context.tree, path)
  if (node === undefined) return errorCode.NONODE
  if (!mayRead(node.acl, context)) return errorCode.NOAUTH
  out.int32(context.tree.nodes.descendantsOf(node))
  return errorCode.OK
}

function clientInfoOf(identity: Id): { authScheme: string; user: string } {
  const name = identity.id ?? ''
  return {
    authScheme: identity.scheme ?? '',
    user: identity.scheme === 'digest' ? name.split(':', 1)[0]! : name,
  }
}

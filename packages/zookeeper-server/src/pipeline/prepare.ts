import { ByteReader, MalformedBytesError, type Span } from '@vivarium/bytes'
import { assert } from '@vivarium/platform'
import {
  type Acl,
  type CreateRequest,
  checkVersionRequest,
  createMode,
  createRequest,
  createSessionTxn,
  createTtlRequest,
  deleteContainerRequest,
  deleteRecursiveRequest,
  deleteRequest,
  errorCode,
  extensionOpCode,
  type Id,
  type MultiOp,
  opCode,
  parentOf,
  pathProblem,
  permission,
  type ReconfigRequest,
  readMultiRequest,
  reconfigRequest,
  setAclRequest,
  setDataRequest,
  type TxnHeader,
} from '@vivarium/zookeeper-protocol'
import { configPath, type DataTree } from '../data-tree.ts'
import { containerOwner, maxTtlMs, ownerKind, ttlOwner } from '../ephemeral-owner.ts'
import { limitsOf, parseQuota, statsOf } from '../quotas.ts'
import { Refusal } from '../refusal.ts'
import type { Session, SessionTracker } from '../sessions.ts'
import { type Entry, encodeEntry, type MultiPart, type Txn } from '../txn.ts'
import { isAllowed, storableAcl } from './access.ts'
import type { NodeView } from './foreseen.ts'
import { Outlook } from './outlook.ts'

/** A write that waits for its place in the order. */
export interface WriteRequest {
  readonly sessionId: bigint
  readonly xid: number
  readonly opCode: number
  /** The request record, without its header. */
  readonly body: Span
  readonly identities: readonly Id[]
  /** Where the request came from; must be where its session is. null: from the server itself. */
  readonly owner: unknown
}

/** A transaction with its place in the order, ready to be proposed. */
export interface Prepared extends Entry {
  /** Its bytes. */
  readonly entry: Buffer
  /** Of the request it was made of. */
  readonly owner: unknown
}

export interface PrepareOptions {
  extendedTypes: boolean
  digests: boolean
  /** `skipACL=yes` */
  skipAcl: boolean
  /** `closeSessionTxn.enabled`: whether the transaction lists the ephemerals that go. */
  closeSessionLists: boolean
  /** Whether a session that is not tracked here may be a local one, of this server or of another. */
  mayBeLocal: (sessionId: bigint) => boolean
  /** Told of every write that exceeds a quota, whether it is refused or not; null: quotas are not looked at. */
  onQuotaExceeded: ((message: string) => void) | null
  /** No transaction made of more than one operation of a client may be longer. */
  maxTxnBytes: number
  /** The configuration a client asks for, as text; throws Refusal. null: the members do not change (`reconfigEnabled`). */
  reconfigure: ((request: ReconfigRequest, zxid: bigint) => string) | null
}

/** Of a multi: what an operation takes besides its path. */
const partBytes = 12
const systemPaths = new Set(['/', '/zookeeper', '/zookeeper/quota', configPath])

/**
 * Turns requests into transactions: the one place where a write is judged, on the leader or on a server alone.
 * Judges against what the tree will be once all proposals in flight are applied. Every request takes a zxid, refused
 * ones too, and what comes out can be applied by any server at any later time.
 */
export class Preparer {
  readonly #sessions: SessionTracker
  readonly #options: PrepareOptions
  readonly #tree: DataTree
  readonly #outlook: Outlook
  #lastZxid: bigint
  #lastMs = 0
  #lastTime = 0n

  constructor(tree: DataTree, sessions: SessionTracker, lastZxid: bigint, options: PrepareOptions) {
    this.#tree = tree
    this.#sessions = sessions
    this.#options = options
    this.#outlook = new Outlook(tree, options)
    this.#lastZxid = lastZxid
  }

  get lastZxid(): bigint {
    return this.#lastZxid
  }

  /** A transaction has been applied to the tree. */
  applied(zxid: bigint): void {
    this.#outlook.applied(zxid)
  }

  prepare(request: WriteRequest, wallMs: number): Prepared {
    // Bounded to 64 bits the sum is made in a register, not by the runtime.
    const zxid = BigInt.asIntN(64, this.#lastZxid + 1n)
    this.#lastZxid = zxid
    let txn: Txn
    try {
      txn = this.#judge(request, zxid, wallMs)
    } catch (error) {
      txn = { type: 'error', err: codeOf(error) }
    }
    const header: TxnHeader = {
      clientId: request.sessionId,
      cxid: request.xid,
      zxid,
      time: this.#timeOf(wallMs),
      type: loggedCode(txn, request.opCode),
    }
    const digest = this.#options.digests && txn.type !== 'error' ? this.#outlook.digest : null
    return { header, txn, digest, entry: encodeEntry(header, txn, digest), owner: request.owner }
  }

  /** Many writes share a millisecond. */
  #timeOf(wallMs: number): bigint {
    if (wallMs !== this.#lastMs) {
      this.#lastMs = wallMs
      this.#lastTime = BigInt(wallMs)
    }
    return this.#lastTime
  }

  #judge(request: WriteRequest, zxid: bigint, wallMs: number): Txn {
    switch (request.opCode) {
      case opCode.createSession: {
        const { timeOut } = createSessionTxn.read(request.body.reader())
        return { type: 'createSession', timeOut }
      }
      case opCode.closeSession:
        return this.#closeSession(request.sessionId, zxid)
      case opCode.multi:
        this.#checkSession(request)
        return this.#multi(request, zxid, wallMs)
      case opCode.reconfig:
        return this.#reconfigure(request, zxid, wallMs)
      case extensionOpCode.deleteRecursive:
        return this.#deleteRecursive(request, zxid)
      default:
        return this.#single(request, request.opCode, request.body.reader(), zxid, wallMs)
    }
  }

  #single(request: WriteRequest, code: number, reader: ByteReader, zxid: bigint, wallMs: number): Txn {
    switch (code) {
      case opCode.create:
      case opCode.create2:
      case opCode.createContainer:
        return this.#create(request, code, createRequest.read(reader), 0n, zxid, wallMs)
      case opCode.createTTL: {
        const { ttl, ...create } = createTtlRequest.read(reader)
        return this.#create(request, code, create, ttl, zxid, wallMs)
      }
      case opCode.delete: {
        const { path, version } = deleteRequest.read(reader)
        return this.#delete(request, path, version, zxid)
      }
      case opCode.deleteContainer:
        return this.#deleteContainer(deleteContainerRequest.read(reader).path, zxid)
      case opCode.setData: {
        const { path, data, version } = setDataRequest.read(reader)
        this.#checkSession(request)
        const node = this.#named(path)
        this.#checkAccess(node.acl, permission.WRITE, request)
        this.#checkQuota(path, 0, (data?.length ?? 0) - Math.max(0, node.dataLength))
        const next = checkedVersion(node.version, version)
        const after = this.#outlook.draft(node, data)
        after.version = next
        after.mzxid = zxid
        after.mtimeMs = wallMs
        this.#outlook.set(path, zxid, node, after)
        return { type: 'setData', path, data, version: next, nodeDigest: after.digest }
      }
      case opCode.setACL: {
        const { path, acl: given, version } = setAclRequest.read(reader)
        this.#checkSession(request)
        checkPath(path)
        const acl = this.#storable(given, request)
        const node = this.#existing(path)
        this.#checkAccess(node.acl, permission.ADMIN, request)
        const next = checkedVersion(node.aversion, version)
        const after = this.#outlook.draft(node)
        after.acl = acl
        after.aversion = next
        this.#outlook.set(path, zxid, node, after)
        return { type: 'setAcl', path, acl, version: next }
      }
      case opCode.check: {
        const { path, version } = checkVersionRequest.read(reader)
        this.#checkSession(request)
        const node = this.#named(path)
        this.#checkAccess(node.acl, permission.READ, request)
        return { type: 'check', path, version: checkedVersion(node.version, version) }
      }
      default:
        throw new Refusal(errorCode.UNIMPLEMENTED)
    }
  }

  #create(
    request: WriteRequest,
    code: number,
    create: CreateRequest,
    ttl: bigint,
    zxid: bigint,
    wallMs: number,
  ): Txn {
    const { flags, data } = create
    this.#checkMode(code, flags, ttl)
    this.#checkSession(request)
    const slash = create.path.lastIndexOf('/')
    if (slash === -1 || create.path.includes('\0')) throw new Refusal(errorCode.BADARGUMENTS)
    const acl = this.#storable(create.acl, request)
    const parentPath = slash === 0 ? '/' : create.path.slice(0, slash)
    const parent = this.#existing(parentPath)
    this.#checkAccess(parent.acl, permission.CREATE, request)
    const isSequential = flags === 2 || flags === 3 || flags === 6
    const path = isSequential ? create.path + sequenceSuffix(parent.cversion) : create.path
    checkPath(path)
    if (this.#outlook.get(path) !== null) throw new Refusal(errorCode.NODEEXISTS)
    if (ownerKind(parent.ephemeralOwner, this.#options.extendedTypes) === 'session') {
      throw new Refusal(errorCode.NOCHILDRENFOREPHEMERALS)
    }
    this.#checkQuota(path, 1, data?.length ?? 0)
    const parentCVersion = (parent.cversion + 1) | 0
    const ephemeral = flags === createMode.EPHEMERAL || flags === createMode.EPHEMERAL_SEQUENTIAL
    // An ephemeral of a session that nobody tracks would stay for ever.
    if (ephemeral) this.#checkGlobalSession(request)
    const isContainer = code === opCode.createContainer
    const owner = isContainer
      ? containerOwner
      : code === opCode.createTTL
        ? ttlOwner(ttl)
        : ephemeral
          ? request.sessionId
          : 0n
    const parentAfter = this.#outlook.draft(parent)
    parentAfter.cversion = parentCVersion
    parentAfter.childCount++
    parentAfter.pzxid = zxid
    this.#outlook.set(parentPath, zxid, parent, parentAfter)
    const made = this.#outlook.blank()
    made.create(path, data, acl, owner, zxid, wallMs)
    this.#outlook.set(path, zxid, null, made)
    if (isContainer) return { type: 'createContainer', path, data, acl, parentCVersion }
    if (code === opCode.createTTL) return { type: 'createTtl', path, data, acl, parentCVersion, ttl }
    return { type: 'create', path, data, acl, ephemeral, parentCVersion }
  }

  #checkMode(code: number, flags: number, ttl: bigint): void {
    if (!isMode(flags)) throw new Refusal(errorCode.BADARGUMENTS)
    const isTtl = isTtlMode(flags)
    if (isTtl && !this.#options.extendedTypes) throw new Refusal(errorCode.UNIMPLEMENTED)
    if (isTtl !== (code === opCode.createTTL) || (isTtl && (ttl < 1n || ttl > maxTtlMs)))
      throw new Refusal(errorCode.BADARGUMENTS)
  }

  #delete(request: WriteRequest, path: string, version: number, zxid: bigint): Txn {
    this.#checkSession(request)
    const parentPath = parentOf(path)
    if (parentPath === null || systemPaths.has(path) || path.includes('\0'))
      throw new Refusal(errorCode.BADARGUMENTS)
    const parent = this.#existing(parentPath)
    this.#checkAccess(parent.acl, permission.DELETE, request)
    const node = this.#existing(path)
    checkedVersion(node.version, version)
    if (node.childCount > 0) throw new Refusal(errorCode.NOTEMPTY)
    this.#foreseeDelete(path, zxid)
    return { type: 'delete', path }
  }

  /** Becomes a multi, which servers of any kind and age can apply. */
  #deleteRecursive(request: WriteRequest, zxid: bigint): Txn {
    const { path } = deleteRecursiveRequest.read(request.body.reader())
    this.#checkSession(request)
    if (
      parentOf(path) === null ||
      path === '/zookeeper' ||
      path.startsWith('/zookeeper/') ||
      path.includes('\0')
    )
      throw new Refusal(errorCode.BADARGUMENTS)
    this.#existing(path)
    const { maxTxnBytes } = this.#options
    const foreseen = this.#outlook.subtreeOf(path, maxTxnBytes / (partBytes + path.length))
    if (foreseen === null)
      throw new Refusal(errorCode.BADARGUMENTS, `what is below ${path} does not fit into one transaction`)
    // Backwards: what is below a znode comes before it.
    const paths = [...foreseen].sort().reverse()
    const bytes = paths.reduce((sum, below) => sum + partBytes + Buffer.byteLength(below), 0)
    if (bytes > maxTxnBytes)
      throw new Refusal(errorCode.BADARGUMENTS, `${paths.length} znodes do not fit into one transaction`)
    for (const parent of new Set(paths.map(below => parentOf(below)!)))
      this.#checkAccess(this.#existing(parent).acl, permission.DELETE, request)
    for (const below of paths) this.#foreseeDelete(below, zxid)
    return {
      type: 'multi',
      txns: paths.map(below => ({ code: opCode.delete, txn: { type: 'delete', path: below } })),
    }
  }

  #deleteContainer(path: string, zxid: bigint): Txn {
    const parentPath = parentOf(path)
    if (parentPath === null || systemPaths.has(path)) throw new Refusal(errorCode.BADARGUMENTS)
    const node = this.#existing(path)
    if (node.childCount > 0) throw new Refusal(errorCode.NOTEMPTY)
    if (ownerKind(node.ephemeralOwner, this.#options.extendedTypes) === 'session')
      throw new Refusal(errorCode.BADVERSION)
    this.#foreseeDelete(path, zxid)
    return { type: 'delete', path }
  }

  #foreseeDelete(path: string, zxid: bigint): void {
    const parentPath = parentOf(path)!
    const parent = this.#outlook.get(parentPath)
    assert(parent !== null, 'a znode that is there has a parent')
    const parentAfter = this.#outlook.draft(parent)
    parentAfter.childCount--
    parentAfter.pzxid = zxid
    this.#outlook.set(parentPath, zxid, parent, parentAfter)
    this.#outlook.remove(path, zxid, this.#outlook.get(path)!)
  }

  #closeSession(sessionId: bigint, zxid: bigint): Txn {
    const paths = [...this.#outlook.ephemeralsOf(sessionId)]
    for (const path of paths) this.#foreseeDelete(path, zxid)
    const session = this.#sessions.get(sessionId)
    if (session !== undefined) session.isClosing = true
    return { type: 'closeSession', paths: this.#options.closeSessionLists ? paths : null }
  }

  #reconfigure(request: WriteRequest, zxid: bigint, wallMs: number): Txn {
    this.#checkSession(request)
    const { reconfigure } = this.#options
    if (reconfigure === null) throw new Refusal(errorCode.RECONFIGDISABLED)
    const text = reconfigure(reconfigRequest.read(request.body.reader()), zxid)
    const node = this.#existing(configPath)
    this.#checkAccess(node.acl, permission.WRITE, request)
    const after = this.#outlook.draft(node)
    after.data = Buffer.from(text)
    after.mzxid = zxid
    after.mtimeMs = wallMs
    this.#outlook.set(configPath, zxid, node, after)
    return { type: 'setData', path: configPath, data: after.data, version: -1 }
  }

  #multi(request: WriteRequest, zxid: bigint, wallMs: number): Txn {
    const ops = readMultiRequest(request.body.reader())
    if (ops.some(op => op.type === opCode.getData || op.type === opCode.getChildren))
      throw new Refusal(errorCode.MARSHALLINGERROR)
    const codes = ops.map(codeInMulti)
    const parts: MultiPart[] = []
    try {
      this.#outlook.allOrNothing(() => {
        for (const [index, code] of codes.entries())
          parts.push({
            code,
            txn: this.#single(request, code, new ByteReader(ops[index]!.body), zxid, wallMs),
          })
      })
    } catch (error) {
      const code = codeOf(error)
      if (code === errorCode.SESSIONMOVED) throw error
      parts.push({ code: opCode.error, txn: { type: 'error', err: code } })
      const inconsistent: MultiPart = {
        code: opCode.error,
        txn: { type: 'error', err: errorCode.RUNTIMEINCONSISTENCY },
      }
      while (parts.length < ops.length) parts.push(inconsistent)
    }
    return { type: 'multi', txns: parts }
  }

  #checkSession(request: WriteRequest): void {
    if (request.owner === null) return
    const session = this.#sessions.get(request.sessionId)
    if (session === undefined && this.#options.mayBeLocal(request.sessionId)) return
    checkOwner(session, request.owner)
  }

  #checkGlobalSession(request: WriteRequest): void {
    if (request.owner !== null) checkOwner(this.#sessions.get(request.sessionId), request.owner)
  }

  /** A hard limit, where one is set, refuses; a soft one is only told of. Reckons with the writes in flight, too. */
  #checkQuota(path: string, count: number, bytes: number): void {
    if (this.#options.onQuotaExceeded === null) return
    const limited = this.#tree.limited.covering(path)
    if (limited !== null) this.#checkQuotaOf(limited, count, bytes)
  }

  #checkQuotaOf(limited: string, count: number, bytes: number): void {
    const { onQuotaExceeded } = this.#options
    const stats = this.#tree.nodes.get(statsOf(limited))
    // Nothing is counted there, so that there is nothing to compare with: Apache's servers let it pass, too.
    if (stats === undefined) return
    const limits = parseQuota(this.#outlook.get(limitsOf(limited))?.data ?? null)
    const usage = parseQuota(stats.data)
    const growth = this.#outlook.growthBelow(limited)
    const check = (what: string, more: number, will: number, soft: number, hard: number) => {
      const limit = hard > -1 ? hard : soft
      if (more <= 0 || limit < 0 || will <= limit) return
      const kind = hard > -1 ? 'hard' : 'soft'
      onQuotaExceeded!(
        `Quota exceeded: ${limited} [current ${what.toLowerCase()}=${will}, ${kind}${what}Limit=${limit}]`,
      )
      if (hard > -1) throw new Refusal(errorCode.QUOTAEXCEEDED)
    }
    check('Count', count, usage.count + growth.count + count, limits.count, limits.countHardLimit)
    check('Bytes', bytes, usage.bytes + growth.bytes + bytes, limits.bytes, limits.byteHardLimit)
  }

  /** The znode at a path that may be none: that of one that is there was looked at when it was made. */
  #named(path: string): NodeView {
    const node = this.#outlook.get(path)
    if (node !== null) return node
    checkPath(path)
    throw new Refusal(errorCode.NONODE)
  }

  #existing(path: string): NodeView {
    const node = this.#outlook.get(path)
    if (node === null) throw new Refusal(errorCode.NONODE)
    return node
  }

  #checkAccess(acl: readonly Acl[], needed: number, request: WriteRequest): void {
    if (!this.#options.skipAcl && !isAllowed(acl, needed, request.identities))
      throw new Refusal(errorCode.NOAUTH)
  }

  #storable(given: readonly Acl[] | null, request: WriteRequest): Acl[] {
    const acl = storableAcl(given, request.identities)
    if (acl === null) throw new Refusal(errorCode.INVALIDACL)
    return acl
  }
}

/** What a transaction is logged as. */
function loggedCode(txn: Txn, requested: number): number {
  if (txn.type === 'error') return opCode.error
  return txn.type === 'multi' ? opCode.multi : requested
}

/** Parts of a request that cannot be read, whatever the reason, are answered as such; anything else is a bug of ours. */
function codeOf(error: unknown): number {
  if (error instanceof Refusal) return error.code
  if (error instanceof MalformedBytesError) return errorCode.MARSHALLINGERROR
  throw error
}

/** A request comes from where its session is, which must live. */
function checkOwner(session: Session | undefined, owner: unknown): void {
  if (session === undefined || session.isClosing) throw new Refusal(errorCode.SESSIONEXPIRED)
  if (session.owner === null) session.owner = owner
  else if (session.owner !== owner) throw new Refusal(errorCode.SESSIONMOVED)
}

/**
 * What an operation of a multi is carried out as: of creations the mode decides, as in Apache, where it decides while the
 * request is read. One that does not go with its operation therefore makes the whole multi unreadable.
 */
function codeInMulti({ type, body }: MultiOp): number {
  switch (type) {
    case opCode.create:
    case opCode.create2:
    case opCode.createContainer: {
      const flags = body.readInt32BE(body.length - 4)
      if (!isMode(flags) || isTtlMode(flags)) throw new Refusal(errorCode.MARSHALLINGERROR)
      return flags === createMode.CONTAINER ? opCode.createContainer : type
    }
    case opCode.createTTL: {
      const flags = body.readInt32BE(body.length - 12)
      if (isTtlMode(flags)) return opCode.createTTL
      return flags === createMode.CONTAINER ? opCode.createContainer : opCode.create
    }
    default:
      return type
  }
}

function isMode(flags: number): boolean {
  return flags >= 0 && flags <= 6
}

function isTtlMode(flags: number): boolean {
  return flags === createMode.PERSISTENT_WITH_TTL || flags === createMode.PERSISTENT_SEQUENTIAL_WITH_TTL
}

function checkPath(path: string): void {
  if (pathProblem(path) !== null) throw new Refusal(errorCode.BADARGUMENTS)
}

/** The version after the change; −1 asks for any. */
function checkedVersion(current: number, expected: number): number {
  if (expected !== -1 && expected !== current) throw new Refusal(errorCode.BADVERSION)
  return (current + 1) | 0
}

/** Ten digits; a counter past 2³¹−1 goes on at −2³¹, sign first. */
function sequenceSuffix(cversion: number): string {
  return cversion < 0 ? `-${String(-cversion).padStart(9, '0')}` : String(cversion).padStart(10, '0')
}

import { ByteWriter } from '@vivarium/bytes'
import type { Chance } from '@vivarium/simulator'
import {
  type Acl,
  addWatchRequest,
  authPacket,
  checkVersionRequest,
  checkWatchesRequest,
  createMode,
  createRequest,
  createTtlRequest,
  deleteRequest,
  encode,
  existsRequest,
  getAclRequest,
  getAllChildrenNumberRequest,
  getChildrenRequest,
  getDataRequest,
  getEphemeralsRequest,
  opCode,
  openAcl,
  permission,
  reconfigRequest,
  setAclRequest,
  setDataRequest,
  setWatches,
  setWatches2,
  syncRequest,
  type Type,
  watcherType,
  writeMultiRequest,
} from '@vivarium/zookeeper-protocol'

/** A request, as people read it and as it goes over the wire. */
export interface RandomRequest {
  readonly code: number
  readonly fields: unknown
  readonly body: Buffer
  /** Of the kinds that have one of their own. */
  readonly xid?: number
}

const xids = { ping: -2, auth: -4, setWatches: -8 } as const

/** Few, so that requests meet. */
const usual = ['/a', '/b', '/a/x', '/a/y', '/a/x/1', '/a/x/2', '/b/z', '/b/é', '/c', '/c/s-']
const unusual = [
  ...[
    '',
    '/',
    'a',
    '/a/',
    '//',
    '/a//x',
    '/a/.',
    '/a/../b',
    '/a/./x',
    '/a/\0',
    '/a/\x1f',
    '/a/\x7f',
    '/\uf8ff',
  ],
  ...['/zookeeper', '/zookeeper/quota', '/zookeeper/quota/a', '/zookeeper/x'],
]
const anyData = [null, Buffer.alloc(0), Buffer.from('x'), Buffer.from('hello'), Buffer.alloc(40, 'y')]
const anyVersion = [-1, -1, -1, -1, 0, 1, 2, 3, -2, 2 ** 31 - 1]
const modes = [0, 0, 0, 0, 1, 2, 3, 4]
const modesOfOthers = [5, 6, 7, -1, 99]
const entry = (perms: number, scheme: string, id: string): Acl => ({ perms, id: { scheme, id } })
const bobs = entry(permission.ALL, 'digest', 'bob:ttt4KD2l/LR0Mpj5c6jU0hrwVdE=')
const acls = [
  ...Array.from({ length: 6 }, () => [...openAcl]),
  [entry(permission.READ, 'world', 'anyone')],
  [entry(permission.ALL, 'auth', '')],
  [bobs],
  [entry(permission.READ | permission.DELETE, 'world', 'anyone'), bobs],
  [entry(permission.ALL & ~permission.READ, 'world', 'anyone')],
  [entry(permission.ALL, 'ip', '127.0.0.1')],
  [entry(permission.READ, 'ip', '127.0.0.0/8')],
  [entry(permission.READ, 'world', 'anyone'), entry(permission.READ, 'world', 'anyone')],
  [entry(0, 'world', 'anyone')],
  [entry(63, 'world', 'anyone')],
  // Refused.
  [],
  [entry(permission.ALL, 'bogus', 'x')],
  [entry(permission.ALL, 'world', 'somebody')],
  [entry(permission.ALL, 'digest', 'nocolon')],
  [entry(permission.ALL, 'ip', '300.1.1.1')],
]

/** Requests of every kind that clients send, about as likely to be refused as to be carried out. */
export class RandomRequests {
  readonly #chance: Chance
  readonly #kinds: readonly (() => RandomRequest)[]

  constructor(chance: Chance) {
    this.#chance = chance
    const read = <T>(code: number, record: Type<T>, more: (path: string) => T) =>
      times(5, () => request(code, record, more(this.#path())))
    const watched = (path: string) => ({ path, watch: chance.happens(0.5) })
    const typed = (path: string) => ({ path, type: chance.pick(Object.values(watcherType)) })
    this.#kinds = [
      ...times(24, () => this.#create()),
      ...times(8, () => this.#delete()),
      ...times(10, () => this.#setData()),
      ...times(5, () => this.#setAcl()),
      ...times(8, () => this.#multi(opCode.multi)),
      ...times(4, () => this.#multi(opCode.multiRead)),
      ...read(opCode.exists, existsRequest, watched),
      ...read(opCode.getData, getDataRequest, watched),
      ...read(opCode.getChildren, getChildrenRequest, watched),
      ...read(opCode.getChildren2, getChildrenRequest, watched),
      ...read(opCode.getACL, getAclRequest, path => ({ path })),
      ...read(opCode.addWatch, addWatchRequest, path => ({ path, mode: chance.pick([0, 0, 1, 1, 2, -1]) })),
      ...read(opCode.checkWatches, checkWatchesRequest, typed),
      ...read(opCode.removeWatches, checkWatchesRequest, typed),
      ...times(4, () => this.#setWatches()),
      () => request(opCode.sync, syncRequest, { path: this.#path() }),
      () => request(opCode.getEphemerals, getEphemeralsRequest, { prefixPath: this.#path() }),
      () => request(opCode.getAllChildrenNumber, getAllChildrenNumberRequest, { path: this.#usual() }),
      () => this.#authenticate(),
      () => request(opCode.reconfig, reconfigRequest, noChange),
      ...[opCode.whoAmI, opCode.closeSession].map(code => () => bare(code)),
      () => ({ ...bare(opCode.ping), xid: xids.ping }),
    ]
  }

  next(): RandomRequest {
    return this.#chance.pick(this.#kinds)()
  }

  #usual(): string {
    return this.#chance.pick(usual)
  }

  #path(): string {
    return this.#chance.below(20) === 0 ? this.#chance.pick(unusual) : this.#usual()
  }

  #paths(): string[] {
    return Array.from({ length: this.#chance.below(3) }, () => this.#path())
  }

  #create(): RandomRequest {
    const chance = this.#chance
    const create = { path: this.#path(), data: chance.pick(anyData), acl: chance.pick(acls) }
    const flags = chance.pick(chance.below(12) === 0 ? modesOfOthers : modes)
    const kind = chance.below(10)
    if (kind > 1) {
      const code = chance.pick([opCode.create, opCode.create2, opCode.create2])
      return request(code, createRequest, { ...create, flags })
    }
    if (kind === 1) {
      // Asked for an ephemeral container, Apache deletes it with the session if that ends while it is made, and else keeps it.
      const isEphemeral = flags === createMode.EPHEMERAL || flags === createMode.EPHEMERAL_SEQUENTIAL
      const container = { ...create, flags: isEphemeral ? createMode.CONTAINER : flags }
      return request(opCode.createContainer, createRequest, container)
    }
    // With another mode, a TTL below 1 ends Apache's server for good.
    const isTtl = chance.below(3) > 0
    return request(opCode.createTTL, createTtlRequest, {
      ...create,
      flags: isTtl ? chance.pick([5, 6]) : flags,
      ttl: chance.pick(isTtl ? [1n, 100_000n, 0n, -1n, 0xff_ffff_ffffn, 2n ** 63n - 1n] : [1n, 100_000n]),
    })
  }

  #delete(): RandomRequest {
    return request(opCode.delete, deleteRequest, {
      path: this.#path(),
      version: this.#chance.pick(anyVersion),
    })
  }

  #setData(): RandomRequest {
    return request(opCode.setData, setDataRequest, {
      path: this.#path(),
      data: this.#chance.pick(anyData),
      version: this.#chance.pick(anyVersion),
    })
  }

  #setAcl(): RandomRequest {
    return request(opCode.setACL, setAclRequest, {
      path: this.#path(),
      acl: this.#chance.pick(acls),
      version: this.#chance.pick(anyVersion),
    })
  }

  #check(): RandomRequest {
    return request(opCode.check, checkVersionRequest, {
      path: this.#path(),
      version: this.#chance.pick(anyVersion),
    })
  }

  #multi(code: number): RandomRequest {
    const chance = this.#chance
    // Now and then with one that has no place there.
    const isOfReads = (code === opCode.multiRead) !== (chance.below(30) === 0)
    const writes = [() => this.#create(), () => this.#delete(), () => this.#setData(), () => this.#check()]
    const reads = [opCode.getData, opCode.getChildren].map(
      read => () => request(read, getDataRequest, { path: this.#path(), watch: false }),
    )
    const parts = Array.from({ length: chance.below(5) }, () => chance.pick(isOfReads ? reads : writes)())
    const out = new ByteWriter()
    writeMultiRequest(
      out,
      parts.map(part => ({ type: part.code, body: part.body })),
    )
    const fields = parts.map(part => [part.code, part.fields])
    return { code, fields, body: Buffer.from(out.written()) }
  }

  #setWatches(): RandomRequest {
    const old = {
      relativeZxid: BigInt(this.#chance.below(10_000)),
      dataWatches: this.#paths(),
      existWatches: this.#paths(),
      childWatches: this.#paths(),
    }
    const made = this.#chance.happens(0.5)
      ? request(opCode.setWatches, setWatches, old)
      : request(opCode.setWatches2, setWatches2, {
          ...old,
          persistentWatches: this.#paths(),
          persistentRecursiveWatches: this.#paths(),
        })
    return { ...made, xid: xids.setWatches }
  }

  #authenticate(): RandomRequest {
    const scheme = this.#chance.pick(['digest', 'ip'])
    const made = request(opCode.auth, authPacket, { type: 0, scheme, auth: Buffer.from('bob:x') })
    return { ...made, xid: xids.auth }
  }
}

const noChange = { joiningServers: null, leavingServers: '2', newMembers: null, curConfigId: -1n }

function times<T>(count: number, kind: T): T[] {
  return Array.from({ length: count }, () => kind)
}

function bare(code: number): RandomRequest {
  return { code, fields: null, body: Buffer.alloc(0) }
}

function request<T>(code: number, record: Type<T>, fields: T): RandomRequest {
  return { code, fields, body: encode(record, fields) }
}

import type { Chance } from '@vivarium/simulator'
import {
  addWatchRequest,
  checkVersionRequest,
  createRequest,
  createTtlRequest,
  deleteRecursiveRequest,
  deleteRequest,
  encode,
  extensionOpCode,
  getChildrenPageRequest,
  getDataRequest,
  opCode,
  openAcl,
  setAclRequest,
  setDataRequest,
} from '@vivarium/zookeeper-protocol'

const nobody = { perms: 31, id: { scheme: null, id: null } }

/** The body of a multi. */
export function multi(...operations: { type: number; body: Buffer }[]): Buffer {
  const parts = operations.map(({ type, body }) => {
    const header = Buffer.alloc(9)
    header.writeInt32BE(type, 0)
    header.writeInt32BE(-1, 5)
    return Buffer.concat([header, body])
  })
  return Buffer.concat([...parts, Buffer.from('ffffffff01ffffffff', 'hex')])
}

const paths = [
  '/',
  '',
  'x',
  '/a',
  '/a/b',
  '/a/b/c',
  '//',
  '/a/',
  '/zookeeper',
  '/zookeeper/quota/a',
  '/\0',
  '/é…',
  '/..',
]
const ints = [-(2 ** 31), -1000, -1, 0, 1, 2, 3, 4, 5, 6, 7, 100, 2 ** 31 - 1]
const longs = [-(2n ** 63n), -1n, 0n, 1n, 1000n, 0xffffffffffn, 2n ** 63n - 1n]
const acls = [
  null,
  [...openAcl],
  [],
  [nobody],
  [{ perms: -1, id: { scheme: 'ip', id: 'x' } }],
  [...openAcl, nobody],
]

/** A request that is well formed and means something odd. */
export function oddRequest(chance: Chance): { code: number; body: Buffer } {
  const path = () => chance.pick(paths)
  const create = () => ({
    path: path(),
    data: chance.pick([null, Buffer.alloc(0), Buffer.from('x')]),
    acl: chance.pick(acls),
    flags: chance.pick(ints),
  })
  const version = () => chance.pick(ints)
  const simple = [
    () => ({ code: opCode.create, body: encode(createRequest, create()) }),
    () => ({ code: opCode.create2, body: encode(createRequest, create()) }),
    () => ({ code: opCode.createContainer, body: encode(createRequest, create()) }),
    () => ({
      code: opCode.createTTL,
      body: encode(createTtlRequest, { ...create(), ttl: chance.pick(longs) }),
    }),
    () => ({ code: opCode.delete, body: encode(deleteRequest, { path: path(), version: version() }) }),
    () => ({
      code: opCode.setData,
      body: encode(setDataRequest, { path: path(), data: null, version: version() }),
    }),
    () => ({
      code: opCode.setACL,
      body: encode(setAclRequest, { path: path(), acl: chance.pick(acls), version: version() }),
    }),
    () => ({ code: opCode.check, body: encode(checkVersionRequest, { path: path(), version: version() }) }),
    () => ({ code: opCode.getData, body: encode(getDataRequest, { path: path(), watch: true }) }),
    () => ({ code: opCode.addWatch, body: encode(addWatchRequest, { path: path(), mode: version() }) }),
  ]
  const extensions = [
    () => ({
      code: extensionOpCode.deleteRecursive,
      body: encode(deleteRecursiveRequest, { path: path() }),
    }),
    () => ({
      code: extensionOpCode.getChildrenPage,
      body: encode(getChildrenPageRequest, {
        path: path(),
        watch: true,
        limit: version(),
        after: [path(), path()],
      }),
    }),
    () => {
      const { code, body } = chance.pick(simple)()
      const head = Buffer.alloc(4)
      head.writeInt32BE(code)
      return { code: extensionOpCode.linearizableRead, body: Buffer.concat([head, body]) }
    },
  ]
  if (chance.below(20) === 0) return chance.pick(extensions)()
  if (chance.below(4) > 0) return chance.pick(simple)()
  const operations = Array.from({ length: chance.below(4) }, () => {
    const { code: type, body } = chance.pick(simple)()
    return { type, body }
  })
  return { code: chance.below(5) === 0 ? opCode.multiRead : opCode.multi, body: multi(...operations) }
}

import { BlockList, isIP } from 'node:net'
import { type Acl, type Id, openAcl, permission } from '@vivarium/zookeeper-protocol'

/** Whoever has this identity passes every check. */
export const superScheme = 'super'

/** Whether one of the identities may do one of the things in `permissions`. An empty ACL grants everything. */
export function isAllowed(acl: readonly Acl[], permissions: number, identities: readonly Id[]): boolean {
  if (acl.length === 0) return true
  for (const entry of acl) {
    if ((entry.perms & permissions) !== 0 && entry.id.scheme === 'world') return true
  }
  for (const identity of identities) {
    if (identity.scheme === superScheme) return true
    for (const { perms, id } of acl) {
      if ((perms & permissions) !== 0 && id.scheme === identity.scheme && matches(id, identity)) return true
    }
  }
  return false
}

function matches(entry: Id, identity: Id): boolean {
  return entry.scheme === 'ip' ? isInRange(identity.id ?? '', entry.id ?? '') : entry.id === identity.id
}

/** Whether an address lies in `address` or `address/bits`. */
function isInRange(address: string, range: string): boolean {
  const parsed = parseRange(range)
  if (parsed === null || isIP(address) !== parsed.family) return false
  const list = new BlockList()
  const type = parsed.family === 4 ? 'ipv4' : 'ipv6'
  list.addSubnet(parsed.network, parsed.bits, type)
  return list.check(address, type)
}

function parseRange(range: string): { network: string; bits: number; family: 4 | 6 } | null {
  const [network = '', bitsText, ...rest] = range.split('/')
  const family = isIP(network)
  if (family === 0 || rest.length > 0) return null
  const most = family === 4 ? 32 : 128
  const bits = bitsText === undefined ? most : Number(bitsText)
  if (!/^\d+$/.test(bitsText ?? '0') || bits > most) return null
  return { network, bits, family: family as 4 | 6 }
}

/** Schemes whose identities a client has proved: what `auth` in an ACL stands for. */
const authenticating = new Set(['digest', 'sasl', 'x509'])

/**
 * The ACL to store for one a client gave: duplicates gone, `auth` replaced by the client's own identities. Null if it is
 * not valid (INVALIDACL).
 */
export function storableAcl(given: readonly Acl[] | null, identities: readonly Id[]): Acl[] | null {
  if (given === null || given.length === 0) return null
  if (given.length === 1 && isOpen(given[0]!)) return openAcl as Acl[]
  const kept = new Map<string, Acl>()
  const keep = (entry: Acl) => kept.set(`${entry.perms}\0${entry.id.scheme}\0${entry.id.id}`, entry)
  for (const entry of given) {
    const { scheme, id } = entry.id
    // Of `auth` the id means nothing; some clients (kazoo) send none.
    if (scheme === 'auth') {
      const own = identities.filter(identity => authenticating.has(identity.scheme ?? ''))
      if (own.length === 0) return null
      for (const identity of own) keep({ perms: entry.perms, id: identity })
    } else if (scheme !== null && id !== null && isValid(scheme, id)) {
      keep(entry)
    } else {
      return null
    }
  }
  return [...kept.values()]
}

function isOpen({ perms, id }: Acl): boolean {
  return perms === 31 && id.scheme === 'world' && id.id === 'anyone'
}

function isValid(scheme: string, id: string): boolean {
  switch (scheme) {
    case 'world':
      return id === 'anyone'
    case 'digest':
      return id.split(':').length === 2
    case 'ip':
      return parseRange(id) !== null
    default:
      // sasl and x509 are refused as long as no such provider is loaded, like any unknown scheme.
      return false
  }
}

/** `user:base64(sha1("user:password"))`, the identity behind a digest password. Source: DigestAuthenticationProvider. */
export function digestIdentity(userAndPassword: string): string {
  // Loaded with the first password, not at every start: it takes as long as a tenth of everything else.
  const { createHash } = process.getBuiltinModule('node:crypto')
  const user = userAndPassword.split(':', 1)[0]
  return `${user}:${createHash('sha1').update(userAndPassword).digest('base64')}`
}

/** What a reader without ADMIN sees of an ACL: digests without their hash. */
export function maskedAcl(acl: readonly Acl[], identities: readonly Id[]): Acl[] {
  if (isAllowed(acl, permission.ADMIN, identities)) return acl as Acl[]
  return acl.map(entry =>
    entry.id.scheme === 'digest'
      ? { perms: entry.perms, id: { scheme: 'digest', id: `${entry.id.id?.split(':', 1)[0]}:x` } }
      : entry,
  )
}

/** The owner of a container znode, in the field that names an ephemeral's session. */
export const containerOwner = -(2n ** 63n)

const ttlMark = 0xffn << 56n
const ttlMask = (1n << 40n) - 1n
export const maxTtlMs = ttlMask

/** The owner field of a TTL znode. */
export function ttlOwner(ttlMs: bigint): bigint {
  return BigInt.asIntN(64, ttlMark | ttlMs)
}

export const ownerKinds = ['none', 'session', 'container', 'ttl'] as const
/** What the owner field says. */
export type OwnerKind = (typeof ownerKinds)[number]

/**
 * What the owner field says. With extended types off, Apache takes everything but containers for sessions; so do we.
 */
export function ownerKind(owner: bigint, extendedTypes: boolean): OwnerKind {
  if (owner === 0n) return 'none'
  if (owner === containerOwner) return 'container'
  if (extendedTypes && BigInt.asUintN(64, owner) >> 56n === 0xffn) return 'ttl'
  return 'session'
}

export function ttlOf(owner: bigint): number {
  return Number(BigInt.asUintN(64, owner) & ttlMask)
}

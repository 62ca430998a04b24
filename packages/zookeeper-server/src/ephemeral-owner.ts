/** The owner of a container znode, in the field that names an ephemeral's session. */
export const containerOwner = -(2n ** 63n)

const ttlMark = 0xffn << 56n
const ttlMask = (1n << 40n) - 1n
export const maxTtlMs = ttlMask

/** The owner field of a TTL znode. */
export function ttlOwner(ttlMs: bigint): bigint {
  return BigInt.asIntN(64, ttlMark | ttlMs)
}

/**
 * What the owner field says. With extended types off, Apache takes everything but containers for sessions; so do we.
 */
export function ownerKind(owner: bigint, extendedTypes: boolean): 'none' | 'session' | 'container' | 'ttl' {
  if (owner === 0n) return 'none'
  if (owner === containerOwner) return 'container'
  if (extendedTypes && BigInt.asUintN(64, owner) >> 56n === 0xffn) return 'ttl'
  return 'session'
}

export function ttlOf(owner: bigint): number {
  return Number(BigInt.asUintN(64, owner) & ttlMask)
}

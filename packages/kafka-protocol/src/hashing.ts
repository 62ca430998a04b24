/** Java's String.hashCode: which coordinator partition a group belongs to. */
export function javaStringHash(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0
  return hash
}

/** The partition, of `count`, that keeps the state of a group or transactional id. */
export function coordinatorPartition(id: string, count: number): number {
  const hash = javaStringHash(id)
  return (hash === -(2 ** 31) ? 0 : Math.abs(hash)) % count
}

const passwordSecret = 0xb3415c00n
const mask48 = (1n << 48n) - 1n
const multiplier = 0x5deece66dn

/**
 * The 16 bytes a client proves its session with. They follow from the id, so that any server can check them.
 * Source: SessionTrackerImpl / ZooKeeperServer.generatePasswd (java.util.Random seeded with id XOR a constant).
 */
export function sessionPassword(sessionId: bigint): Buffer {
  let state = (sessionId ^ passwordSecret ^ multiplier) & mask48
  const password = Buffer.allocUnsafe(16)
  for (let at = 0; at < 16; at += 4) {
    state = (state * multiplier + 0xbn) & mask48
    password.writeUInt32LE(Number((state >> 16n) & 0xffff_ffffn), at)
  }
  return password
}

/** The first id a server gives out: its own id in the top byte, then the time, then a counter's room. */
export function firstSessionId(serverId: bigint, elapsedMs: bigint): bigint {
  const id = BigInt.asIntN(64, (BigInt.asUintN(64, elapsedMs << 24n) >> 8n) | (serverId << 56n))
  return id === -(2n ** 63n) ? id + 1n : id
}

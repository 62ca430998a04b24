/** A transaction's place in the order of all: epoch in the high 32 bits, counter in the low. */
export function zxidOf(epoch: bigint, counter: bigint): bigint {
  return (epoch << 32n) | counter
}

export function epochOf(zxid: bigint): bigint {
  return zxid >> 32n
}

export function counterOf(zxid: bigint): bigint {
  return zxid & 0xffff_ffffn
}

/** Lower-case hex without leading zeros, as in file names and log lines; negative ones as Java prints them. */
export function formatZxid(zxid: bigint): string {
  return BigInt.asUintN(64, zxid).toString(16)
}

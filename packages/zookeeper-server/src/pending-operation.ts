import { extensionOpCode, opCode } from '@vivarium/zookeeper-protocol'
import type { WriteRequest } from './pipeline/prepare.ts'

/** A request that waits for its turn. A session's requests are answered in the order they came. */
export interface PendingOperation extends WriteRequest {
  readonly receivedMs: number
  /** A write or sync still out; a read that stands behind one. */
  isWaiting: boolean
  /** What it is answered with without a transaction; null until then. */
  verdict: number | null
  /** Bytes it takes among the large requests. */
  largeBytes: number
}

/** Whether it must wait until everything that was committed when it came is here. */
export function isSync(code: number): boolean {
  return code === opCode.sync || code === extensionOpCode.linearizableRead
}

/** Opcodes that become a transaction. */
export const writeOpCodes: ReadonlySet<number> = new Set([
  opCode.create,
  opCode.create2,
  opCode.createContainer,
  opCode.createTTL,
  opCode.delete,
  opCode.deleteContainer,
  opCode.setData,
  opCode.setACL,
  opCode.multi,
  opCode.reconfig,
  opCode.closeSession,
])

import type { Span } from '@vivarium/bytes'
import { extensionOpCode, opCode } from '@vivarium/zookeeper-protocol'

/** A request that waits for its turn. A session's requests are answered in the order they came. */
export interface PendingOperation {
  readonly xid: number
  readonly opCode: number
  /** The request record, without its header. */
  readonly body: Span
  readonly receivedMs: number
  /** A write or sync still out; a read that stands behind one. */
  isWaiting: boolean
  /** Set when it is answered without a transaction. */
  verdict?: number
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

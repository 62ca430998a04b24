import { ByteWriter } from '@vivarium/bytes'
import {
  type Acl,
  checkVersionRequest,
  deleteRequest,
  encode,
  errorCode,
  errorName,
  type MultiOp,
  type MultiResult,
  opCode,
  type Stat,
  setDataRequest,
  writeMultiRequest,
  ZooKeeperError,
} from '@vivarium/zookeeper-protocol'
import { type CreateOptions, creation } from './create.ts'

/** One step of a multi: all of them happen, or none. */
export type Operation =
  | {
      op: 'create'
      path: string
      data?: Buffer | string | null
      mode?: CreateOptions['mode']
      acl?: readonly Acl[]
      ttlMs?: number
    }
  | { op: 'delete'; path: string; version?: number }
  | { op: 'setData'; path: string; data: Buffer | string | null; version?: number }
  | { op: 'check'; path: string; version?: number }

/** What a step gave: the created path (with its sequence number), the new stat. */
export interface OperationResult {
  op: Operation['op']
  path: string
  stat: Stat | null
}

/** A multi that did not happen. `errors` has a code for each operation: 0 before the one that failed. */
export class MultiError extends ZooKeeperError {
  override name = 'MultiError'
  readonly errors: readonly number[]
  /** Which operation failed, from 0. */
  readonly failedIndex: number

  constructor(errors: readonly number[], operations: readonly Operation[]) {
    const index = errors.findIndex(code => code !== errorCode.OK && code !== errorCode.RUNTIMEINCONSISTENCY)
    const failedIndex = index === -1 ? errors.findIndex(code => code !== errorCode.OK) : index
    const failed = operations[failedIndex]
    super(errors[failedIndex] ?? errorCode.SYSTEMERROR, failed?.path ?? null, {
      detail: `operation ${failedIndex + 1} of ${errors.length} (${failed?.op}) failed, none was carried out: ${errors.map(errorName).join(', ')}`,
    })
    this.errors = errors
    this.failedIndex = failedIndex
  }
}

/** The body of a multi request; `full` puts the chroot before a path. */
export function multiBody(operations: readonly Operation[], full: (path: string) => string): Buffer {
  const writer = new ByteWriter(64 * operations.length + 16)
  writeMultiRequest(
    writer,
    operations.map(operation => encodeOperation(operation, full)),
  )
  return writer.written()
}

function encodeOperation(operation: Operation, full: (path: string) => string): MultiOp {
  const path = full(operation.path)
  switch (operation.op) {
    case 'create': {
      const { op, body } = creation(path, operation.data ?? null, operation)
      return { type: op, body }
    }
    case 'delete':
      return { type: opCode.delete, body: encode(deleteRequest, { path, version: operation.version ?? -1 }) }
    case 'setData': {
      const data = asBuffer(operation.data)
      return {
        type: opCode.setData,
        body: encode(setDataRequest, { path, data, version: operation.version ?? -1 }),
      }
    }
    case 'check':
      return {
        type: opCode.check,
        body: encode(checkVersionRequest, { path, version: operation.version ?? -1 }),
      }
  }
}

export function asBuffer(data: Buffer | Uint8Array | string | null): Buffer | null {
  if (data === null || Buffer.isBuffer(data)) return data
  return typeof data === 'string'
    ? Buffer.from(data)
    : Buffer.from(data.buffer, data.byteOffset, data.byteLength)
}

/** Throws MultiError if the multi was not carried out. `own` takes the chroot off a path. */
export function multiResults(
  operations: readonly Operation[],
  results: readonly MultiResult[],
  own: (path: string) => string,
): OperationResult[] {
  if (results.some(result => result.type === -1)) {
    throw new MultiError(
      results.map(result => (result.type === -1 ? result.err : errorCode.OK)),
      operations,
    )
  }
  return operations.map(({ op, path }, index) => {
    const result = results[index]
    const created = result !== undefined && 'path' in result ? own(result.path) : path
    return { op, path: created, stat: result !== undefined && 'stat' in result ? result.stat : null }
  })
}

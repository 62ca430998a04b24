import type { ByteWriter } from '@vivarium/bytes'
import {
  createResponse,
  errorCode,
  type MultiResult,
  opCode,
  type Stat,
  writeMultiResponse,
} from '@vivarium/zookeeper-protocol'
import type { Applied } from '../data-tree.ts'

/** The body of a write's reply. */
export function writeResult(out: ByteWriter, code: number, applied: Applied): void {
  switch (code) {
    case opCode.create:
      return createResponse.write(out, { path: applied.path! })
    case opCode.create2:
    case opCode.createContainer:
    case opCode.createTTL:
      createResponse.write(out, { path: applied.path! })
      return applied.node!.writeStat(out)
    case opCode.setData:
    case opCode.setACL:
      return applied.node!.writeStat(out)
    case opCode.reconfig:
      applied.node!.writeData(out)
      return applied.node!.writeStat(out)
    case opCode.multi:
      return writeMultiResponse(out, multiResults(applied.parts!))
  }
}

function multiResults(parts: readonly Applied[]): MultiResult[] {
  const failed = parts.some(part => part.err !== errorCode.OK)
  return parts.map(part => (failed ? { type: -1, err: part.err } : multiResult(part)))
}

function multiResult(part: Applied): MultiResult {
  switch (part.code) {
    case opCode.create:
      return { type: opCode.create, path: part.path! }
    case opCode.create2:
    case opCode.createContainer:
    case opCode.createTTL:
      return { type: opCode.create2, path: part.path!, stat: part.stat! }
    case opCode.delete:
      return { type: opCode.delete }
    case opCode.setData:
      return { type: opCode.setData, stat: part.stat as Stat }
    default:
      return { type: opCode.check }
  }
}

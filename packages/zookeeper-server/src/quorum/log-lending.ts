import { ByteWriter, MalformedBytesError } from '@vivarium/bytes'
import type { Address, Clock, Connection, Network } from '@vivarium/platform'
import type { Sid } from '@vivarium/zab'
import { connectToAny } from './addresses.ts'

// A member whose log is damaged asks the others for what stood there, at their election ports: they need not have a leader
// for that, nor undamaged logs themselves. Apache's servers do not know the first word, and close the connection.

const protocolLoan = -66000n
const requestBytes = 28
const timeoutMs = 5_000
/** Whoever takes longer to read them does without. */
export const lendingMs = 30_000
/** More is not mended like this. */
export const maxLentBytes = 64 * 1024 * 1024

export interface LoanRequest {
  sid: Sid
  /** The records behind this transaction are wanted, */
  before: bigint
  /** up to so many bytes of them. */
  maxBytes: number
}

export function loanRequest({ sid, before, maxBytes }: LoanRequest): Buffer {
  const writer = new ByteWriter(requestBytes)
  writer.int64(protocolLoan)
  writer.int64(sid)
  writer.int64(before)
  writer.int32(maxBytes)
  return writer.written()
}

/** The request at the start of `bytes`; null while it is incomplete, undefined if it is something else. */
export function readLoanRequest(bytes: Buffer): LoanRequest | null | undefined {
  if (bytes.length < 8) return null
  if (bytes.readBigInt64BE(0) !== protocolLoan) return undefined
  if (bytes.length < requestBytes) return null
  const maxBytes = bytes.readInt32BE(24)
  if (maxBytes <= 0 || maxBytes > maxLentBytes)
    throw new MalformedBytesError(`a request for ${maxBytes} bytes of the log`)
  return { sid: bytes.readBigInt64BE(8), before: bytes.readBigInt64BE(16), maxBytes }
}

/** Answers a request: the length of the records, then the records as they stand in a log. */
export function lend(connection: Connection, records: Buffer): void {
  const length = Buffer.alloc(4)
  length.writeInt32BE(records.length)
  connection.write(length)
  connection.write(records)
  connection.end()
}

/** A server gives no answer, as one of Apache's. */
export class CannotBorrow extends Error {}

/** Asks one server. Rejects with CannotBorrow. */
export async function borrow(
  world: { network: Network; clock: Clock },
  addresses: readonly Address[],
  request: LoanRequest,
): Promise<Buffer> {
  const { connection } = await connectToAny(world, addresses, { timeoutMs }).catch(error => {
    throw new CannotBorrow((error as Error).message)
  })
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let received = 0
    let length: number | null = null
    const timer = world.clock.after(timeoutMs, () => fail(`no answer within ${timeoutMs} ms`))
    const end = () => {
      timer.cancel()
      connection.destroy()
    }
    const fail = (reason: string) => {
      end()
      reject(new CannotBorrow(reason))
    }
    connection.onClose = () => fail('it closed the connection')
    connection.onData = chunk => {
      chunks.push(chunk)
      received += chunk.length
      if (length === null && received >= 4) length = Buffer.concat(chunks).readInt32BE(0)
      if (length === null) return
      if (length < 0 || length > request.maxBytes) return fail(`it announced ${length} bytes`)
      if (received < 4 + length) return
      end()
      resolve(Buffer.concat(chunks).subarray(4, 4 + length))
    }
    connection.write(loanRequest(request))
  })
}

import { ByteReader, ByteWriter, MalformedBytesError } from '@vivarium/bytes'
import { type Address, formatAddress, isWildcard } from '@vivarium/platform'
import { type Notification, type PeerState, peerState, type Sid, type Vote } from '@vivarium/zab'

const protocolV1 = -65536n
const protocolV2 = -65535n
const maxAddressBytes = 2048
/** An observer that does not say who it is. */
export const anonymousObserver = 2n ** 63n - 1n

/** A server that claims more of them than this is not listened to. */
const maxAddresses = 32

/** The first words of whoever opens an election connection. Source: QuorumCnxManager.InitialMessage. */
export function initialMessage(sid: Sid, addresses: readonly Address[]): Buffer {
  const text = Buffer.from(addresses.map(formatAddress).join('|'))
  const writer = new ByteWriter(32 + text.length)
  writer.int64(addresses.length > 1 ? protocolV2 : protocolV1)
  writer.int64(sid)
  writer.int32(text.length)
  writer.bytes(text)
  return writer.written()
}

/**
 * The sid at the start of `bytes`, the addresses its server told that others can reach, and where the message ends; null
 * while it is incomplete.
 */
export function readInitialMessage(bytes: Buffer): { sid: Sid; addresses: Address[]; end: number } | null {
  if (bytes.length < 8) return null
  const protocol = bytes.readBigInt64BE(0)
  // Before 3.5 a server sent its bare number.
  if (protocol >= 0n) return { sid: protocol, addresses: [], end: 8 }
  if (protocol !== protocolV1 && protocol !== protocolV2)
    throw new MalformedBytesError(`Got unrecognized protocol version ${protocol}`)
  if (bytes.length < 20) return null
  const length = bytes.readInt32BE(16)
  if (length <= 0 || length > maxAddressBytes)
    throw new MalformedBytesError(`an election address of ${length} bytes`)
  const end = 20 + length
  if (bytes.length < end) return null
  return { sid: bytes.readBigInt64BE(8), addresses: reachable(bytes.toString('utf8', 20, end)), end }
}

/** Of `host:port|host:port`, those that others can reach. */
function reachable(text: string): Address[] {
  return text
    .split('|', maxAddresses)
    .map(part => /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(part) ?? [])
    .map(([, bracketed, plain, port]) => ({ host: bracketed ?? plain ?? '0.0.0.0', port: Number(port) }))
    .filter(({ host, port }) => !isWildcard(host) && port < 65536)
}

/** A framed notification of version 2. */
export function encodeNotification(vote: Vote, state: PeerState, configText: string): Buffer {
  const config = Buffer.from(configText)
  const writer = new ByteWriter(48 + config.length)
  writer.int32(44 + config.length)
  writer.int32(state)
  writer.int64(vote.leader)
  writer.int64(vote.zxid)
  writer.int64(vote.round)
  writer.int64(vote.peerEpoch)
  writer.int32(2)
  writer.int32(config.length)
  writer.bytes(config)
  return writer.written()
}

/** The members as the sender knows them; null from servers before 3.5. Throws MalformedBytesError. */
export function configTextIn(frame: Buffer): string | null {
  if (frame.length < 44 || frame.readInt32BE(36) < 2) return null
  const length = frame.readInt32BE(40)
  if (length < 0 || length > frame.length - 44)
    throw new MalformedBytesError(`a configuration of ${length} bytes in a message of ${frame.length}`)
  return frame.toString('utf8', 44, 44 + length)
}

/** Throws MalformedBytesError for what no version of ZooKeeper sends. */
export function decodeNotification(sender: Sid, frame: Buffer): Notification {
  if (frame.length < 28)
    throw new MalformedBytesError(`a notification of ${frame.length} bytes from ${sender}`)
  const reader = new ByteReader(frame)
  const state = reader.int32()
  if (!Object.values(peerState).includes(state as PeerState))
    throw new MalformedBytesError(`a notification of state ${state} from ${sender}`)
  const leader = reader.int64()
  const zxid = reader.int64()
  const round = reader.int64()
  // The oldest form lacks the epoch; one of 40 bytes has a version field that its servers left without meaning.
  const peerEpoch = frame.length >= 36 ? reader.int64() : zxid >> 32n
  const version = frame.length > 40 ? reader.int32() : 0
  return { sender, state: state as PeerState, leader, zxid, round, peerEpoch, version }
}

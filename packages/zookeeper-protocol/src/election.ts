import { ByteReader, ByteWriter, MalformedBytesError } from '@vivarium/bytes'
import { epochOf } from './zxid.ts'

// What servers say to each other on the election port. Hand-coded in Apache (QuorumCnxManager, FastLeaderElection).

/** First word of an initial message: with one address, or with several joined by `|`. */
export const electionProtocol = { oneAddress: -65536n, severalAddresses: -65535n } as const

/** An observer that has no id of its own. */
export const anonymousObserverSid = 0x7fff_ffff_ffff_ffffn

export const maxInitialAddressBytes = 2048
export const maxElectionMessageBytes = 512 * 1024

/** What a server is doing, as it says in a notification. */
export const serverState = { LOOKING: 0, FOLLOWING: 1, LEADING: 2, OBSERVING: 3 } as const

/** Says who opened an election connection and where it can be called back. */
export interface InitialMessage {
  sid: bigint
  /** `host:port`; IPv6 hosts in brackets. Empty from a server older than 3.5. */
  addresses: string[]
}

/** The bytes as they are sent, with no frame around them. */
export function encodeInitialMessage({ sid, addresses }: InitialMessage): Buffer {
  const text = addresses.join('|')
  const writer = new ByteWriter(20 + text.length)
  writer.int64(addresses.length > 1 ? electionProtocol.severalAddresses : electionProtocol.oneAddress)
  writer.int64(sid)
  writer.int32(Buffer.byteLength(text))
  writer.utf8(text)
  return writer.written()
}

/**
 * Reads an initial message from the start of what has arrived. Null: more bytes are needed. `sizeBytes` is how many
 * belong to it. Throws MalformedBytesError for what can be none.
 */
export function readInitialMessage(arrived: Buffer): { message: InitialMessage; sizeBytes: number } | null {
  if (arrived.length < 8) return null
  const reader = new ByteReader(arrived)
  const version = reader.int64()
  if (version >= 0n) return { message: { sid: version, addresses: [] }, sizeBytes: 8 }
  if (version !== electionProtocol.oneAddress && version !== electionProtocol.severalAddresses) {
    throw new MalformedBytesError(`no election protocol has version ${version}`)
  }
  if (arrived.length < 20) return null
  const sid = reader.int64()
  const length = reader.int32()
  if (length < 1 || length > maxInitialAddressBytes) {
    throw new MalformedBytesError(`address of ${length} bytes is outside 1..${maxInitialAddressBytes}`)
  }
  if (reader.remaining < length) return null
  return { message: { sid, addresses: reader.utf8(length).split('|') }, sizeBytes: 20 + length }
}

/** A vote, and the round and state of whoever casts it. */
export interface ElectionNotification {
  /** One of `serverState`. */
  state: number
  leader: bigint
  zxid: bigint
  electionEpoch: bigint
  peerEpoch: bigint
  /** 2; 1 from servers without configurations, 0 from those before versions. */
  version: number
  /** The text of /zookeeper/config, with its version line; null if the version has none. */
  config: string | null
}

/** The content of a frame on the election port, in version 2 of the format. */
export function encodeElectionNotification(notification: ElectionNotification): Buffer {
  const config = notification.config ?? ''
  const writer = new ByteWriter(44 + config.length)
  writer.int32(notification.state)
  writer.int64(notification.leader)
  writer.int64(notification.zxid)
  writer.int64(notification.electionEpoch)
  writer.int64(notification.peerEpoch)
  writer.int32(2)
  writer.int32(Buffer.byteLength(config))
  writer.utf8(config)
  return writer.written()
}

/** Reads every format since 3.4; throws MalformedBytesError for what is none of them. */
export function decodeElectionNotification(frame: Buffer): ElectionNotification {
  const reader = new ByteReader(frame)
  const state = reader.int32()
  const leader = reader.int64()
  const zxid = reader.int64()
  const electionEpoch = reader.int64()
  const peerEpoch = reader.remaining >= 8 ? reader.int64() : epochOf(zxid)
  const version = reader.remaining >= 4 ? reader.int32() : 0
  let config: string | null = null
  if (version >= 2) {
    const length = reader.int32()
    config = reader.utf8(length, 'configuration')
  }
  return { state, leader, zxid, electionEpoch, peerEpoch, version, config }
}

import { ConfigError, formatAddress, isWildcard, parseProperties } from '@vivarium/platform'
import { errorCode, type ReconfigRequest } from '@vivarium/zookeeper-protocol'
import { Refusal } from '../refusal.ts'
import {
  type Configuration,
  electionAddresses,
  hasSeveralAddresses,
  isMemberKey,
  type Peer,
  parsePeer,
  quorumAddresses,
  readConfiguration,
  votersOf,
} from './configuration.ts'

/**
 * The configuration a client asks for, as of transaction `zxid`: the whole of it, or changes to `current`. Throws Refusal.
 * Source: the reconfig case of PrepRequestProcessor.
 */
export function reconfigured(
  current: Configuration,
  request: ReconfigRequest,
  zxid: bigint,
  { fewestVoters, mayHaveSeveralAddresses }: { fewestVoters: number; mayHaveSeveralAddresses: boolean },
): Configuration {
  if (request.curConfigId !== -1n && request.curConfigId !== current.version)
    throw new Refusal(errorCode.BADVERSION)
  const next = members(current, request, zxid)
  if (votersOf(next).length < fewestVoters) throw new Refusal(errorCode.BADARGUMENTS)
  if (hasSeveralAddresses(next) && !mayHaveSeveralAddresses)
    throw new Refusal(errorCode.BADARGUMENTS, 'multiAddress.enabled is off')
  return next
}

function members(current: Configuration, request: ReconfigRequest, zxid: bigint): Configuration {
  const { joiningServers, leavingServers, newMembers } = request
  try {
    if (newMembers !== null) {
      const properties = parseProperties(newMembers.replaceAll(',', '\n'), 'newMembers')
      for (const key of properties.keys())
        if (!isMemberKey(key) && key !== 'version') throw new Refusal(errorCode.BADARGUMENTS)
      return distinct(readConfiguration(properties, zxid, 'newMembers'))
    }
    if (current.groups.size > 0) throw new Refusal(errorCode.BADARGUMENTS)
    const peers = new Map(current.peers.map(peer => [peer.sid, peer]))
    for (const sid of listed(leavingServers)) peers.delete(numberOf(sid))
    for (const line of listed(joiningServers)) {
      const joiner = parseJoiner(line)
      peers.delete(joiner.sid)
      peers.set(joiner.sid, joiner)
    }
    return distinct({ ...current, version: zxid, peers: [...peers.values()] })
  } catch (error) {
    if (error instanceof ConfigError) throw new Refusal(errorCode.BADARGUMENTS, error.message)
    throw error
  }
}

function listed(text: string | null): string[] {
  return text === null || text === '' ? [] : text.split(',').map(part => part.trim())
}

function numberOf(text: string): bigint {
  if (!/^\d{1,18}$/.test(text)) throw new Refusal(errorCode.BADARGUMENTS)
  return BigInt(text)
}

/** Who joins says where clients find it. */
function parseJoiner(line: string): Peer {
  const [key = '', value, ...rest] = line.split('=').map(part => part.trim())
  if (value === undefined || rest.length > 0) throw new Refusal(errorCode.BADARGUMENTS)
  const peer = parsePeer(key, { value, where: 'joiningServers' })
  if (peer.client === null) throw new Refusal(errorCode.BADARGUMENTS)
  return peer
}

/** Throws Refusal if two servers would be at one address. */
function distinct(configuration: Configuration): Configuration {
  const taken = new Map<string, bigint>()
  for (const peer of configuration.peers) {
    for (const address of addressesOf(peer)) {
      const other = taken.get(address) ?? peer.sid
      if (other !== peer.sid)
        throw new Refusal(errorCode.BADARGUMENTS, `servers ${other} and ${peer.sid} are both at ${address}`)
      taken.set(address, peer.sid)
    }
  }
  return configuration
}

/** A client address that stands for all of a machine's is no place: other servers may have the same. */
function addressesOf(peer: Peer): string[] {
  const own = [...quorumAddresses(peer), ...electionAddresses(peer)]
  const { client } = peer
  return (client === null || isWildcard(client.host) ? own : [...own, client]).map(formatAddress)
}

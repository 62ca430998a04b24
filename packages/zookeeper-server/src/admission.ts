import type { Log } from '@vivarium/platform'
import { type ConnectRequest, formatZxid } from '@vivarium/zookeeper-protocol'
import type { ServerSettings } from './settings.ts'

/** Whether a client has seen more than this server holds. It must look for another: here time would go back for it. */
export function hasSeenMore(
  { sessionId, lastZxidSeen }: ConnectRequest,
  lastProcessedZxid: bigint,
  remoteText: string,
  log: Log,
): boolean {
  if (lastZxidSeen <= lastProcessedZxid) return false
  log.info(
    `Refusing session(0x${formatZxid(sessionId)}) request for client ${remoteText} as it has seen zxid ` +
      `0x${formatZxid(lastZxidSeen)} our last zxid is 0x${formatZxid(lastProcessedZxid)} client must try another server`,
  )
  return true
}

/** The session timeout a client gets for the one it asks for. */
export function grantedTimeoutMs(askedMs: number, settings: ServerSettings): number {
  return Math.min(Math.max(askedMs, settings.minSessionTimeoutMs), settings.maxSessionTimeoutMs)
}

/** A client that comes without a session, or without what proves that it has one. */
export function asksForNewSession({ sessionId, passwd }: ConnectRequest): boolean {
  return sessionId === 0n || passwd === null || passwd.length === 0
}

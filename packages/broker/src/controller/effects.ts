/**
 * What a decision may ask of the world, and how it is answered.
 *
 * The controller's decisions are generators: they yield effects and are resumed with the answers, one decision at a time.
 * They read no clock, socket or file themselves, so a test or a simulator can carry them out as well as the host. Should
 * the controller's epoch have moved, the host drops the decision where it stands and resigns.
 */
import type { LeaderAndIsrRequest, StopReplicaRequest, UpdateMetadataRequest } from '@vivarium/kafka-protocol'

export type Effect =
  /** Reads znodes. Answer: `(Znode | null)[]`, null where there is none. With `watch`, a change becomes an event. */
  | { kind: 'read'; paths: readonly string[]; watch: boolean }
  /** Lists children. Answer: `string[] | null`. */
  | { kind: 'children'; path: string; watch: boolean }
  /** Carries out writes in this order, each on its own, each only while the controller's epoch stands. Answer: WriteResult[]. */
  | { kind: 'write'; writes: readonly Write[] }
  /** Puts requests into the queues of their brokers. No answer. */
  | { kind: 'send'; requests: readonly ControlRequest[] }

export interface Znode {
  data: Buffer | null
  version: number
  /** Transaction that created it. */
  czxid: bigint
}

/** One change; those of an `all` happen together or not at all. */
export type Write = SingleWrite | { op: 'all'; path: string; writes: readonly SingleWrite[] }
export type SingleWrite =
  | { op: 'create'; path: string; data: string | null }
  | { op: 'set'; path: string; data: string; version: number }
  | { op: 'delete'; path: string; version: number }

/** `code` is ZooKeeper's; `version` the znode's new one. */
export interface WriteResult {
  code: number
  version: number
}

/** A request for a broker; what all have in common (controller, epochs) the host puts in. */
export type ControlRequest =
  | {
      api: 'LeaderAndIsr'
      broker: number
      body: Pick<LeaderAndIsrRequest, 'topicStates' | 'liveLeaders'>
    }
  | {
      api: 'UpdateMetadata'
      broker: number
      body: Pick<UpdateMetadataRequest, 'topicStates' | 'liveBrokers'>
    }
  | {
      api: 'StopReplica'
      broker: number
      body: Pick<StopReplicaRequest, 'topicStates'>
    }

// biome-ignore lint/suspicious/noExplicitAny: the answer's type depends on the effect; the functions below restore it.
export type Deciding<T> = Generator<Effect, T, any>

export function* read(paths: readonly string[], watch = false): Deciding<(Znode | null)[]> {
  if (paths.length === 0) return []
  return (yield { kind: 'read', paths, watch }) as (Znode | null)[]
}

export function* children(path: string, watch = false): Deciding<string[]> {
  return ((yield { kind: 'children', path, watch }) as string[] | null) ?? []
}

export function* write(writes: readonly Write[]): Deciding<WriteResult[]> {
  if (writes.length === 0) return []
  return (yield { kind: 'write', writes }) as WriteResult[]
}

export function* send(requests: readonly ControlRequest[]): Deciding<void> {
  if (requests.length > 0) yield { kind: 'send', requests }
}

/** The codes of ZooKeeper a decision tells apart. */
export const znodeCode = { OK: 0, NONODE: -101, BADVERSION: -103, NODEEXISTS: -110 } as const

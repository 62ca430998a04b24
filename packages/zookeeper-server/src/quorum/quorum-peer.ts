import type { ServerWorld } from '../server.ts'
import type { ServerSettings } from '../settings.ts'
import type { ServerStats } from '../stats.ts'
import type { Replica } from './replica.ts'

export class QuorumPeer {
  constructor(_w: ServerWorld, _s: ServerSettings, _r: Replica, _st: ServerStats, _f: (e: Error) => void) {}
  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  get stateText(): string {
    return ''
  }
  get configText(): string {
    return ''
  }
  get proposalSizes(): { last: number; min: number; max: number } {
    return { last: -1, min: -1, max: -1 }
  }
  monitor(): [string, string | number][] {
    return []
  }
}

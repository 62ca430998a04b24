import type { ClientConnection } from '../connection.ts'
import type { Summary } from '../stats.ts'
import type { Watches } from '../watches.ts'

/** What operators may see of a server. */
export interface AdminView {
  isServing(): boolean
  environment(): [string, string][]
  summary(): {
    latency: Summary
    received: number
    sent: number
    connections: number
    outstanding: number
    zxid: bigint
    mode: string
    nodeCount: number
    proposalSizes: { last: number; min: number; max: number }
  }
  /** Keys of `mntr` without `zk_`, in order. */
  monitor(): [string, string | number][]
  configuration(): Promise<[string, string | number][]>
  /** The server lines behind `conf`, or nothing for a server alone. */
  membership(): string
  connections(): ClientConnection[]
  watches(): Watches
  sessions(): {
    /** Ids by the moment they expire (text); null on learners, which do not decide. */
    expiring: Map<string, bigint[]> | null
    sessions: ReadonlyMap<bigint, number>
    ephemerals: ReadonlyMap<bigint, ReadonlySet<string>>
    connections: ClientConnection[]
  }
  dataSizes(): Promise<{ data: number; log: number }>
  resetStats(): void
}

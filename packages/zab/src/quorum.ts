/** A server's number in the ensemble (`myid`). */
export type Sid = bigint

/** Decides which sets of voters may speak for the ensemble: any two of them share a server. */
export interface QuorumRule {
  readonly voters: ReadonlySet<Sid>
  /** Whether these servers are enough. Servers that do not vote do not count. */
  isQuorum(servers: Iterable<Sid>): boolean
  /** A server of weight 0 can vote for others but never lead. */
  weightOf(sid: Sid): number
}

/** More than half of the voters. */
export function majority(voters: Iterable<Sid>): QuorumRule {
  const all = new Set(voters)
  const needed = Math.floor(all.size / 2) + 1
  return {
    voters: all,
    isQuorum: servers => {
      let count = 0
      for (const sid of servers) if (all.has(sid)) count++
      return count >= needed
    },
    weightOf: sid => (all.has(sid) ? 1 : 0),
  }
}

/** More than half of the groups, in each of which more than half of the weight. Groups of weight 0 do not count. */
export function hierarchical(groups: Iterable<Iterable<Sid>>, weights: ReadonlyMap<Sid, number>): QuorumRule {
  const members = [...groups].map(group => [...group])
  const voters = new Set(members.flat())
  const weightOf = (sid: Sid) => (voters.has(sid) ? (weights.get(sid) ?? 1) : 0)
  const totals = members.map(group => group.reduce((sum, sid) => sum + weightOf(sid), 0))
  const counting = totals.filter(total => total > 0).length
  return {
    voters,
    weightOf,
    isQuorum: servers => {
      const present = new Set(servers)
      let won = 0
      for (const [index, group] of members.entries()) {
        const weight = group.reduce((sum, sid) => sum + (present.has(sid) ? weightOf(sid) : 0), 0)
        if (weight > totals[index]! / 2) won++
      }
      return won > counting / 2
    },
  }
}

/**
 * While one configuration gives way to the next, only what a quorum of each agrees on counts: neither can go on behind the
 * other's back.
 */
export function joint(current: QuorumRule, next: QuorumRule): QuorumRule {
  return {
    voters: current.voters.union(next.voters),
    isQuorum: servers => {
      const present = [...servers]
      return current.isQuorum(present) && next.isQuorum(present)
    },
    weightOf: sid => Math.max(current.weightOf(sid), next.weightOf(sid)),
  }
}

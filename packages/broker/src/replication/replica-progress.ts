/** How far a follower is, as its leader sees it. */
export interface FollowerProgress {
  logEndOffset: number
  logStartOffset: number
  /** When it last had everything. */
  caughtUpMs: number
  /** When it last asked, and where the leader's log ended then. */
  lastFetchMs: number
  endAtLastFetch: number
}

/** Source: Replica.updateFetchStateOrThrow: a follower is as fresh as the leader's end it has reached. */
export function noteFetch(
  progress: FollowerProgress,
  fetchOffset: number,
  logStartOffset: number,
  leaderEnd: number,
  nowMs: number,
): void {
  if (fetchOffset >= leaderEnd) progress.caughtUpMs = Math.max(progress.caughtUpMs, nowMs)
  else if (fetchOffset >= progress.endAtLastFetch)
    progress.caughtUpMs = Math.max(progress.caughtUpMs, progress.lastFetchMs)
  progress.logEndOffset = fetchOffset
  progress.logStartOffset = logStartOffset
  progress.endAtLastFetch = leaderEnd
  progress.lastFetchMs = nowMs
}

/**
 * The high watermark of a leader: what every replica holds that must hold it. Those are the in-sync replicas (the proposed
 * ones included while a change is under way) and followers that keep up and could join them: living ones alone, since a
 * dead one would be waited for in vain. Never lower than before; null when it stays.
 */
export function highWatermarkAfter(options: {
  current: number
  leaderEnd: number
  followers: ReadonlyMap<number, FollowerProgress>
  maximalIsr: ReadonlySet<number>
  committedIsrSize: number
  minIsr: number
  nowMs: number
  lagLimitMs: number
  isAlive: (broker: number) => boolean
}): number | null {
  const { current, leaderEnd, followers, maximalIsr, committedIsrSize, minIsr, nowMs, lagLimitMs } = options
  // KIP-966: below min.insync.replicas nothing more is promised to consumers.
  if (committedIsrSize < minIsr) return null
  let candidate = leaderEnd
  for (const [id, progress] of followers) {
    const mustHold = maximalIsr.has(id) || (nowMs - progress.caughtUpMs <= lagLimitMs && options.isAlive(id))
    if (mustHold && progress.logEndOffset < candidate) candidate = progress.logEndOffset
  }
  return candidate > current ? candidate : null
}

/** In-sync followers that have fallen behind for too long. */
export function laggards(
  isr: readonly number[],
  followers: ReadonlyMap<number, FollowerProgress>,
  leaderEnd: number,
  nowMs: number,
  lagLimitMs: number,
): number[] {
  return isr.filter(id => {
    const progress = followers.get(id)
    return (
      progress !== undefined &&
      progress.logEndOffset !== leaderEnd &&
      nowMs - progress.caughtUpMs > lagLimitMs
    )
  })
}

/** Where limits and usage of `/a/b` stand: below `/zookeeper/quota/a/b`. */
export const quotaRoot = '/zookeeper/quota'
const limitsName = '/zookeeper_limits'
const statsName = '/zookeeper_stats'

/** Limits, or usage: znodes of a subtree, its top included, and bytes of their data. −1: not limited. */
export interface Quota {
  count: number
  bytes: number
  countHardLimit: number
  byteHardLimit: number
}

/** Reads `count=N,bytes=M` or `count=N,bytes=M=;byteHardLimit=X;countHardLimit=Y`. Source: StatsTrack. */
export function parseQuota(data: Uint8Array | null): Quota {
  const quota: Quota = { count: -1, bytes: -1, countHardLimit: -1, byteHardLimit: -1 }
  const text = data === null ? '' : Buffer.from(data).toString('latin1')
  for (const part of text.split(/[,;]/)) {
    const [key = '', value = ''] = part.trim().split('=')
    if (key in quota && /^-?\d{1,15}$/.test(value)) quota[key as keyof Quota] = Number(value)
  }
  return quota
}

export function usageText({ count, bytes }: { count: number; bytes: number }): Buffer {
  return Buffer.from(`count=${count},bytes=${bytes}`)
}

export function limitsOf(path: string): string {
  return quotaRoot + path + limitsName
}

export function statsOf(path: string): string {
  return quotaRoot + path + statsName
}

/** The path whose limits (or usage) a znode holds; null if it is no such znode. */
export function limitedPath(znode: string): string | null {
  return inner(znode, limitsName)
}

export function measuredPath(znode: string): string | null {
  return inner(znode, statsName)
}

function inner(znode: string, name: string): string | null {
  if (!znode.startsWith(quotaRoot) || !znode.endsWith(name)) return null
  const path = znode.slice(quotaRoot.length, -name.length)
  return path.startsWith('/') ? path : null
}

/** The paths that have limits. */
export class LimitedPaths {
  readonly #paths = new Set<string>()

  add(path: string): void {
    this.#paths.add(path)
  }

  delete(path: string): void {
    this.#paths.delete(path)
  }

  clear(): void {
    this.#paths.clear()
  }

  /** The innermost limited path that `path` is or lies below; null if there is none. */
  covering(path: string): string | null {
    if (this.#paths.size === 0) return null
    for (let at = path; at.length > 1; at = at.slice(0, at.lastIndexOf('/')))
      if (this.#paths.has(at)) return at
    return null
  }
}

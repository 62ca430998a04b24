import { errorCode, type ZooKeeper, ZooKeeperError } from '@vivarium/zookeeper-client'
import type { ShellCommand } from './command.ts'
import { ShellError, UsageError } from './errors.ts'
import { numberOf } from './options.ts'

const root = '/zookeeper/quota'
const limitsOf = (path: string) => `${root}${path}/zookeeper_limits`
const statsOf = (path: string) => `${root}${path}/zookeeper_stats`

/** What may be below a znode; −1 is no limit. */
interface Quota {
  count: number
  bytes: number
  byteHardLimit: number
  countHardLimit: number
}

const keyOf = { n: 'count', b: 'bytes', N: 'countHardLimit', B: 'byteHardLimit' } as const

/** The `=` behind the bytes lets servers before 3.7 read the first part. Source: StatsTrack. */
function quotaText(quota: Quota): string {
  return `count=${quota.count},bytes=${quota.bytes}=;byteHardLimit=${quota.byteHardLimit};countHardLimit=${quota.countHardLimit}`
}

function parseQuota(text: string): Quota {
  const quota: Quota = { count: -1, bytes: -1, byteHardLimit: -1, countHardLimit: -1 }
  for (const part of text.split(/[,;]/)) {
    const [key, value] = part.split('=')
    if (key !== undefined && key in quota) quota[key as keyof Quota] = Number(value)
  }
  return quota
}

async function readOrNull(zk: ZooKeeper, path: string): Promise<string | null> {
  try {
    return (await zk.getData(path)).data?.toString() ?? ''
  } catch (error) {
    if (error instanceof ZooKeeperError && error.code === errorCode.NONODE) return null
    throw error
  }
}

const setQuota: ShellCommand = {
  name: 'setquota',
  usage: '-n|-b|-N|-B val path',
  about: 'limit the znodes (-n soft, -N hard) or bytes (-b, -B) below a path',
  values: ['n', 'b', 'N', 'B'],
  minWords: 1,
  takesPath: true,
  async run({ values, words }, { zk }) {
    const path = words[0]!
    if (values.size === 0) {
      throw new UsageError(
        'Missing required option: [-n num soft quota, -b bytes soft quota, -N num hard quota, -B bytes hard quota]',
      )
    }
    if (path.startsWith('/zookeeper')) throw new ShellError('cannot set a quota under the path: /zookeeper')
    if ((await zk.exists(path)) === null) throw new ShellError(`${path} does not exist.`)
    await refuseNesting(zk, path)
    const before = await readOrNull(zk, limitsOf(path))
    const quota = parseQuota(before ?? '')
    for (const [option, value] of values)
      quota[keyOf[option as keyof typeof keyOf]] = numberOf(value, `-${option}`)
    if (before !== null) {
      await zk.setData(limitsOf(path), quotaText(quota))
      return
    }
    await zk.createRecursive(limitsOf(path), quotaText(quota))
    await zk.createRecursive(statsOf(path), 'count=0,bytes=0')
  },
}

/** Quotas do not nest: neither above nor below may there be another. */
async function refuseNesting(zk: ZooKeeper, path: string): Promise<void> {
  for (let at = path.slice(0, path.lastIndexOf('/')); at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
    if ((await zk.exists(limitsOf(at))) !== null)
      throw new ShellError(`${path} has a parent ${at} which has a quota`)
  }
  const pending = [path]
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    if ((await zk.exists(root + at)) === null) continue
    for (const child of (await zk.getChildren(root + at)).children) {
      if (!child.startsWith('zookeeper_')) pending.push(`${at}/${child}`)
      else if (at !== path) throw new ShellError(`${path} has a child ${at} which has a quota`)
    }
  }
}

const listQuota: ShellCommand = {
  name: 'listquota',
  usage: 'path',
  about: 'print the limits of a path and what it holds',
  minWords: 1,
  takesPath: true,
  async run({ words }, { zk, print, say }) {
    const path = words[0]!
    say(`absolute path is ${limitsOf(path)}`)
    const limits = await readOrNull(zk, limitsOf(path))
    if (limits === null) throw new ShellError(`quota for ${path} does not exist.`)
    print(`Output quota for ${path} ${quotaText(parseQuota(limits))}`)
    print(`Output stat for ${path} ${await readOrNull(zk, statsOf(path))}`)
  },
}

const delQuota: ShellCommand = {
  name: 'delquota',
  usage: '[-n|-b|-N|-B] path',
  about: 'end the limits of a path, or one of them',
  switches: ['n', 'b', 'N', 'B'],
  minWords: 1,
  takesPath: true,
  async run({ switches, words }, { zk, print }) {
    const path = words[0]!
    const limits = await readOrNull(zk, limitsOf(path))
    if (limits === null) {
      print(`Quota does not exist for ${path}`)
      return
    }
    if (switches.size > 0) {
      const quota = parseQuota(limits)
      for (const option of switches) quota[keyOf[option as keyof typeof keyOf]] = -1
      await zk.setData(limitsOf(path), quotaText(quota))
      return
    }
    await zk.delete(statsOf(path)).catch(ignoreMissing)
    await zk.delete(limitsOf(path))
    await trim(zk, path)
  },
}

/** Removes the folders above that hold no other quota. */
async function trim(zk: ZooKeeper, path: string): Promise<void> {
  for (let at = path; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
    if ((await zk.getChildren(root + at)).children.length > 0) return
    await zk.delete(root + at)
  }
}

function ignoreMissing(error: unknown): void {
  if (!(error instanceof ZooKeeperError) || error.code !== errorCode.NONODE) throw error
}

export const quotaCommands: readonly ShellCommand[] = [setQuota, listQuota, delQuota]

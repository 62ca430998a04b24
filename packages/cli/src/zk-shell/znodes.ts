import { errorCode, type ZooKeeper, ZooKeeperError } from '@vivarium/zookeeper-client'
import type { ShellCommand } from './command.ts'
import { ShellError, UsageError } from './errors.ts'
import { hexDump, listText, parseAcl, statLines } from './format.ts'
import { numberOf, versionOf } from './options.ts'

/** Requests under way at once when a whole subtree is visited. */
const batchSize = 1000

const create: ShellCommand = {
  name: 'create',
  usage: '[-s] [-e] [-c] [-t ttl] path [data] [acl]',
  about: 'make a znode (-s sequential, -e ephemeral, -c container, -t removed after so many ms of disuse)',
  switches: ['s', 'e', 'c'],
  values: ['t'],
  minWords: 1,
  takesPath: true,
  async run({ switches, values, words }, { zk, say }) {
    const [path, data, acl] = words
    const [isSequential, isEphemeral, isContainer] = [switches.has('s'), switches.has('e'), switches.has('c')]
    const ttl = values.get('t')
    if (isContainer && (isSequential || isEphemeral)) {
      throw new ShellError(
        '-c cannot be combined with -s or -e. Containers cannot be ephemeral or sequential.',
      )
    }
    if (ttl !== undefined && isEphemeral) throw new ShellError('TTLs cannot be used with Ephemeral znodes')
    if (ttl !== undefined && isContainer) throw new ShellError('TTLs cannot be used with Container znodes')
    const lifetime = isEphemeral ? 'ephemeral' : 'persistent'
    const created = await zk.create(path!, data ?? null, {
      mode: isContainer ? 'container' : isSequential ? `${lifetime}-sequential` : lifetime,
      ttlMs: ttl === undefined ? undefined : numberOf(ttl, '-t'),
      acl: acl === undefined ? undefined : aclOf(acl),
    })
    say(`Created ${created.path}`)
  },
}

export function aclOf(text: string) {
  try {
    return parseAcl(text)
  } catch (error) {
    throw new ShellError((error as Error).message)
  }
}

const get: ShellCommand = {
  name: 'get',
  usage: '[-s] [-w] [-b] [-x] path',
  about: 'print the data (-s with stat, -w watch, -b in base64, -x in hexadecimal)',
  switches: ['s', 'w', 'b', 'x'],
  minWords: 1,
  takesPath: true,
  async run({ switches, words }, { zk, print, watcher }) {
    const { data, stat } = await zk.getData(words[0]!, { watch: switches.has('w') ? watcher : undefined })
    if (data === null) print('null')
    else if (switches.has('x')) print(hexDump(data))
    else print(data.toString(switches.has('b') ? 'base64' : 'utf8'))
    if (switches.has('s')) print(statLines(stat))
  },
}

const set: ShellCommand = {
  name: 'set',
  usage: 'path data [-s] [-v version] [-b]',
  about: 'replace the data (-v only this version, -b given in base64, -s print the stat)',
  switches: ['s', 'b'],
  values: ['v'],
  minWords: 2,
  takesPath: true,
  async run(args, { zk, print }) {
    const [path, text] = args.words
    const data = Buffer.from(text!, args.switches.has('b') ? 'base64' : 'utf8')
    const stat = await zk.setData(path!, data, versionOf(args))
    if (args.switches.has('s')) print(statLines(stat))
  },
}

const ls: ShellCommand = {
  name: 'ls',
  usage: '[-s] [-w] [-R] path',
  about: 'print the names of the children (-R all paths below, -s with stat, -w watch)',
  switches: ['s', 'w', 'R'],
  minWords: 1,
  takesPath: true,
  async run({ switches, words }, { zk, print, watcher }) {
    const path = words[0]!
    if (switches.has('R')) {
      const paths = await subtree(zk, path)
      // A slash sorts before everything, so that what is below a znode follows it at once.
      const key = (at: string) => at.replaceAll('/', '\0')
      print(paths.sort((a, b) => (key(a) < key(b) ? -1 : 1)).join('\n'))
      return
    }
    const { children, stat } = await zk.getChildren(path, { watch: switches.has('w') ? watcher : undefined })
    print(listText(children.sort()))
    if (switches.has('s')) print(statLines(stat))
  },
}

const stat: ShellCommand = {
  name: 'stat',
  usage: '[-w] path',
  about: 'print the stat (-w watch)',
  switches: ['w'],
  minWords: 1,
  takesPath: true,
  async run({ switches, words }, { zk, print, watcher }) {
    const path = words[0]!
    const found = await zk.exists(path, { watch: switches.has('w') ? watcher : undefined })
    if (found === null) throw new ZooKeeperError(errorCode.NONODE, path)
    print(statLines(found))
  },
}

const remove: ShellCommand = {
  name: 'delete',
  usage: '[-v version] path',
  about: 'remove a znode without children (-v only this version)',
  values: ['v'],
  minWords: 1,
  takesPath: true,
  run: (args, { zk }) => zk.delete(args.words[0]!, versionOf(args)),
}

const removeAll: ShellCommand = {
  name: 'deleteall',
  usage: 'path [-b batch size]',
  about: 'remove a znode and all below it (-b so many at once)',
  values: ['b'],
  minWords: 1,
  takesPath: true,
  async run({ values, words }, { zk }) {
    const atOnce = numberOf(values.get('b') ?? String(batchSize), '-b')
    if (atOnce < 1) throw new UsageError('-b takes a number from 1')
    // Parents come before their children in the list; they are removed after them.
    const paths = (await subtree(zk, words[0]!)).reverse()
    let failedCount = 0
    for (let at = 0; at < paths.length; at += atOnce) {
      const outcomes = await Promise.allSettled(paths.slice(at, at + atOnce).map(path => zk.delete(path)))
      failedCount += outcomes.filter(o => o.status === 'rejected' && !isMissing(o.reason)).length
    }
    if (failedCount > 0) throw new ShellError('Failed to delete some node(s) in the subtree!')
  },
}

/** The path and all below it, parents before children. What vanishes meanwhile is left out; a missing root is an error. */
export async function subtree(zk: ZooKeeper, root: string): Promise<string[]> {
  const paths = [root]
  for (let at = 0; at < paths.length; ) {
    const batch = paths.slice(at, at + batchSize)
    const answers = await Promise.all(batch.map(path => childrenOf(zk, path, path !== root)))
    for (const [index, children] of answers.entries()) {
      const prefix = batch[index] === '/' ? '/' : `${batch[index]}/`
      for (const child of children) paths.push(prefix + child)
    }
    at += batch.length
  }
  return paths
}

async function childrenOf(zk: ZooKeeper, path: string, mayBeMissing: boolean): Promise<string[]> {
  try {
    return (await zk.getChildren(path)).children
  } catch (error) {
    if (mayBeMissing && isMissing(error)) return []
    throw error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof ZooKeeperError && error.code === errorCode.NONODE
}

const sync: ShellCommand = {
  name: 'sync',
  usage: 'path',
  about: 'let the server catch up with the leader',
  minWords: 1,
  takesPath: true,
  async run({ words }, { zk, print }) {
    await zk.sync(words[0]!)
    print('Sync is OK')
  },
}

const getEphemerals: ShellCommand = {
  name: 'getEphemerals',
  usage: 'path',
  about: 'print the ephemeral znodes of this session (below path)',
  minWords: 0,
  takesPath: true,
  async run({ words }, { zk, print }) {
    print(listText((await zk.getEphemerals(words[0] ?? '/')).sort()))
  },
}

const getAllChildrenNumber: ShellCommand = {
  name: 'getAllChildrenNumber',
  usage: 'path',
  about: 'print how many znodes are below',
  minWords: 1,
  takesPath: true,
  async run({ words }, { zk, print }) {
    print(String(await zk.getAllChildrenNumber(words[0]!)))
  },
}

export const znodeCommands: readonly ShellCommand[] = [
  create,
  get,
  set,
  ls,
  stat,
  remove,
  removeAll,
  sync,
  getEphemerals,
  getAllChildrenNumber,
]

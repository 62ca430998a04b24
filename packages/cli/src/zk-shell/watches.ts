import type { WatcherKind } from '@vivarium/zookeeper-client'
import type { ShellCommand } from './command.ts'
import { UsageError } from './errors.ts'

const modes = { PERSISTENT: 'persistent', PERSISTENT_RECURSIVE: 'persistent-recursive' } as const

const addWatch: ShellCommand = {
  name: 'addWatch',
  usage:
    '[-m mode] path # optional mode is one of [PERSISTENT, PERSISTENT_RECURSIVE] - default is PERSISTENT_RECURSIVE',
  about: 'watch until removed',
  values: ['m'],
  minWords: 1,
  takesPath: true,
  async run({ values, words }, { zk, watcher }) {
    const mode = modes[(values.get('m') ?? 'PERSISTENT_RECURSIVE').toUpperCase() as keyof typeof modes]
    if (mode === undefined) throw new UsageError(`There is no mode ${values.get('m')}`)
    await zk.addWatch(words[0]!, mode, watcher)
  },
}

const kinds: Readonly<Record<string, WatcherKind>> = { c: 'children', d: 'data', a: 'any' }

const removeWatches: ShellCommand = {
  name: 'removewatches',
  usage: 'path [-c|-d|-a] [-l]',
  about: 'end watches (-c of children, -d of data, -a all, -l also when no server can be asked)',
  switches: ['c', 'd', 'a', 'l'],
  minWords: 1,
  takesPath: true,
  async run({ switches, words }, { zk }) {
    const kind = kinds[['c', 'd', 'a'].find(letter => switches.has(letter)) ?? 'a']!
    await zk.removeWatches(words[0]!, kind, null, { isLocal: switches.has('l') })
  },
}

export const watchCommands: readonly ShellCommand[] = [addWatch, removeWatches]

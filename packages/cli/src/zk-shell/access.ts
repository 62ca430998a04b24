import { errorCode, ZooKeeperError } from '@vivarium/zookeeper-client'
import type { ShellCommand } from './command.ts'
import { aclLines, statLines } from './format.ts'
import { versionOf } from './options.ts'
import { aclOf, subtree } from './znodes.ts'

const getAcl: ShellCommand = {
  name: 'getAcl',
  usage: '[-s] path',
  about: 'print who may do what (-s with stat)',
  switches: ['s'],
  minWords: 1,
  takesPath: true,
  async run({ switches, words }, { zk, print }) {
    const { acl, stat } = await zk.getAcl(words[0]!)
    print(aclLines(acl))
    if (switches.has('s')) print(statLines(stat))
  },
}

const setAcl: ShellCommand = {
  name: 'setAcl',
  usage: '[-s] [-v version] [-R] path acl',
  about: 'say who may do what: scheme:id:cdrwa,… (-R for all below, -v only this ACL version)',
  switches: ['s', 'R'],
  values: ['v'],
  minWords: 2,
  takesPath: true,
  async run(args, { zk, print }) {
    const path = args.words[0]!
    const acl = aclOf(args.words[1]!)
    const version = versionOf(args)
    if (args.switches.has('R')) {
      for (const below of await subtree(zk, path))
        await setUnlessGone(zk.setAcl(below, acl, version), below === path)
      return
    }
    const stat = await zk.setAcl(path, acl, version)
    if (args.switches.has('s')) print(statLines(stat))
  },
}

async function setUnlessGone(set: Promise<unknown>, mustExist: boolean): Promise<void> {
  try {
    await set
  } catch (error) {
    if (mustExist || !(error instanceof ZooKeeperError) || error.code !== errorCode.NONODE) throw error
  }
}

const addauth: ShellCommand = {
  name: 'addauth',
  usage: 'scheme auth',
  about: 'add an identity, such as: addauth digest user:password',
  minWords: 1,
  takesPath: false,
  run: ({ words }, { zk }) => zk.addAuth(words[0]!, words[1] ?? ''),
}

const whoami: ShellCommand = {
  name: 'whoami',
  usage: '',
  about: 'print the identities of this session',
  minWords: 0,
  takesPath: false,
  async run(_, { zk, print }) {
    print('Auth scheme: User')
    for (const { authScheme, user } of await zk.whoAmI()) print(`${authScheme}: ${user}`)
  },
}

export const accessCommands: readonly ShellCommand[] = [getAcl, setAcl, addauth, whoami]

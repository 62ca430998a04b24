import { readFile } from 'node:fs/promises'
import type { ShellCommand } from './command.ts'
import { ShellError, UsageError } from './errors.ts'
import { statLines } from './format.ts'

const configPath = '/zookeeper/config'

const config: ShellCommand = {
  name: 'config',
  usage: '[-c] [-w] [-s]',
  about: 'print the members of the ensemble (-c as a connect string, -w watch, -s with stat)',
  switches: ['c', 'w', 's'],
  minWords: 0,
  takesPath: false,
  async run({ switches }, { zk, print, watcher }) {
    const { data, stat } = await zk.getData(configPath, { watch: switches.has('w') ? watcher : undefined })
    const text = data?.toString() ?? ''
    print(switches.has('c') ? connectString(text) : text)
    if (switches.has('s')) print(statLines(stat))
  },
}

/** Version, then client addresses, of a configuration such as `server.1=h:2888:3888:participant;0.0.0.0:2181`. */
function connectString(text: string): string {
  const addresses: string[] = []
  for (const line of text.split('\n')) {
    const server = /^server\.\d+=([^;]*);(.*)$/.exec(line)
    if (server === null) continue
    const [, quorumPart, clientPart] = server
    const quorumHost = /^(\[[^\]]+\]|[^:|]+)/.exec(quorumPart!)?.[1] ?? ''
    const client = clientPart!.includes(':') ? clientPart! : `0.0.0.0:${clientPart}`
    addresses.push(client.replace(/^(0\.0\.0\.0|\[::\]):/, `${quorumHost}:`))
  }
  return `${/^version=(.*)$/m.exec(text)?.[1] ?? ''} ${addresses.join(',')}`
}

const reconfig: ShellCommand = {
  name: 'reconfig',
  usage:
    '[-s] [-v version] [[-file path] | [-members serverID=host:port1:port2;port3[,...]*]] | [-add serverId=host:port1:port2;port3[,...]]* [-remove serverId[,...]*]',
  about: 'change the members of the ensemble',
  switches: ['s'],
  values: ['v', 'file', 'members', 'add', 'remove'],
  minWords: 0,
  takesPath: false,
  async run({ switches, values }, { zk, print }) {
    const [file, add, remove] = [values.get('file'), values.get('add'), values.get('remove')]
    const members = file === undefined ? values.get('members') : await membersOf(file)
    const isIncremental = add !== undefined || remove !== undefined
    if (members !== undefined && isIncremental) {
      throw new UsageError(
        "Can't use -file or -members together with -add or -remove (mixing incremental and non-incremental modes is not allowed)",
      )
    }
    if (members === undefined && !isIncremental) throw new UsageError('Nothing to change is given')
    const version = values.get('v')
    const { data, stat } = await zk.reconfig({
      joining: add ?? null,
      leaving: remove ?? null,
      members: members ?? null,
      fromConfig: version === undefined ? -1n : configVersion(version),
    })
    print(`Committed new configuration:\n${data?.toString() ?? ''}`)
    if (switches.has('s')) print(statLines(stat))
  },
}

/** The lines of a dynamic configuration file that name servers. */
async function membersOf(file: string): Promise<string> {
  try {
    const lines = (await readFile(file, 'utf8')).split('\n').map(line => line.trim())
    return lines.filter(line => /^(server|group|weight)\./.test(line)).join('\n')
  } catch (error) {
    throw new ShellError(`Cannot read ${file}: ${(error as Error).message}`)
  }
}

function configVersion(text: string): bigint {
  if (!/^[0-9a-fA-F]{1,16}$/.test(text)) throw new UsageError(`-v takes a hexadecimal number, not ${text}`)
  return BigInt(`0x${text}`)
}

export const ensembleCommands: readonly ShellCommand[] = [config, reconfig]

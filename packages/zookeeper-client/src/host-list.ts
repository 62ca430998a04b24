import type { Address, Random } from '@vivarium/platform'
import { pathProblem } from '@vivarium/zookeeper-protocol'

const defaultPort = 2181

/** A connect string taken apart: where the ensemble is, and the subtree that looks like the root. */
export interface ConnectString {
  hosts: Address[]
  /** Empty, or a path that every path of the client is below, such as `/kafka`. */
  chroot: string
}

/** Reads `h1:2181,h2,[::1]:2183/chroot`. Throws an Error that names what is wrong. */
export function parseConnectString(text: string): ConnectString {
  const slash = text.indexOf('/')
  const chroot = slash === -1 ? '' : text.slice(slash).replace(/^\/$/, '')
  if (chroot !== '') {
    const problem = pathProblem(chroot)
    if (problem !== null) throw new Error(`the chroot of the connect string ${text} is no path: ${problem}`)
  }
  const hosts = (slash === -1 ? text : text.slice(0, slash))
    .split(',')
    .map(entry => entry.trim())
    .filter(entry => entry !== '')
    .map(entry => parseHost(entry, text))
  if (hosts.length === 0)
    throw new Error(`the connect string "${text}" names no server (host:port,host:port…)`)
  return { hosts, chroot }
}

function parseHost(entry: string, whole: string): Address {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(entry)
  const port = match?.[3] === undefined ? defaultPort : Number(match[3])
  if (match === null || port < 1 || port > 65_535) {
    throw new Error(`"${entry}" in the connect string ${whole} is not host:port`)
  }
  return { host: (match[1] ?? match[2])!, port }
}

/** The same elements in random order, so that many clients spread over the ensemble. */
export function shuffled<T>(values: readonly T[], random: Random): T[] {
  const result = [...values]
  for (let i = result.length - 1; i > 0; i--) {
    const j = random.below(i + 1)
    const swapped = result[i]!
    result[i] = result[j]!
    result[j] = swapped
  }
  return result
}

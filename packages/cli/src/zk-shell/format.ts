import type { Acl, Stat } from '@vivarium/zookeeper-protocol'

/** The lines Apache's zkCli prints for a stat. */
export function statLines(stat: Stat): string {
  return [
    `cZxid = 0x${hex(stat.czxid)}`,
    `ctime = ${javaDate(stat.ctime)}`,
    `mZxid = 0x${hex(stat.mzxid)}`,
    `mtime = ${javaDate(stat.mtime)}`,
    `pZxid = 0x${hex(stat.pzxid)}`,
    `cversion = ${stat.cversion}`,
    `dataVersion = ${stat.version}`,
    `aclVersion = ${stat.aversion}`,
    `ephemeralOwner = 0x${hex(stat.ephemeralOwner)}`,
    `dataLength = ${stat.dataLength}`,
    `numChildren = ${stat.numChildren}`,
  ].join('\n')
}

function hex(value: bigint): string {
  return BigInt.asUintN(64, value).toString(16)
}

const zoneName = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' })

/** `Tue Nov 24 13:48:14 UTC 2026`, in local time. */
export function javaDate(ms: bigint): string {
  const date = new Date(Number(ms))
  const [weekday, month, day, year, time] = date.toString().split(' ')
  const zone = zoneName.formatToParts(date).find(part => part.type === 'timeZoneName')?.value ?? ''
  return `${weekday} ${month} ${day} ${time} ${zone} ${year}`
}

/** `[a, b]`, as Java prints a list. */
export function listText(values: readonly string[]): string {
  return `[${values.join(', ')}]`
}

export function aclLines(acl: readonly Acl[]): string {
  return acl.map(({ perms, id }) => `'${id.scheme},'${id.id}\n: ${permissionLetters(perms)}`).join('\n')
}

/** Letter and bit, in the order they are printed. */
const permissions = [
  ['c', 4],
  ['d', 8],
  ['r', 1],
  ['w', 2],
  ['a', 16],
] as const

function permissionLetters(perms: number): string {
  return permissions.map(([letter, bit]) => ((perms & bit) === 0 ? '' : letter)).join('')
}

/** Reads `world:anyone:cdrwa,digest:user:hash:rw`; the id may hold colons. Throws an Error that names the part. */
export function parseAcl(text: string): Acl[] {
  return text.split(',').map(entry => {
    const first = entry.indexOf(':')
    const last = entry.lastIndexOf(':')
    if (first === -1 || first === last) throw new Error(`${entry} does not have the form scheme:id:perm`)
    const perms = [...entry.slice(last + 1)].reduce((sum, letter) => sum | bitOf(letter), 0)
    return { perms, id: { scheme: entry.slice(0, first), id: entry.slice(first + 1, last) } }
  })
}

function bitOf(letter: string): number {
  const found = permissions.find(([own]) => own === letter)
  if (found === undefined) throw new Error(`Unknown perm type: ${letter}`)
  return found[1]
}

/** Bytes in rows of sixteen, in hexadecimal and as text. */
export function hexDump(data: Buffer): string {
  const line = `+--------+${'-'.repeat(49)}+${'-'.repeat(16)}+`
  const rows = [
    `         +${'-'.repeat(49)}+`,
    `         |${'0123456789abcdef'.replace(/./g, '  $&')} |`,
    line,
  ]
  for (let at = 0; at < data.length; at += 16) {
    const row = data.subarray(at, at + 16)
    const bytes = [...row].map(byte => ` ${byte.toString(16).padStart(2, '0')}`).join('')
    const text = [...row].map(byte => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')
    rows.push(`|${at.toString(16).padStart(8, '0')}|${bytes.padEnd(48)} |${text.padEnd(16)}|`)
  }
  return [...rows, line].join('\n')
}

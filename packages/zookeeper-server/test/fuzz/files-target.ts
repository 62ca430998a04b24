import assert from 'node:assert/strict'
import type { World } from '@vivarium/simulator'
import { clientOn, during } from '../simulation/during.ts'
import { configFor, hostOf, Member, serverLine } from '../simulation/ensemble.ts'
import { mutated } from './mutate.ts'
import { calmDisk, calmWorld, type Target, type TargetKind } from './target.ts'

interface Image {
  files: Map<string, Buffer>
  zxid: bigint
  digest: bigint
}

const logHeaderBytes = 16
const recordHeadBytes = 12
const members = [1, 2, 3].map(serverLine)

/** The disk of a member that wrote a log and snapshots in every packing. */
async function diskOf(seed: number): Promise<Image> {
  const world = calmWorld(seed)
  const packings = ['', 'gz', 'snappy'] as const
  const [one, two] = [1, 2].map(id => {
    const member = new Member(id, hostOf(id), world)
    calmDisk(world, member.host)
    const packing = packings[seed % packings.length]!
    member.configure(configFor(id, members, { snapCount: 40, 'snapshot.compression.method': packing }))
    member.boot()
    return member
  }) as [Member, Member]
  await settled(world, () => one.isServing && two.isServing)
  const client = clientOn('10.0.1.1', world, `${one.host}:2181`)
  await during(world, client.connected())
  for (let i = 0; i < 60; i++) {
    await during(
      world,
      client.create(`/n${i}`, Buffer.alloc(i * 7, i), { mode: i % 7 === 0 ? 'ephemeral' : 'persistent' }),
    )
    if (i % 5 === 0) await during(world, client.setData(`/n${i}`, 'x'))
  }
  await world.pass(1_000)
  const { tree } = one.server!
  const image = {
    files: world.machine(one.host).disk.image(),
    zxid: tree.lastProcessedZxid,
    digest: tree.digest,
  }
  one.kill()
  two.kill()
  return image
}

/**
 * Every file a member starts from. Whatever is in them, it starts with all it had, or says which file it cannot use, and ends
 * or has no say; only the end of the newest log may be missing, as after a loss of power.
 */
export const files: TargetKind = {
  inputsPerSeed: 500,
  share: 0.03,
  slackBytes: 48 * 1024 * 1024,
  open: async (seed): Promise<Target> => {
    const image = await diskOf(seed)
    const { chance } = calmWorld(seed + 1_000_000)
    const paths = [...image.files.keys()].filter(path => !path.endsWith('.tmp'))
    const newestLog = paths
      .filter(path => path.includes('/log.'))
      .sort(byZxid)
      .at(-1)
    let path = paths[0]!
    return {
      input: () => {
        path = chance.pick(paths)
        const content = image.files.get(path)!
        // A preallocated log is mostly zeros: what is changed is to be where something is.
        const used = path === newestLog ? content.subarray(0, lastByte(content) + 1) : content
        const rest = content.subarray(used.length)
        return Buffer.concat([mutated(used, chance), rest])
      },
      feed: async input => {
        const world = calmWorld(seed)
        calmDisk(world, hostOf(1))
        const { disk } = world.machine(hostOf(1))
        for (const [at, content] of image.files) disk.install(at, content)
        disk.install(path, input)
        const member = new Member(1, hostOf(1), world)
        member.boot()
        await settled(world, () => !member.isUp || isLooking(member))
        const { server, log } = member
        if (!member.isUp || /does not vote/.test(log)) {
          assert.doesNotMatch(log, /TypeError|RangeError|AssertionError/, `${path}:\n${log}`)
          assert.match(log, /\/data|zoo\.cfg|myid/, `${path}: it does not say which file\n${log}`)
          return member.kill()
        }
        const { tree } = server!
        const mayLack =
          /zoo\.cfg|myid/.test(path) ||
          (path === newestLog && !isLastRecordIntact(image.files.get(path)!, input))
        if (mayLack) return member.kill()
        assert.equal(tree.lastProcessedZxid, image.zxid, `${path}: it forgot what it had`)
        assert.equal(tree.digest, image.digest, `${path}: it holds something else`)
        member.kill()
      },
      finish: async () => {},
    }
  },
}

/** Lets time pass until `isSo`. Snapshots are packed on real threads, which no virtual time waits for. */
async function settled(world: World, isSo: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 1_000; attempt++) {
    await world.pass(20)
    if (isSo()) return
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  throw new Error('it neither starts nor ends')
}

function isLooking({ server, log }: Member): boolean {
  return server !== null && (server.role !== null || /LOOKING|New election/.test(log))
}

/** Whether a log still holds its last record, where it was: what is damaged lies before it. */
function isLastRecordIntact(log: Buffer, damaged: Buffer): boolean {
  let last = 0
  for (
    let at = logHeaderBytes;
    log.readInt32BE(at + 8) > 0;
    at += recordHeadBytes + log.readInt32BE(at + 8) + 1
  )
    last = at
  return log.length === damaged.length && log.subarray(last).equals(damaged.subarray(last))
}

function byZxid(a: string, b: string): number {
  return Number.parseInt(a.split('.').at(-1)!, 16) - Number.parseInt(b.split('.').at(-1)!, 16)
}

function lastByte(bytes: Buffer): number {
  let at = bytes.length - 1
  while (at > 0 && bytes[at] === 0) at--
  return at
}

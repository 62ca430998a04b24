import assert from 'node:assert/strict'
import { type Chance, type DiskFaults, soundDisk, soundNetwork, World } from '@vivarium/simulator'
import { ZooKeeper, ZooKeeperError } from '@vivarium/zookeeper-client'
import { ClientConnection } from '../../src/connection.ts'
import { zxidIn } from '../../src/persistence/file-names.ts'
import { paths, SimulatedClient } from './client.ts'
import { clientOn, during } from './during.ts'
import { type Ensemble, ensembleOf, type Member } from './ensemble.ts'
import { checkHistory } from './history.ts'
import { membersIn, Operator } from './operator.ts'

export interface Outcome {
  steps: number
  /** What happened at least once, for the question whether the seeds reach what they should. */
  events: ReadonlySet<string>
  acknowledged: number
}

export interface Faults {
  /** Drives that say that they have written what they have not. */
  areDisksLying?: boolean
}

const clientCount = 3
const slowDisk: DiskFaults = { ...soundDisk, latencyMs: [2, 40] }
/** Many lives find more than long ones; some mistakes need a long one. */
const fewestRounds = 2
const mostRounds = 14
/** Time in which a healed ensemble must serve everyone again. */
const recoveryMs = 60_000

const { committed } = ClientConnection.prototype
/** A client whose write was passed over waits until it takes its server for dead, and finds another: nothing else would show. */
ClientConnection.prototype.committed = function (this: ClientConnection, xid, code, applied, zxid) {
  const isOwn = committed.call(this, xid, code, applied, zxid)
  assert.ok(isOwn || !this.unansweredWrites().includes(xid), `write ${xid} is applied and not answered`)
  return isOwn
}

/**
 * One life of an ensemble: clients work while servers are killed, lose power, are cut off and come back by the seed; then
 * all heals, and what was acknowledged must be there, on every member, in the order that was promised.
 */
export async function live(seed: number, faults: Faults = {}): Promise<Outcome> {
  const world = new World(seed)
  const events = new Set<string>()
  const voters = seed % 4 === 0 ? 5 : 3
  const isDynamic = seed % 6 === 1
  const observers = !isDynamic && seed % 5 === 3 ? 2 : 0
  const founders = voters + observers
  const settings = settingsOf(seed, isDynamic)
  const ensemble = ensembleOf(voters, world, settings, { observers, spare: isDynamic ? 2 : 0 })
  /** Whose files may be damaged: so few voters that the others hold everything that was acknowledged. */
  const mayRot = isDynamic ? [] : someOf(ensemble.members.slice(0, voters), (voters - 1) / 2, world.chance)
  mayRot.push(...ensemble.members.slice(founders - observers, founders))
  const operator = new Operator(world, ensemble, founders, settings, events)
  const clients = Array.from(
    { length: clientCount },
    (_, i) => new SimulatedClient(`10.0.1.${i + 1}`, world, ensemble.connect),
  )
  try {
    // On slow disks much is under way at any time.
    const usual = seed % 4 === 2 ? slowDisk : soundDisk
    const disks: DiskFaults = { ...usual, isLying: faults.areDisksLying === true }
    mend(world, ensemble.members, { ...disks, latencyMs: soundDisk.latencyMs })
    for (const member of ensemble.members.slice(0, founders)) member.boot()
    await prepare(world, ensemble)
    mend(world, ensemble.members, disks)
    const work = clients.map(client => client.run())
    const change = isDynamic ? operator.run() : Promise.resolve()
    for (let round = world.chance.between(fewestRounds, mostRounds); round > 0; round--) {
      strike(world, ensemble, operator.retired, mayRot, disks, events)
      // Some misfortunes follow each other while servers still deal with the one before.
      const [from, to] = world.chance.happens(0.4) ? [1, 40] : [20, 1_500]
      await world.pass(world.chance.between(from, to))
    }
    const isMended = ({ log }: Member) => log.includes('What was damaged has been ')
    const members = await recover(world, ensemble, operator, disks, change, clients, work)
    check(members, clients)
    if (members.some(isMended)) events.add('a damaged member is whole again')
  } catch (error) {
    const logs = ensemble.members.map(({ id, log }) => `---- server ${id}\n${log}`).join('\n')
    if (process.env.LOGS !== undefined) console.error(logs)
    throw new Error(`replay with SEED=${seed} (LOGS=1 shows what the servers logged)`, { cause: error })
  }
  const acknowledged = clients.reduce(
    (sum, { operations, created }) => sum + operations.length + created.length,
    0,
  )
  return { steps: world.steps, events, acknowledged }
}

function someOf<T>(all: readonly T[], count: number, chance: Chance): T[] {
  const left = [...all]
  return Array.from({ length: count }, () => left.splice(chance.below(left.length), 1)[0]!)
}

/** Some lives are of ensembles with settings that few use. */
function settingsOf(seed: number, isDynamic: boolean): Record<string, string> {
  const hasLocalSessions = String(seed % 5 === 0)
  return {
    reconfigEnabled: String(isDynamic),
    skipACL: isDynamic ? 'yes' : 'no',
    // Learners are sent the database sooner than the log.
    snapshotSizeFactor: seed % 7 < 3 ? '-1' : '0.33',
    observerMasterPort: seed % 2 === 0 ? '2191' : '0',
    'readonlymode.enabled': String(seed % 3 === 0),
    localSessionsEnabled: hasLocalSessions,
    localSessionsUpgradingEnabled: hasLocalSessions,
  }
}

async function prepare(world: World, ensemble: Ensemble): Promise<void> {
  const { clock, network, random } = world.machine('10.0.2.1').start()
  const zookeeper = new ZooKeeper({
    connect: ensemble.connect,
    sessionTimeoutMs: 30_000,
    network,
    clock,
    random,
  })
  let isReady = false
  const made = (async () => {
    await zookeeper.connected()
    for (const path of [...paths, '/made', '/alive']) await zookeeper.create(path)
    await zookeeper.close()
    isReady = true
  })()
  await world.until('the znodes are there', recoveryMs, () => isReady)
  await made
}

/** One misfortune, or one mercy. */
function strike(
  world: World,
  { members }: Ensemble,
  retired: ReadonlySet<Member>,
  mayRot: Member[],
  disks: DiskFaults,
  events: Set<string>,
): void {
  const { chance, network } = world
  const leader = members.find(({ server }) => server?.role === 'leader')
  // What befalls a leader tries most.
  const victim = leader !== undefined && chance.happens(0.3) ? leader : chance.pick(members)
  const others = members.filter(member => member !== victim)
  const isLeader = victim.server?.role === 'leader'
  const happened = (what: string) => events.add(what).add(isLeader ? `${what} of the leader` : what)
  const kinds: (() => void)[] = [
    () => {
      if (victim.isUp) happened('kill')
      victim.kill()
    },
    () => {
      if (victim.isUp) happened('power loss')
      victim.losePower()
    },
    () => {
      if (!chance.happens(0.6)) return
      events.add('power loss of all')
      for (const member of members) member.losePower()
    },
    () => {
      happened('partition')
      world.part(
        [victim.host],
        others.map(({ host }) => host),
        chance.happens(0.5),
      )
    },
    () => {
      happened('cut off from one')
      world.part([victim.host], [chance.pick(others).host], chance.happens(0.5))
    },
    () => {
      events.add('resets')
      for (let i = chance.below(4); i >= 0; i--) network.resetOne()
    },
    () => {
      events.add('slow disk')
      world.machine(victim.host).disk.faults = {
        ...world.machine(victim.host).disk.faults,
        latencyMs: [5, 120],
      }
    },
    () => {
      happened('failing disk')
      world.machine(victim.host).disk.faults = { ...world.machine(victim.host).disk.faults, errorRate: 0.05 }
    },
    () => {
      events.add('full disk')
      world.machine(victim.host).disk.faults = { ...world.machine(victim.host).disk.faults, isFull: true }
    },
    () => {
      // Once a life: what is damaged twice in the same place may look whole.
      const rotten = mayRot.pop()
      if (rotten === undefined) return
      const { disk } = world.machine(rotten.host)
      const logs = [...disk.image().keys()].filter(path => path.includes('/version-2/log.'))
      const newest = logs.sort((a, b) => Number(zxidIn(a)! - zxidIn(b)!)).at(-1)
      const damage = disk.rot(
        path => /\/version-2\/(log|snapshot)\./.test(path),
        path => path === newest,
      )
      if (damage === null) return
      events.add('damaged file')
      rotten.kill()
    },
    () => {
      events.add('slow network')
      network.faults = { ...soundNetwork, latencyMs: [1, 80], resetRate: 0.001 }
    },
  ]
  if (chance.happens(0.55)) chance.pick(kinds)()
  if (chance.happens(0.45)) {
    network.heal()
    network.faults = { ...soundNetwork }
  }
  if (chance.happens(0.3)) mend(world, members, disks)
  for (const member of members) if (!member.isUp && !retired.has(member) && chance.happens(0.6)) member.boot()
}

function mend(world: World, members: Ensemble['members'], disks: DiskFaults): void {
  for (const { host } of members) world.machine(host).disk.faults = { ...disks }
}

/** All heals. Gives the members that are left. */
async function recover(
  world: World,
  ensemble: Ensemble,
  operator: Operator,
  disks: DiskFaults,
  change: Promise<void>,
  clients: readonly SimulatedClient[],
  work: readonly Promise<void>[],
): Promise<readonly Member[]> {
  world.network.heal()
  world.network.faults = { ...soundNetwork }
  mend(world, ensemble.members, disks)
  operator.stop()
  const missing = () => ensemble.members.filter(member => !member.isUp && !operator.retired.has(member))
  for (const member of missing()) member.boot()
  await world.pass(500)
  // Who had failed just before all healed has ended by now. Who was taken out, and in again while it was down, does not find
  // itself in its own file.
  for (const member of missing()) {
    if (operator.hasChanged) operator.start(member)
    else member.boot()
  }
  await during(world, change)
  const lines = await lastLines(world, ensemble)
  const members = ensemble.members.filter(({ id }) => lines.some(line => line.startsWith(`server.${id}=`)))
  for (const member of ensemble.members) {
    if (members.includes(member)) operator.retired.delete(member)
    else member.kill()
  }
  for (const member of members) if (!member.isUp) member.boot()
  // Nor does who was cut off while all others that it knows were replaced: it must be told who they are now.
  if (operator.hasChanged) {
    await world.pass(1_000)
    for (const member of members.filter(member => knowsNobody(member, members))) {
      member.kill()
      operator.start(member)
    }
  }
  // That a disk failed while its server had nothing to write is noticed with the next write: once for each, nothing fails now.
  const late = new Set<Member>()
  await world.until('every member serves', recoveryMs, () => {
    for (const member of members) {
      if (!hasDiskFailure(member) || late.has(member)) continue
      late.add(member)
      member.boot()
    }
    return members.every(isWhole)
  })
  await world.pass(500)
  let finished = 0
  for (const client of clients) client.stop()
  for (const task of work) void task.then(() => finished++)
  await world.until('every client gets its answers', recoveryMs, () => finished === work.length)
  await Promise.all(work)
  const isAlone = ({ server }: (typeof members)[number]) => server!.tree.ephemeralCount === 0
  await world.until('every session has ended and its ephemerals have gone', recoveryMs, () =>
    members.every(isAlone),
  )
  // What was committed last reaches every member; one that did not know yet that its leader was gone looks for another.
  await world.pass(3_000)
  await world.until('every member serves at the end', recoveryMs, () => members.every(isWhole))
  return members
}

/** Whether none of the voters that a member knows of is a member any more, but itself. */
function knowsNobody(member: Member, members: readonly Member[]): boolean {
  if (member.isServing || member.server === null) return false
  const known = [...member.server.view.membership().matchAll(/^server\.(\d+)=.*:participant/gm)]
  const isMember = (id: number) => id !== member.id && members.some(other => other.id === id)
  return known.length > 0 && !known.some(([, id]) => isMember(Number(id)))
}

function hasDiskFailure({ failure }: Member): boolean {
  const { code } = (failure ?? {}) as NodeJS.ErrnoException
  return code === 'EIO' || code === 'ENOSPC'
}

/** Whether a member serves as part of the ensemble, not readers alone. */
function isWhole({ isServing, server }: Member): boolean {
  return isServing && !server!.isReadOnly
}

/** The members as the ensemble itself names them. */
async function lastLines(world: World, { connect }: Ensemble): Promise<string[]> {
  for (let tries = 1; ; tries++) {
    const zookeeper = clientOn('10.0.2.2', world, connect)
    try {
      await during(world, zookeeper.connected())
      await during(world, zookeeper.sync('/'))
      return await during(world, membersIn(zookeeper))
    } catch (error) {
      // An election may come between.
      if (!(error instanceof ZooKeeperError) || tries === 10) throw error
    } finally {
      await during(world, zookeeper.close())
    }
  }
}

function check(members: readonly Member[], clients: readonly SimulatedClient[]): void {
  const [first, ...rest] = members.map(({ server }) => server!.tree)
  for (const tree of rest) {
    assert.equal(tree.lastProcessedZxid, first!.lastProcessedZxid, 'members are at one zxid')
    assert.equal(tree.digest, first!.digest, 'members hold one tree')
  }
  const operations = clients.flatMap(client => client.operations)
  checkHistory(operations)
  for (const { kind, sights } of operations) {
    if (kind !== 'write') continue
    for (const { path, mzxid, value } of sights) {
      const node = first!.nodes.get(path)!
      assert.ok(node.mzxid >= mzxid, `${path}: the acknowledged ${value} is lost`)
      if (node.mzxid === mzxid) assert.equal(node.data?.toString(), value)
    }
  }
  assert.deepEqual(
    clients.flatMap(({ surprises }) => surprises),
    [],
    'a watch is told before what changed is seen, and a conditional write is conditional',
  )
  for (const { created } of clients)
    for (const path of created) assert.ok(first!.nodes.has(path), `the acknowledged ${path} is lost`)
}

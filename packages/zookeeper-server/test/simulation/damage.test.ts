import assert from 'node:assert/strict'
import { test } from 'node:test'
import { World } from '@vivarium/simulator'
import { errorCode, type ZooKeeper, ZooKeeperError } from '@vivarium/zookeeper-client'
import { clientOn, during } from './during.ts'
import { ensembleOf, type Member } from './ensemble.ts'

/** Writes until it is done: the server may go with the answer. */
async function create(world: World, zookeeper: ZooKeeper, path: string, data = ''): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await during(world, zookeeper.create(path, data))
      return
    } catch (error) {
      if (error instanceof ZooKeeperError && error.code === errorCode.NODEEXISTS && tries > 0) return
      if (!(error instanceof ZooKeeperError) || tries === 20) throw error
    }
  }
}

/** Sets a znode more often than the memory keeps transactions: the log must be read for whoever lacks them. */
async function setMany(world: World, zookeeper: ZooKeeper, path: string): Promise<void> {
  for (let i = 0, tries = 0; i < 1_200; ) {
    try {
      await during(world, zookeeper.setData(path, `${i}`))
      i++
    } catch (error) {
      if (!(error instanceof ZooKeeperError) || ++tries === 20) throw error
    }
  }
}

async function serving(seed: number, settings: Record<string, string> = {}) {
  const world = new World(seed)
  const { members, connect } = ensembleOf(3, world, settings)
  for (const member of members) member.boot()
  await world.until('all serve', 10_000, () => members.every(({ isServing }) => isServing))
  const zookeeper = clientOn('10.0.1.1', world, connect, { sessionTimeoutMs: 60_000 })
  for (let i = 0; i < 20; i++) await create(world, zookeeper, `/n${i}`)
  const leader = () => members.find(({ server }) => server?.role === 'leader')
  return { world, members, zookeeper, leader }
}

const isLog = (path: string) => path.includes('/version-2/log.')

/** The log files of a member, oldest first. */
const logsOf = (world: World, { host }: Member) =>
  [...world.machine(host).disk.image()].filter(([path]) => isLog(path)).sort()
const allLogs = (world: World, members: readonly Member[]) => members.map(member => logsOf(world, member))

/** Turns a bit of a member's newest log, which stops at once. */
function spoil(world: World, member: Member, where: (log: Buffer) => number): void {
  member.kill()
  const { disk } = world.machine(member.host)
  const [path, log] = logsOf(world, member).at(-1)!
  log[where(log)]! ^= 4
  disk.install(path, log)
}

/** Where a log's last record begins, and where it has its checksum and its zxid. */
function lastRecordIn(log: Buffer): { start: number; checksum: number; zxid: number } {
  let [at, next] = [0, 16]
  for (; next + 12 < log.length && log.readInt32BE(next + 8) > 0; next += log.readInt32BE(next + 8) + 13)
    at = next
  return { start: at, checksum: at + 7, zxid: at + 12 + 19 }
}

const inLastTransaction = (log: Buffer) => log.lastIndexOf(0x42) - 20
/** In the transaction that made a znode. */
const inCreationOf = (path: string) => (log: Buffer) => log.indexOf(path)
/** What no other log can mend. */
const inHeader = () => 1

test('a member with a damaged log does not vote, so that what only it and a dead leader had is not forgotten', async () => {
  const { world, members, zookeeper, leader } = await serving(51)
  const dead = leader()!
  const [damaged, other] = members.filter(member => member !== dead) as [Member, Member]
  other.kill()
  await create(world, zookeeper, '/acknowledged', 'by two of three')
  dead.kill()
  spoil(world, damaged, inLastTransaction)
  damaged.boot()
  other.boot()
  await world.pass(30_000)
  assert.ok(damaged.isUp && other.isUp)
  assert.equal(leader(), undefined, 'one vote of three elects nobody')
  assert.match(damaged.log, /This server does not vote until the logs of the others have mended its own/)
  assert.match(damaged.log, /bytes at position \d+ of .*\/log\.\w+, .* No server has what stood there/)
  assert.match(damaged.log, /whose checksum does not match/)
  dead.boot()
  await world.until('all serve', 20_000, () => members.every(({ isServing }) => isServing))
  const { data } = await during(world, zookeeper.getData('/acknowledged'))
  assert.equal(data!.toString(), 'by two of three')
})

test('a member whose log nobody can mend is sent the database, and from then on votes and counts as before', async () => {
  const { world, members, zookeeper, leader } = await serving(52)
  const damaged = members.find(member => member !== leader())!
  spoil(world, damaged, inHeader)
  await create(world, zookeeper, '/meanwhile')
  damaged.boot()
  await world.until('it serves', 10_000, () => damaged.isServing)
  assert.match(damaged.log, /What was damaged has been replaced: this server votes again/)
  members.find(member => member !== leader() && member !== damaged)!.kill()
  await create(world, zookeeper, '/needs-its-word')
  const before = leader()!
  before.kill()
  for (const member of members) if (!member.isUp && member !== before) member.boot()
  await world.until('it elects another with the third', 10_000, () => ![undefined, before].includes(leader()))
  await create(world, zookeeper, '/needs-its-vote')
  const { children } = await during(world, zookeeper.getChildren('/'))
  for (const name of ['n0', 'n19', 'meanwhile', 'needs-its-word', 'needs-its-vote'])
    assert.ok(children.includes(name), name)
  // Its files are whole again.
  damaged.kill()
  damaged.boot()
  await world.until('it serves', 10_000, () => damaged.isServing)
  assert.equal(damaged.log.match(/does not vote/g)!.length, 1)
})

test('a member that has the database but not yet the leader’s word does not look for what its old log lacked', async () => {
  const { world, members, leader } = await serving(56)
  const damaged = members.find(member => member !== leader())!
  const others = members.filter(member => member !== damaged)
  damaged.kill()
  const { disk } = world.machine(damaged.host)
  for (const [path, log] of disk.image()) {
    if (!isLog(path)) continue
    const { checksum, zxid } = lastRecordIn(log)
    log[checksum]! ^= 1
    log[zxid]! ^= 1
    disk.install(path, log)
  }
  damaged.boot()
  const hasDatabase = /No server has what stood there.*Snapshot taken/s
  await world.until('it has the database', 20_000, () => hasDatabase.test(damaged.log))
  for (const other of others) other.kill()
  await world.pass(30_000)
  assert.ok(damaged.isUp)
  for (const other of others) other.boot()
  await world.until('all serve', 20_000, () => members.every(({ isServing }) => isServing))
  assert.match(damaged.log, /What was damaged has been replaced: this server votes again/)
})

test('a damaged snapshot that alone connected the log to what came before is missed, though an epoch begins behind it', async () => {
  const { world, members, zookeeper, leader } = await serving(55, { snapshotSizeFactor: '-1' })
  const learner = members.find(member => member !== leader())!
  learner.kill()
  const before = leader()!
  await setMany(world, zookeeper, '/n0')
  // It is sent the database, which it keeps in a snapshot; its older log goes.
  learner.boot()
  await world.until('it serves', 10_000, () => learner.isServing)
  assert.match(learner.log, /Getting a snapshot from leader/)
  before.kill()
  await create(world, zookeeper, '/in-the-next-epoch')
  before.boot()
  await world.until('all serve', 10_000, () => members.every(({ isServing }) => isServing))
  learner.kill()
  const { disk } = world.machine(learner.host)
  for (const [path, snapshot] of disk.image()) {
    if (!/snapshot\.[1-9a-f]/.test(path)) continue
    snapshot[0]! ^= 1
    disk.install(path, snapshot)
  }
  learner.boot()
  await world.until('it serves', 20_000, () => learner.isServing)
  assert.match(learner.log, /does not hold transaction 0x[0-9a-f]+, where it was made|reach 0x[0-9a-f]+ only/)
  await world.pass(3_000)
  const digests = new Set(members.map(({ server }) => server!.tree.digest))
  assert.equal(digests.size, 1)
})

test('a leader that finds its log damaged sends a learner the database instead', async () => {
  const { world, members, zookeeper, leader } = await serving(53)
  const learner = members.find(member => member !== leader())!
  learner.kill()
  await setMany(world, zookeeper, '/n0')
  const { disk } = world.machine(leader()!.host)
  for (const [path, log] of disk.image()) {
    if (!isLog(path)) continue
    for (let at = 40; at < log.length; at += 512) log[at]! ^= 1
    disk.install(path, log)
  }
  learner.boot()
  await world.until('it serves', 10_000, () => learner.isServing)
  assert.match(leader()!.log, /Learners are sent the whole database instead of the log/)
  const reader = clientOn('10.0.1.2', world, `${learner.host}:2181`)
  await during(world, reader.sync('/n0'))
  assert.equal((await during(world, reader.getData('/n0'))).data!.toString(), '1199')
})

test('members whose logs are damaged, each in another place, mend each other', async () => {
  const { world, members, zookeeper } = await serving(54)
  await world.pass(2_000)
  const whole = allLogs(world, members)
  for (const [i, member] of members.entries()) spoil(world, member, inCreationOf(`/n${i + 5}`))
  assert.notDeepEqual(allLogs(world, members), whole)
  for (const member of members) member.boot()
  await world.until('all serve', 20_000, () => members.every(({ isServing }) => isServing))
  // Two suffice for a leader, who may have sent the third its database.
  const mended = members.filter(({ log }) => /What was damaged has been mended: this server votes/.test(log))
  assert.ok(mended.length >= 2)
  for (const { log } of mended)
    assert.match(log, /Mended with what server \d had: \d+ bytes at position \d+ of .*\/log\.\w+/)
  await create(world, zookeeper, '/afterwards')
  const { children } = await during(world, zookeeper.getChildren('/'))
  for (let i = 0; i < 20; i++) assert.ok(children.includes(`n${i}`), `n${i}`)
})

test('one whole log mends the end of all others, and several places of one', async () => {
  const { world, members, leader } = await serving(56)
  await world.pass(2_000)
  const others = members.filter(member => member !== leader())
  for (const member of others) {
    spoil(world, member, inLastTransaction)
    for (const path of ['/n3', '/n4', '/n9']) spoil(world, member, inCreationOf(path))
  }
  for (const member of others) member.boot()
  await world.until('all serve', 20_000, () => members.every(({ isServing }) => isServing))
  const digests = new Set(members.map(({ server }) => server!.tree.digest))
  assert.equal(digests.size, 1)
})

test('the end of a log file that is not the newest is mended by the others', async () => {
  const { world, members, zookeeper } = await serving(57, { snapCount: '20', snapLogFactor: '1000' })
  for (let i = 20; i < 60; i++) await create(world, zookeeper, `/n${i}`)
  const damaged = members[0]!
  damaged.kill()
  const { disk } = world.machine(damaged.host)
  const [path, log] = logsOf(world, damaged).at(-2)!
  const { start } = lastRecordIn(log)
  disk.install(path, Buffer.concat([log.subarray(0, start), Buffer.alloc(log.length - start)]))
  damaged.boot()
  await world.until('it serves', 20_000, () => damaged.isServing)
  assert.match(
    damaged.log,
    /Mended with what server \d had: what stood at position \d+ of \S+, behind transaction/,
  )
  const whole = logsOf(world, damaged).find(([name]) => name === path)![1]
  assert.deepEqual(whole.subarray(0, log.length), log)
})

test('so is one behind which the next file begins another epoch: it names what stood before it', async () => {
  const { world, members, zookeeper, leader } = await serving(58)
  for (const member of members) member.kill()
  for (const member of members) member.boot()
  await world.until('all serve', 20_000, () => members.every(({ isServing }) => isServing))
  await create(world, zookeeper, '/in-the-next-epoch')
  await world.pass(1_000)
  const damaged = members.find(member => member !== leader())!
  damaged.kill()
  const { disk } = world.machine(damaged.host)
  const [[path, log], [nextPath]] = logsOf(world, damaged).slice(-2) as [[string, Buffer], [string]]
  assert.match(nextPath, /log\.200000001$/)
  const { start } = lastRecordIn(log)
  disk.install(path, Buffer.concat([log.subarray(0, start), Buffer.alloc(log.length - start)]))
  damaged.boot()
  await world.until('it serves', 20_000, () => damaged.isServing)
  assert.match(damaged.log, /transaction 0x200000001 stands behind 0x1\w+: those between are missing/)
  assert.match(damaged.log, /Mended with what server \d had: what stood at position/)
  assert.deepEqual(
    logsOf(world, damaged)
      .find(([name]) => name === path)![1]
      .subarray(0, log.length),
    log,
  )
})

test('when a transaction is damaged in every log nobody serves, and nothing is thrown away', async () => {
  const { world, members } = await serving(57)
  await world.pass(2_000)
  for (const member of members) spoil(world, member, inCreationOf('/n7'))
  const before = allLogs(world, members)
  for (const member of members) member.boot()
  await world.pass(60_000)
  assert.ok(members.every(({ isServing, isUp }) => isUp && !isServing))
  assert.deepEqual(allLogs(world, members), before)
})

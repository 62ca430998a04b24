import assert from 'node:assert/strict'
import { test } from 'node:test'
import { soundDisk, World } from '@vivarium/simulator'
import { errorCode, type ZooKeeper, ZooKeeperError } from '@vivarium/zookeeper-client'
import { clientOn, during } from './during.ts'
import { configFor, ensembleOf, hostOf, Member } from './ensemble.ts'

// What went wrong in ZooKeeper once, as its issues tell it. Where the moment matters, every moment is tried: the same life is
// lived again and again, and interrupted one step later each time (STEPS=all; otherwise at sixty of them).

const mostSteps = process.env.STEPS === 'all' ? Number.POSITIVE_INFINITY : 60

interface Life {
  world: World
  /** Resolves when it has come to its end by itself. */
  done: () => boolean
  /** What must hold after an interruption at any step. */
  afterwards: () => Promise<void>
}

async function atEveryStep(
  begin: () => Promise<Life>,
  interrupt: (life: Life) => void | Promise<void>,
): Promise<void> {
  const whole = await begin()
  const first = whole.world.steps
  await whole.world.until('it is done', 60_000, whole.done)
  const steps = whole.world.steps - first
  await whole.afterwards()
  for (let at = 0; at < steps; at += Math.max(1, Math.floor(steps / mostSteps))) {
    const life = await begin()
    const { world } = life
    await world.timeline.run(world.nowMs + 60_000, () => world.steps >= first + at)
    await interrupt(life)
    try {
      await life.afterwards()
    } catch (error) {
      throw new Error(`interrupted at step ${at} of ${steps}`, { cause: error })
    }
  }
}

/** Creates znodes, one after another, and knows which were acknowledged. */
class Writer {
  readonly acknowledged: string[] = []
  readonly #connect: () => ZooKeeper
  #zookeeper: ZooKeeper

  constructor(world: World, members: readonly Member[]) {
    const connect = members.map(({ host }) => `${host}:2181`).join(',')
    this.#connect = () => clientOn('10.0.1.1', world, connect, { sessionTimeoutMs: 10_000 })
    this.#zookeeper = this.#connect()
  }

  async write(count: number): Promise<void> {
    const until = this.acknowledged.length + count
    while (this.acknowledged.length < until) {
      try {
        const { path } = await this.#zookeeper.create('/n-', 'x', { mode: 'persistent-sequential' })
        this.acknowledged.push(path)
      } catch (error) {
        if (!(error instanceof ZooKeeperError)) throw error
        if (error.code === errorCode.SESSIONEXPIRED) this.#zookeeper = this.#connect()
      }
    }
  }
}

async function expectAll(world: World, member: Member, acknowledged: readonly string[]): Promise<void> {
  const zookeeper = clientOn(`10.0.3.${member.id}`, world, `${member.host}:2181`, {
    sessionTimeoutMs: 60_000,
  })
  for (let tries = 0; ; tries++) {
    try {
      await during(world, zookeeper.sync('/'))
      const { children } = await during(world, zookeeper.getChildren('/'))
      const missing = acknowledged.filter(path => !children.includes(path.slice(1)))
      return assert.deepEqual(missing, [], `server ${member.id} lacks what was acknowledged`)
    } catch (error) {
      if (!(error instanceof ZooKeeperError) || tries === 20) throw error
    }
  }
}

// ---- a learner that is interrupted while it is brought up to date -------------------------------------------------------------

type Mode = 'DIFF' | 'TRUNC' | 'SNAP'

interface Joining extends Life {
  learner: Member
  leader: Member
}

/**
 * A leader and a learner that must be brought up to date before the two are a quorum; a third is down that has everything
 * acknowledged before. Writes begin with the learner, and are acknowledged on its word.
 */
async function joining(mode: Mode): Promise<Joining> {
  const world = new World(61)
  const { members } = ensembleOf(3, world)
  const writer = new Writer(world, members)
  const founders = mode === 'SNAP' ? members.slice(0, 2) : members
  for (const member of founders) member.boot()
  await world.until('all serve', 20_000, () => founders.every(({ isServing }) => isServing))
  await during(world, writer.write(10))
  const leaderNow = () => members.find(({ server }) => server?.role === 'leader')
  const learner = {
    DIFF: () => members.find(member => member !== leaderNow())!,
    TRUNC: () => leaderNow()!,
    SNAP: () => members[2]!,
  }[mode]()
  if (mode === 'TRUNC') {
    const lost = clientOn('10.0.1.2', world, `${learner.host}:2181`, { sessionTimeoutMs: 60_000 })
    await during(world, lost.connected())
    // It leads on for a while, alone, and logs what nobody will ever agree to.
    world.part(
      [learner.host],
      members.filter(member => member !== learner).map(({ host }) => host),
      false,
    )
    for (let i = 0; i < 5; i++) lost.create(`/lost-${i}`).catch(() => {})
    const logOf = () =>
      [...world.machine(learner.host).disk.image()].filter(([path]) => path.includes('/log.'))
    await world.until('it logs them', 1_000, () => logOf().some(([, log]) => log.includes('/lost-4')))
    world.machine('10.0.1.2').kill()
    await world.until('others lead', 20_000, () =>
      members.some(member => member !== learner && member.server?.role === 'leader'),
    )
    learner.kill()
    world.network.heal()
  } else if (mode === 'DIFF') {
    learner.kill()
    await during(world, writer.write(10))
  }
  await world.until('another leads', 20_000, () => leaderNow() !== undefined)
  const leader = leaderNow()!
  const third = members.find(member => member !== learner && member !== leader)!
  await world.until(
    'the third has everything',
    20_000,
    () => third.server!.tree.lastProcessedZxid >= leader.server!.tree.lastProcessedZxid,
  )
  third.kill()
  // What it logged alone would keep the learner from being sent anything but a SNAP.
  await world.until('nobody leads', 20_000, () => leaderNow() === undefined)
  learner.boot()
  const before = writer.acknowledged.length
  const writing = writer.write(5)
  writing.catch(() => {})
  const afterwards = async () => {
    // All that is left of the leader's word is what the learner has on disk.
    leader.kill()
    for (const member of [third, learner]) {
      world.machine(member.host).disk.faults = { ...soundDisk }
      if (!member.isUp) member.boot()
    }
    await world.until('the two serve', 30_000, () => third.isServing && learner.isServing)
    await during(world, writing)
    for (const member of [third, learner]) await expectAll(world, member, writer.acknowledged)
    leader.boot()
    learner.kill()
    learner.boot()
    await world.until('all serve', 30_000, () => members.every(({ isServing }) => isServing))
    await world.pass(3_000)
    for (const member of members) {
      const { tree } = member.server!
      assert.equal(tree.lastProcessedZxid, members[0]!.server!.tree.lastProcessedZxid)
      assert.equal(tree.digest, members[0]!.server!.tree.digest)
      assert.doesNotMatch(member.log, /does not vote|AssertionError/)
    }
    if (mode === 'TRUNC') assert.equal(learner.server!.tree.nodes.get('/lost-0'), undefined)
  }
  return { world, leader, learner, done: () => writer.acknowledged.length >= before + 5, afterwards }
}

const evidence: Record<Mode, RegExp> = {
  DIFF: /Sending DIFF zxid=0x[0-9a-f]+ for peer sid/,
  TRUNC: /Sending TRUNC zxid=0x[0-9a-f]+ for peer sid/,
  SNAP: /Sending snapshot last zxid of peer is 0x0/,
}

for (const mode of ['DIFF', 'TRUNC', 'SNAP'] as const) {
  test(`a learner that loses power at any step of a ${mode} forgets nothing it gave its word for (ZOOKEEPER-4643, -4646, -3911, -3642, -3104)`, async () => {
    let wasSeen = false
    await atEveryStep(
      () => joining(mode),
      life => {
        const { learner, leader } = life as Joining
        wasSeen ||= evidence[mode].test(leader.log)
        learner.losePower()
      },
    )
    assert.ok(wasSeen, `the leader sends a ${mode}`)
  })

  test(`nor does one whose disk fails at any step of a ${mode} (ZOOKEEPER-2307, -4269, -4882)`, async () => {
    await atEveryStep(
      () => joining(mode),
      async life => {
        const { learner, world } = life as Joining
        const { disk } = world.machine(learner.host)
        disk.faults = { ...soundDisk, errorRate: 1 }
        await world.pass(50)
        learner.losePower()
      },
    )
  })
}

// ---- a server alone ------------------------------------------------------------------------------------------------------------

test('a server that loses power at any step of its first start, its writes and its snapshots starts again (ZOOKEEPER-2332, -3644)', async () => {
  const begin = async (): Promise<Life & { member: Member }> => {
    const world = new World(62)
    const member = new Member(1, hostOf(1), world)
    member.configure(configFor(1, [], { snapCount: 4 }))
    member.boot()
    const writer = new Writer(world, [member])
    const writing = writer.write(12)
    writing.catch(() => {})
    const afterwards = async () => {
      if (!member.isUp) member.boot()
      await world.until('it serves', 20_000, () => member.isServing)
      await during(world, writing)
      member.losePower()
      member.boot()
      await world.until('it serves', 20_000, () => member.isServing)
      await expectAll(world, member, writer.acknowledged)
    }
    return { world, member, done: () => writer.acknowledged.length === 12, afterwards }
  }
  await atEveryStep(begin, life => (life as Awaited<ReturnType<typeof begin>>).member.losePower())
})

// ---- an ensemble ---------------------------------------------------------------------------------------------------------------

async function serving(seed: number, settings: Record<string, string> = {}) {
  const world = new World(seed)
  const { members } = ensembleOf(3, world, settings)
  for (const member of members) member.boot()
  await world.until('all serve', 20_000, () => members.every(({ isServing }) => isServing))
  const writer = new Writer(world, members)
  await during(world, writer.write(5))
  const leaders = () => members.filter(({ server }) => server?.role === 'leader')
  return { world, members, writer, leaders }
}

test('a leader whose disk is full leads no longer: another does, and nothing is lost (ZOOKEEPER-3701, -2247)', async () => {
  const { world, members, writer, leaders } = await serving(63)
  const [full] = leaders() as [Member]
  const { disk } = world.machine(full.host)
  disk.faults = { ...soundDisk, isFull: true }
  const writing = writer.write(5)
  await world.until('another leads', 20_000, () => leaders().some(leader => leader !== full))
  await during(world, writing)
  assert.deepEqual([leaders().length, full.isUp], [1, false])
  // Without room it cannot come back, and disturbs nobody in trying.
  full.boot()
  await world.pass(5_000)
  await during(world, writer.write(5))
  disk.faults = { ...soundDisk }
  if (!full.isUp) full.boot()
  await world.until('all serve', 20_000, () => members.every(({ isServing }) => isServing))
  for (const member of members) await expectAll(world, member, writer.acknowledged)
})

test('a member that served readers alone comes back without cutting anything off (ZOOKEEPER-3526)', async () => {
  const { world, members, writer, leaders } = await serving(64, { 'readonlymode.enabled': 'true' })
  const alone = members.find(member => !leaders().includes(member))!
  const others = members.filter(member => member !== alone)
  world.part(
    [alone.host],
    others.map(({ host }) => host),
    false,
  )
  await world.until('it serves readers', 20_000, () => alone.server!.isReadOnly)
  const reader = clientOn('10.0.1.2', world, `${alone.host}:2181`, { readOnly: true })
  await during(world, reader.getChildren('/'))
  await during(world, writer.write(5))
  world.network.heal()
  await world.until('all serve', 20_000, () =>
    members.every(({ server }) => ['leader', 'follower'].includes(server?.role ?? '')),
  )
  await expectAll(world, alone, writer.acknowledged)
  for (const member of members) assert.doesNotMatch(member.log, /Truncating log|Sending TRUNC/)
})

test('who logged and lost its leader passes on what it logged when it leads, without a hole (ZOOKEEPER-2845, -4925)', async () => {
  const { world, members, writer, leaders } = await serving(65)
  const [leader] = leaders() as [Member]
  const [next, behind] = members.filter(member => member !== leader) as [Member, Member]
  behind.kill()
  await during(world, writer.write(5))
  // The follower logs what follows, and its acknowledgements no longer arrive.
  world.network.block(next.host, leader.host)
  const writing = writer.write(5)
  const logged = () => next.server?.tree.lastProcessedZxid ?? 0n
  const before = logged()
  await world.pass(300)
  leader.kill()
  world.network.heal()
  behind.boot()
  await world.until('the two serve', 20_000, () => next.isServing && behind.isServing)
  assert.ok(logged() > before)
  await during(world, writing)
  for (const member of [next, behind]) await expectAll(world, member, writer.acknowledged)
  // A hole in its log would stop it, or cost it its say.
  behind.kill()
  behind.boot()
  await world.until('the two serve', 20_000, () => next.isServing && behind.isServing)
  assert.doesNotMatch(behind.log, /does not vote|those between are missing/)
  leader.boot()
  await world.until('all serve', 20_000, () => members.every(({ isServing }) => isServing))
  await world.pass(3_000)
  const digests = new Set(members.map(({ server }) => server!.tree.digest))
  assert.equal(digests.size, 1)
})

test('no ephemeral outlives its session, whichever server dies while the session ends (ZOOKEEPER-2355, -3471, -4837)', async () => {
  const begin = async (): Promise<Life & { members: readonly Member[] }> => {
    const { world, members, leaders } = await serving(66)
    const connect = members.map(({ host }) => `${host}:2181`).join(',')
    const zookeeper = clientOn('10.0.1.2', world, connect)
    for (let i = 0; i < 3; i++)
      await during(world, zookeeper.create(`/alive-${i}`, null, { mode: 'ephemeral' }))
    let isClosed = false
    zookeeper.close().then(
      () => {
        isClosed = true
      },
      () => {},
    )
    const afterwards = async () => {
      for (const member of members) if (!member.isUp) member.boot()
      await world.until('all serve', 20_000, () => members.every(({ isServing }) => isServing))
      // Longer than the session's timeout: whoever did not hear of its end lets it expire.
      await world.pass(10_000)
      for (const { server } of members) {
        assert.equal(server!.tree.ephemeralCount, 0)
        assert.equal(server!.tree.nodes.get('/alive-0'), undefined)
      }
      assert.equal(leaders().length, 1)
    }
    return { world, members, done: () => isClosed, afterwards }
  }
  for (const victim of [0, 1, 2])
    await atEveryStep(begin, life => (life as Awaited<ReturnType<typeof begin>>).members[victim]!.losePower())
})

import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { type ZooKeeper, ZooKeeperError } from '@vivarium/zookeeper-client'
import { createMode } from '@vivarium/zookeeper-protocol'
import { Processes } from '../../packages/zookeeper-server/test/quorum-processes.ts'
import { fourLetterWord, WireClient } from '../../packages/zookeeper-server/test/wire-client.ts'
import { openZooKeeper, until } from './brokers.ts'
import { classpath, type PeerName, without } from './peers.ts'

// Servers of both kinds take each other's place, on the same data directories, while a client writes. A server of the same
// history with the larger number leads, so each kind leads and follows the other on the way.

const skip = without('apache-3.9')

/** Creates znodes one after another until it is stopped. */
class ZnodeWriter {
  readonly acknowledged = new Set<string>()
  readonly #done: Promise<void>
  #isStopped = false

  constructor(zookeeper: ZooKeeper, folder: string) {
    this.#done = this.#write(zookeeper, folder)
  }

  async #write(zookeeper: ZooKeeper, folder: string): Promise<void> {
    while (!this.#isStopped) {
      try {
        this.acknowledged.add(
          (await zookeeper.create(`${folder}/n-`, 'x', { mode: 'persistent-sequential' })).path,
        )
      } catch (error) {
        // Not acknowledged: it may be there or not.
        if (!(error instanceof ZooKeeperError)) throw error
      }
    }
  }

  async writesMore(): Promise<void> {
    const before = this.acknowledged.size
    await until(
      () => this.acknowledged.size > before + 50,
      () => 'nothing is acknowledged',
    )
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#done
  }
}

async function assertKept(port: number, acknowledged: ReadonlySet<string>): Promise<void> {
  await using zookeeper = openZooKeeper(`127.0.0.1:${port}`)
  await zookeeper.sync('/ledger')
  const { children } = await zookeeper.getChildren('/ledger')
  assert.deepEqual([...acknowledged.difference(new Set(children.map(name => `/ledger/${name}`)))], [])
}

/**
 * Each server compares the digest of its tree with the leader's at every transaction, and counts where they differ. NaN for
 * one that does not serve.
 */
async function mismatchesOf(ensemble: Processes, ids: readonly number[]): Promise<number[]> {
  const words = await Promise.all(ids.map(id => fourLetterWord(ensemble.port(id), 'mntr')))
  return words.map(text => Number(/^zk_digest_mismatches_count\s+(\d+)/m.exec(text)?.[1]))
}

async function assertDigestsAgree(ensemble: Processes, ids: readonly number[], when = ''): Promise<void> {
  assert.deepEqual(
    await mismatchesOf(ensemble, ids),
    ids.map(() => 0),
    when,
  )
}

/**
 * Apache's 3.8 logs some transactions twice when it joins under load, among its own kind too, and counts them as different
 * when it reads that log. Trees that differ would go on to differ.
 */
async function assertDigestsAgreeFromNowOn(
  ensemble: Processes,
  ids: readonly number[],
  writer: ZnodeWriter,
  when: string,
): Promise<void> {
  let counts = await mismatchesOf(ensemble, ids)
  await until(
    async () => {
      const before = counts
      await writer.writesMore()
      counts = await mismatchesOf(ensemble, ids)
      return counts.every(Number.isInteger) && isDeepStrictEqual(before, counts)
    },
    () => `${counts} digests differ, and ever more, ${when}`,
  )
}

for (const [peer, name] of [
  ['apache-3.9', '3.9'],
  ['zookeeper-3.8', '3.8'],
] as const) {
  test(
    `servers of ours are replaced by Apache’s ${name} one by one, and back: session, ephemeral, watch and writes survive`,
    { skip: without(peer) },
    () => replaceOneByOne(peer),
  )
}

async function replaceOneByOne(peer: PeerName): Promise<void> {
  const ids = [1, 2, 3]
  await using ensemble = await Processes.configure(3, { config: { initLimit: 40 } })
  for (const id of ids) ensemble.start(id)
  await ensemble.serving(ids)
  await using zookeeper = openZooKeeper(ensemble.clientPorts.map(port => `127.0.0.1:${port}`).join(','))
  await zookeeper.create('/ledger')
  await zookeeper.create('/alive', null, { mode: 'ephemeral' })
  let sightings = 0
  await zookeeper.addWatch('/watched', 'persistent-recursive', () => {
    sightings++
  })
  const { sessionId } = zookeeper
  const writer = new ZnodeWriter(zookeeper, '/ledger')
  try {
    for (const kind of ['apache', 'ours']) {
      for (const id of ids) {
        await ensemble.kill(id)
        await writer.writesMore()
        if (kind === 'apache') ensemble.startApache(id, classpath(peer))
        else ensemble.start(id)
        await ensemble.serving(ids)
        const when = `after ${id} was replaced by ${kind}`
        await assertDigestsAgreeFromNowOn(ensemble, ids, writer, when)
        if (peer !== 'zookeeper-3.8') await assertDigestsAgree(ensemble, ids, when)
      }
    }
  } finally {
    await writer.stop()
  }
  for (const id of ids) await assertKept(ensemble.port(id), writer.acknowledged)
  assert.equal(zookeeper.sessionId, sessionId)
  assert.ok(await zookeeper.exists('/alive'))
  await zookeeper.create('/watched')
  await zookeeper.sync('/watched')
  assert.equal(sightings, 1)
}

for (const peer of ['zookeeper-3.8', 'zookeeper-3.7'] as const) {
  test(`a follower of Apache’s ${peer} that comes back under load is synchronised at its first try`, {
    skip: without(peer),
  }, async () => {
    // A commit behind NEWLEADER of what was proposed before it made it leave and come back, each time logging all again.
    const ids = [1, 2, 3]
    await using ensemble = await Processes.configure(3, { config: { initLimit: 40 } })
    for (const id of ids) ensemble.start(id)
    await ensemble.serving(ids)
    await using zookeeper = openZooKeeper([2, 3].map(id => `127.0.0.1:${ensemble.port(id)}`).join(','))
    await zookeeper.create('/ledger')
    await ensemble.kill(1)
    const writers = Array.from({ length: 20 }, () => new ZnodeWriter(zookeeper, '/ledger'))
    ensemble.startApache(1, classpath(peer))
    try {
      await ensemble.serving(ids)
    } finally {
      await Promise.all(writers.map(writer => writer.stop()))
    }
    const leader = ensemble.output(await ensemble.serving(ids))
    assert.equal(
      leader.match(/Synchronizing with Learner sid: 1 /g)!.length,
      2,
      'before it was killed, and after',
    )
  })
}

for (const peer of [
  'zookeeper-3.8',
  'zookeeper-3.7',
  'zookeeper-3.6',
  'zookeeper-3.5',
  'zookeeper-3.4',
] as const) {
  test(`a server of ours starts on what Apache’s ${peer} left when it was killed`, {
    skip: without(peer),
  }, async () => {
    await using alone = await Processes.configure(1, { config: { snapCount: 200 } })
    alone.startApache(1, classpath(peer))
    await until(
      async () => (await alone.mode(1)) === 'standalone',
      () => alone.output(1).slice(-4_000),
    )
    const acknowledged = new Map<string, string>()
    {
      // Servers before 3.5 know fewer operations than our client asks for.
      await using client = await WireClient.connect(alone.port(1))
      await client.create('/ledger', '')
      for (let i = 0; i < 500; i++) {
        const path = String(await client.create('/ledger/n-', `${i}`, createMode.PERSISTENT_SEQUENTIAL))
        acknowledged.set(path, `${i}`)
        if (i % 10 === 0) {
          await client.set(path, `${i} again`)
          acknowledged.set(path, `${i} again`)
        }
        if (i % 50 === 0) {
          await client.delete(path)
          acknowledged.delete(path)
        }
      }
      await alone.kill(1)
    }
    alone.start(1)
    await until(
      async () => (await alone.mode(1)) === 'standalone',
      () => alone.output(1).slice(-4_000),
    )
    await using zookeeper = openZooKeeper(`127.0.0.1:${alone.port(1)}`)
    const { children, stat } = await zookeeper.getChildren('/ledger')
    assert.deepEqual(
      children.sort(),
      [...acknowledged.keys()].map(path => path.slice('/ledger/'.length)).sort(),
    )
    assert.equal(stat.cversion, 510)
    for (const [path, text] of acknowledged)
      assert.equal((await zookeeper.getData(path)).data!.toString(), text)
    assert.equal(
      (await zookeeper.create('/ledger/n-', null, { mode: 'persistent-sequential' })).path,
      '/ledger/n-0000000500',
    )
  })
}

for (const method of ['', 'gz', 'snappy']) {
  const packed = method === '' ? '' : `, its snapshots packed as ${method}`
  test(
    `every server is stopped and the other kind starts on its data${packed}: all is there, and again the other way`,
    {
      skip,
    },
    () => startOnEachOthersData(method),
  )
}

async function startOnEachOthersData(method: string): Promise<void> {
  const ids = [1, 2, 3]
  const config = { initLimit: 40, snapCount: 200, 'snapshot.compression.method': method }
  await using ensemble = await Processes.configure(3, { config })
  const acknowledged = new Set<string>()
  for (const kind of ['apache', 'ours', 'apache', 'ours']) {
    for (const id of ids)
      if (kind === 'apache') ensemble.startApache(id, classpath('apache-3.9'))
      else ensemble.start(id)
    await ensemble.serving(ids)
    for (const id of ids) if (acknowledged.size > 0) await assertKept(ensemble.port(id), acknowledged)
    await using zookeeper = openZooKeeper(`127.0.0.1:${ensemble.port(1)}`)
    await zookeeper.createRecursive('/ledger')
    const mode = 'persistent-sequential'
    const created = Array.from({ length: 500 }, () => zookeeper.create('/ledger/n-', 'x', { mode }))
    for (const { path } of await Promise.all(created)) acknowledged.add(path)
    await Promise.all(ids.map(id => ensemble.kill(id)))
  }
  assert.equal(acknowledged.size, 2000)
}

test('servers of both kinds that have several addresses find each other, whoever leads', {
  skip,
}, async () => {
  const config = { initLimit: 40, 'multiAddress.enabled': 'true' }
  // Apache's server hears of it by a property of its JVM only.
  const flags = ['enabled=true', 'reachabilityCheckEnabled=false'].map(
    text => `-Dzookeeper.multiAddress.${text}`,
  )
  await using ensemble = await Processes.configure(3, { config })
  const ids = [1, 2, 3]
  const lines = ids.map(id => {
    const at = ['127.0.0.1', '127.0.0.2'].map(host => [host, ...ensemble.peerPorts(id)].join(':'))
    return `server.${id}=${at.join('|')}:participant;127.0.0.1:${ensemble.port(id)}`
  })
  await ensemble.setMembers(lines, ids)
  ensemble.start(1)
  ensemble.startApache(2, classpath('apache-3.9'), flags)
  ensemble.start(3)
  await ensemble.serving(ids)
  await using zookeeper = openZooKeeper(ensemble.clientPorts.map(port => `127.0.0.1:${port}`).join(','))
  await zookeeper.create('/ledger')
  const writer = new ZnodeWriter(zookeeper, '/ledger')
  try {
    for (let round = 0; round < 2; round++) {
      const leader = await ensemble.serving(ids)
      await ensemble.kill(leader)
      await ensemble.serving(ids.filter(id => id !== leader))
      await writer.writesMore()
      if (leader === 2) ensemble.startApache(leader, classpath('apache-3.9'), flags)
      else ensemble.start(leader)
      await ensemble.serving(ids)
      await writer.writesMore()
    }
  } finally {
    await writer.stop()
  }
  for (const id of ids) await assertKept(ensemble.port(id), writer.acknowledged)
  await assertDigestsAgree(ensemble, ids)
})

for (const [masters, observer] of [
  ['ours', 'apache'],
  ['apache', 'ours'],
] as const) {
  const [whose, of] = observer === 'ours' ? ['of ours', 'Apache’s'] : ['of Apache’s', 'ours']
  test(`an observer ${whose} learns from followers, ${of}, one after the other`, { skip }, async () => {
    const config = { initLimit: 40, observerMasterPort: 12_191 }
    await using ensemble = await Processes.configure(4, { observers: 1, config })
    const ids = [1, 2, 3, 4]
    // An address each: their ports for observers are the same.
    const lines = ids.map(id => {
      const [quorum, election] = ensemble.peerPorts(id)
      return `server.${id}=127.0.0.${id}:${quorum}:${election}:${id === 4 ? 'observer' : 'participant'};127.0.0.1:${ensemble.port(id)}`
    })
    await ensemble.setMembers(lines, ids)
    const start = (id: number) => {
      const isOurs = (id === 4 ? observer : masters) === 'ours'
      if (isOurs) ensemble.start(id)
      else ensemble.startApache(id, classpath('apache-3.9'))
    }
    for (const id of ids) start(id)
    const leader = await ensemble.serving(ids)
    await using zookeeper = openZooKeeper(`127.0.0.1:${ensemble.port(4)}`)
    await zookeeper.create('/ledger')
    await zookeeper.create('/alive', null, { mode: 'ephemeral' })
    const { sessionId } = zookeeper
    const writer = new ZnodeWriter(zookeeper, '/ledger')
    const seen = new Set<string>()
    try {
      for (const follower of [1, 2, 3].filter(id => id !== leader)) {
        // Whichever it is connected to: the other takes over.
        await ensemble.kill(follower)
        await writer.writesMore()
        const master = /^zk_observer_master_id\s+(\d+)/m.exec(
          await fourLetterWord(ensemble.port(4), 'mntr'),
        )?.[1]
        assert.ok(![String(follower), String(leader)].includes(master!), `it learns from ${master}`)
        seen.add(master!)
        start(follower)
        await ensemble.serving(ids)
        await writer.writesMore()
      }
    } finally {
      await writer.stop()
    }
    assert.equal(seen.size, 2)
    for (const id of ids) await assertKept(ensemble.port(id), writer.acknowledged)
    await assertDigestsAgree(ensemble, ids)
    assert.ok(await zookeeper.exists('/alive'))
    assert.equal(zookeeper.sessionId, sessionId)
  })
}

test('a member of ours whose log is damaged asks Apache’s in vain for records, and is sent the database', {
  skip,
}, async () => {
  await using ensemble = await Processes.configure(3, { config: { initLimit: 40 } })
  ensemble.start(1)
  for (const id of [2, 3]) ensemble.startApache(id, classpath('apache-3.9'))
  await ensemble.serving([1, 2, 3])
  await using zookeeper = openZooKeeper([2, 3].map(id => `127.0.0.1:${ensemble.port(id)}`).join(','))
  await zookeeper.create('/ledger')
  const writer = new ZnodeWriter(zookeeper, '/ledger')
  try {
    await writer.writesMore()
    await ensemble.kill(1)
    await spoilLog(join(ensemble.folder, 'data1', 'version-2'))
    ensemble.start(1)
    await ensemble.serving([1, 2, 3])
    await writer.writesMore()
  } finally {
    await writer.stop()
  }
  assert.match(ensemble.output(1), /Server [23] lends nothing: it closed the connection/)
  assert.match(ensemble.output(1), /What was damaged has been replaced: this server votes again/)
  await assertKept(ensemble.port(1), writer.acknowledged)
  await assertDigestsAgree(ensemble, [1, 2, 3])
})

/** Turns a bit in the middle of the newest log. */
async function spoilLog(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter(name => name.startsWith('log.')).sort()
  const path = join(folder, names.at(-1)!)
  const log = await readFile(path)
  log[log.indexOf('/ledger/n-', log.lastIndexOf('/ledger/n-') / 2)]! ^= 1
  await writeFile(path, log)
}

test('members of either kind join, lead and leave by reconfiguration while a client writes', {
  skip,
}, async () => {
  const settings = { config: { initLimit: 40, reconfigEnabled: 'true', skipACL: 'yes' } }
  await using ensemble = await Processes.configure(4, settings)
  const lineOf = (id: number) => {
    const [quorum, election] = ensemble.peerPorts(id)
    return `server.${id}=127.0.0.1:${quorum}:${election}:participant;127.0.0.1:${ensemble.port(id)}`
  }
  const start = (id: number, kind: 'apache' | 'ours') =>
    kind === 'apache' ? ensemble.startApache(id, classpath('apache-3.9')) : ensemble.start(id)
  await ensemble.setMembers([1, 2, 3].map(lineOf), [1, 2, 3])
  await ensemble.setMembers([1, 2, 3, 4].map(lineOf), [4])
  for (const [id, kind] of [
    [1, 'ours'],
    [2, 'apache'],
    [3, 'ours'],
  ] as const)
    start(id, kind)
  await ensemble.serving([1, 2, 3])
  await using zookeeper = openZooKeeper(ensemble.clientPorts.map(port => `127.0.0.1:${port}`).join(','))
  await zookeeper.create('/ledger')
  const writer = new ZnodeWriter(zookeeper, '/ledger')
  const change = async (wanted: { joining: string } | { leaving: string }) => {
    for (let tries = 0; ; tries++) {
      try {
        const { data } = await zookeeper.reconfig(wanted)
        return data!.toString()
      } catch (error) {
        // The leader may have gone with the answer; asking again changes nothing then.
        if (!(error instanceof ZooKeeperError) || tries === 20) throw error
      }
    }
  }
  try {
    // Each kind in its turn joins the other's ensemble, and leads until it is taken out.
    for (const kind of ['apache', 'ours'] as const) {
      start(4, kind)
      await until(
        async () => (await ensemble.mode(4)) !== null,
        () => ensemble.output(4).slice(-4_000),
      )
      assert.match(await change({ joining: lineOf(4) }), /server\.4=/)
      await writer.writesMore()
      const leader = await ensemble.serving([1, 2, 3, 4])
      assert.doesNotMatch(await change({ leaving: String(leader) }), new RegExp(`server\\.${leader}=`))
      await writer.writesMore()
      const next = await ensemble.serving([1, 2, 3, 4].filter(id => id !== leader))
      await change({ joining: lineOf(leader) })
      await writer.writesMore()
      if (next === 4) await ensemble.kill(4)
      await change({ leaving: '4' })
      await ensemble.kill(4)
      await writer.writesMore()
      await ensemble.serving([1, 2, 3])
      await assertDigestsAgree(ensemble, [1, 2, 3])
      await ensemble.setMembers([1, 2, 3, 4].map(lineOf), [4])
    }
  } finally {
    await writer.stop()
  }
  for (const id of [1, 2, 3]) await assertKept(ensemble.port(id), writer.acknowledged)
})

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { createRequest, encode, opCode, openAcl } from '@vivarium/zookeeper-protocol'
import { Processes } from './quorum-processes.ts'
import { WireClient } from './wire-client.ts'

/** Writes /w/0, /w/1 … one after another at the given servers until told to stop, and notes what was acknowledged. */
class Writer {
  readonly acknowledged: string[] = []
  #isStopped = false
  readonly #done: Promise<void>
  #next = 0

  constructor(ports: readonly number[]) {
    this.#done = this.#run(ports)
  }

  async #run(ports: readonly number[]): Promise<void> {
    for (let turn = 0; !this.#isStopped; turn++) {
      try {
        await using client = await WireClient.connect(ports[turn % ports.length]!)
        while (!this.#isStopped && client.connectReply.length > 0) {
          const path = `/w/${this.#next++}`
          if ((await client.create(path)) === path) this.acknowledged.push(path)
        }
      } catch {
        // The server is gone or has no leader: the outcome of the last write is unknown, the next server is asked.
      }
      await delay(5)
    }
  }

  async reached(count: number): Promise<void> {
    const deadlineMs = Date.now() + 30_000
    while (this.acknowledged.length < count) {
      if (Date.now() > deadlineMs) throw new Error(`${this.acknowledged.length} writes, not ${count}`)
      await delay(5)
    }
  }

  async stop(): Promise<string[]> {
    this.#isStopped = true
    await this.#done
    return this.acknowledged
  }
}

async function assertHolds(port: number, paths: readonly string[]): Promise<void> {
  await using client = await WireClient.connect(port)
  // A member may be behind; sync waits until it has what was committed.
  await client.call(opCode.sync, Buffer.from('\0\0\0\x01/'))
  const children = await client.children('/w')
  assert.ok(Array.isArray(children))
  const there = new Set(children)
  const lost = paths.filter(path => !there.has(path.slice(3)))
  assert.deepEqual(lost, [], 'no acknowledged write is lost')
}

test('three servers elect, serve writes through each member, and show each write everywhere', async () => {
  await using ensemble = await Processes.configure(3)
  for (const id of [1, 2, 3]) ensemble.start(id)
  const leader = await ensemble.serving([1, 2, 3])
  for (const id of [1, 2, 3]) {
    await using client = await WireClient.connect(ensemble.port(id))
    assert.equal(await client.create(`/by-${id}`, 'x'), `/by-${id}`)
    assert.equal((await client.get(`/by-${id}`)).err, 0, 'a session reads its own writes')
  }
  for (const id of [1, 2, 3]) {
    await using client = await WireClient.connect(ensemble.port(id))
    await client.call(opCode.sync, Buffer.from('\0\0\0\x01/'))
    assert.deepEqual(await client.children('/'), ['by-1', 'by-2', 'by-3', 'zookeeper'])
  }
  assert.match(ensemble.output(leader), /LEADING - LEADER ELECTION TOOK - \d+ MS/)
  assert.match(
    ensemble.output(leader),
    /Have quorum of supporters, sids: \[.*\]; starting up and setting last processed zxid: 0x[1-9]0{8}\b/,
  )
})

test('kill -9 of the leader under load loses no acknowledged write, and the dead server catches up', async () => {
  await using ensemble = await Processes.configure(3)
  for (const id of [1, 2, 3]) ensemble.start(id)
  let leader = await ensemble.serving([1, 2, 3])
  {
    await using client = await WireClient.connect(ensemble.port(leader))
    assert.equal(await client.create('/w'), '/w')
  }
  const writer = new Writer(ensemble.clientPorts)
  for (let round = 1; round <= 3; round++) {
    await writer.reached(round * 300)
    await ensemble.kill(leader)
    const rest = [1, 2, 3].filter(id => id !== leader)
    const next = await ensemble.serving(rest)
    const before = writer.acknowledged.length
    await writer.reached(before + 100)
    ensemble.start(leader)
    await ensemble.serving([1, 2, 3])
    leader = next
  }
  const acknowledged = await writer.stop()
  for (const id of [1, 2, 3]) await assertHolds(ensemble.port(id), acknowledged)
})

test('kill -9 of all servers under load loses no acknowledged write', async () => {
  await using ensemble = await Processes.configure(3)
  for (const id of [1, 2, 3]) ensemble.start(id)
  const leader = await ensemble.serving([1, 2, 3])
  {
    await using client = await WireClient.connect(ensemble.port(leader))
    assert.equal(await client.create('/w'), '/w')
  }
  const writer = new Writer(ensemble.clientPorts)
  await writer.reached(300)
  await Promise.all([1, 2, 3].map(id => ensemble.kill(id)))
  for (const id of [1, 2, 3]) ensemble.start(id)
  await ensemble.serving([1, 2, 3])
  await writer.reached(500)
  const acknowledged = await writer.stop()
  for (const id of [1, 2, 3]) await assertHolds(ensemble.port(id), acknowledged)
})

test('a member that was away long gets the database, and an observer serves what voters commit', async () => {
  await using ensemble = await Processes.configure(4, {
    observers: 1,
    config: { snapshotSizeFactor: -1 },
  })
  for (const id of [1, 2, 3, 4]) ensemble.start(id)
  await ensemble.serving([1, 2, 3, 4])
  assert.equal(await ensemble.mode(4), 'observer')
  await ensemble.kill(1)
  await ensemble.serving([2, 3, 4])
  const written: string[] = []
  {
    await using client = await WireClient.connect(ensemble.port(4))
    assert.equal(await client.create('/w'), '/w')
    for (let i = 0; i < 700; i++) {
      assert.equal(await client.create(`/w/${i}`), `/w/${i}`)
      written.push(`/w/${i}`)
    }
  }
  ensemble.start(1)
  await ensemble.serving([1, 2, 3, 4])
  assert.match(ensemble.output(1), /Getting a snapshot from leader/)
  await assertHolds(ensemble.port(1), written)
  // What came as a database is on its disk: it alone with one other has everything.
  await ensemble.kill(2)
  await ensemble.serving([1, 3])
  await assertHolds(ensemble.port(1), written)
})

/** The epoch in which a znode was made, as logs show it. */
async function epochOf(client: WireClient, path: string): Promise<string> {
  return ((await client.exists(path)).stat!.czxid >> 32n).toString(16)
}

async function comeBackWithUncommitted(writesMeanwhile: boolean): Promise<void> {
  await using ensemble = await Processes.configure(3, { config: { tickTime: 2000 } })
  for (const id of [1, 2, 3]) ensemble.start(id)
  const leader = await ensemble.serving([1, 2, 3])
  const others = [1, 2, 3].filter(id => id !== leader)
  let epoch: string
  {
    await using client = await WireClient.connect(ensemble.port(leader))
    assert.equal(await client.create('/before'), '/before')
    epoch = await epochOf(client, '/before')
    await Promise.all(others.map(id => ensemble.kill(id)))
    // It has not counted its followers yet: it proposes to itself alone, and answers nobody.
    for (const name of ['/alone-1', '/alone-2', '/alone-3']) {
      const body = encode(createRequest, { path: name, data: null, acl: [...openAcl], flags: 0 })
      client.send(opCode.create, body)
    }
    await delay(200)
    await ensemble.kill(leader)
  }
  for (const id of others) ensemble.start(id)
  const next = await ensemble.serving(others)
  const write = async () => {
    await using client = await WireClient.connect(ensemble.port(next))
    assert.equal(await client.create('/after'), '/after')
    return await epochOf(client, '/after')
  }
  const expected = writesMeanwhile
    ? `Getting a snapshot from leader 0x${await write()}`
    : `Truncating log to get in sync with the leader 0x${epoch}`
  ensemble.start(leader)
  await ensemble.serving([1, 2, 3])
  assert.ok(ensemble.output(leader).includes(expected), expected)
  if (!writesMeanwhile) await write()
  // What it holds is on its disk, too.
  await ensemble.kill(leader)
  ensemble.start(leader)
  await ensemble.serving([1, 2, 3])
  for (const id of [1, 2, 3]) {
    await using client = await WireClient.connect(ensemble.port(id))
    await client.call(opCode.sync, Buffer.from('\0\0\0\x01/'))
    assert.deepEqual(await client.children('/'), ['after', 'before', 'zookeeper'])
  }
}

test('what a leader logged and no quorum has is cut off when it comes back', () =>
  comeBackWithUncommitted(false))

test('and replaced by the database of the new leader when that has written meanwhile', () =>
  comeBackWithUncommitted(true))

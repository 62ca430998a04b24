import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Chance } from '@vivarium/simulator'
import { createRequest, createTtlRequest, encode, opCode, openAcl } from '@vivarium/zookeeper-protocol'
import { startServer } from './embedded-server.ts'
import { multi, oddRequest } from './fuzz/odd-requests.ts'
import { Processes } from './quorum-processes.ts'
import { WireClient } from './wire-client.ts'

// Whatever is logged can be applied, now and at every later start. A request that cannot be is refused before.

/** A create whose list of ACLs is null. */
function withoutAcl(path: string): Buffer {
  return encode(createRequest, { path, data: null, acl: null, flags: 0 })
}

test('the requests that end an Apache 3.9 server, or stall its ensemble, are refused, and everyone goes on', async () => {
  await using ensemble = await Processes.configure(3)
  for (const id of [1, 2, 3]) ensemble.start(id)
  const leader = await ensemble.serving([1, 2, 3])
  for (const id of [leader, leader === 1 ? 2 : 1]) {
    await using client = await WireClient.connect(ensemble.port(id))
    const ttl = (flags: number, ms: bigint) =>
      encode(createTtlRequest, { path: '/ttl', data: null, acl: [...openAcl], flags, ttl: ms })
    for (const [code, body] of [
      [opCode.createTTL, ttl(0, -5n)],
      [opCode.createTTL, ttl(5, -5n)],
      [opCode.create, Buffer.from('00ff', 'hex')],
      [opCode.setData, Buffer.from('0000000fff', 'hex')],
      [opCode.create, withoutAcl('/null')],
      [opCode.multi, multi({ type: opCode.create, body: withoutAcl('/null') })],
      [opCode.multi, Buffer.from('0000', 'hex')],
    ] as const) {
      // A refused multi is answered with the error of each operation.
      if (code !== opCode.multi) assert.notEqual((await client.call(code, body)).err, 0)
      else await client.call(code, body)
      assert.equal((await client.exists('/null')).err, -101)
      assert.equal((await client.exists('/ttl')).err, -101)
    }
    await using other = await WireClient.connect(ensemble.port(id))
    assert.equal(await other.create(`/alive-${id}`), `/alive-${id}`)
  }
})

const ints = [-(2 ** 31), -1000, -1, 0, 1, 7, 100, 2 ** 31 - 1]

/** A request's body with some bytes changed, cut off or added. */
function spoilt(body: Buffer, chance: Chance): Buffer {
  const bytes = Buffer.concat([
    body.subarray(0, body.length - (chance.below(3) === 0 ? chance.below(body.length + 1) : 0)),
    Buffer.alloc(chance.below(3)),
  ])
  for (let i = chance.below(4); i > 0 && bytes.length >= 4; i--)
    bytes.writeInt32BE(chance.pick(ints), chance.below(bytes.length - 3))
  return bytes
}

for (const seed of [1, 2, 3]) {
  test(`odd and spoilt requests, seed ${seed}: each is answered or ends its connection, and the log can be applied again`, async () => {
    const chance = new Chance(seed)
    await using zookeeper = await startServer({ config: { extendedTypesEnabled: 'true', snapCount: 200 } })
    const witness = await WireClient.connect(zookeeper.port)
    let client = await WireClient.connect(zookeeper.port)
    for (let i = 0; i < 1500; i++) {
      const { code, body } = oddRequest(chance)
      client.send(code, chance.below(2) === 0 ? body : spoilt(body, chance))
      if ((await client.nextReply()) === null) client = await WireClient.connect(zookeeper.port)
      if (i % 100 === 0) assert.equal((await witness.exists('/')).err, 0)
    }
    assert.deepEqual(zookeeper.failures, [])
    client.socket.destroy()
    witness.socket.destroy()
    await zookeeper.stop()
    const { digest, nodeCount } = zookeeper.server.tree
    await using again = await startServer({
      folder: zookeeper.folder,
      config: { extendedTypesEnabled: 'true' },
    })
    assert.deepEqual(again.failures, [])
    assert.deepEqual([again.server.tree.digest, again.server.tree.nodeCount], [digest, nodeCount])
  })
}

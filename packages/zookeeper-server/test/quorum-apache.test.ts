import assert from 'node:assert/strict'
import { test } from 'node:test'
import { opCode } from '@vivarium/zookeeper-protocol'
import { Processes } from './quorum-processes.ts'
import { WireClient } from './wire-client.ts'

const classpath = process.env.APACHE_ZOOKEEPER_CLASSPATH
const skip = classpath === undefined && 'APACHE_ZOOKEEPER_CLASSPATH is not set'

async function write(port: number, folder: string, count: number): Promise<void> {
  await using client = await WireClient.connect(port)
  await client.create(folder)
  for (let i = 0; i < count; i++) assert.equal(await client.create(`${folder}/${i}`, 'x'), `${folder}/${i}`)
}

async function assertCount(port: number, folder: string, count: number): Promise<void> {
  await using client = await WireClient.connect(port)
  await client.call(opCode.sync, Buffer.from('\0\0\0\x01/'))
  const children = await client.children(folder)
  assert.ok(Array.isArray(children), `${folder} is there`)
  assert.equal(children.length, count)
}

test('we follow a leader of Apache, lead a follower of Apache, and both have every write', {
  skip,
}, async () => {
  await using ensemble = await Processes.configure(3, { config: { initLimit: 40 } })
  ensemble.start(1)
  ensemble.start(2)
  ensemble.startApache(3, classpath!)
  // Whoever is first leads: ours start faster. Take ours away until Apache's does.
  let leader = await ensemble.serving([1, 2, 3])
  await write(ensemble.port(1), '/ours-leads', 50)
  await write(ensemble.port(3), '/ours-leads-through-apache', 50)
  for (const id of [1, 2, 3]) await assertCount(ensemble.port(id), '/ours-leads-through-apache', 50)
  assert.notEqual(leader, 3)
  await ensemble.kill(leader)
  const other = leader === 1 ? 2 : 1
  leader = await ensemble.serving([other, 3])
  assert.equal(leader, 3, 'of equal histories the larger number leads')
  await write(ensemble.port(other), '/apache-leads', 600)
  const back = 3 - other
  ensemble.start(back)
  await ensemble.serving([1, 2, 3])
  await write(ensemble.port(back), '/apache-leads-through-ours', 50)
  for (const id of [1, 2, 3]) {
    await assertCount(ensemble.port(id), '/ours-leads', 50)
    await assertCount(ensemble.port(id), '/apache-leads', 600)
    await assertCount(ensemble.port(id), '/apache-leads-through-ours', 50)
  }
  // Apache's server comes back to a leader of ours.
  await ensemble.kill(3)
  leader = await ensemble.serving([1, 2])
  await write(ensemble.port(1), '/ours-leads-again', 600)
  ensemble.startApache(3, classpath!)
  await ensemble.serving([1, 2, 3])
  await assertCount(ensemble.port(3), '/ours-leads-again', 600)
})

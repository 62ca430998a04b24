import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Processes } from '../../packages/zookeeper-server/test/quorum-processes.ts'
import { openZooKeeper, until } from './brokers.ts'
import { classpath, program, without } from './peers.ts'
import { pathOf, Worker } from './programs.ts'

// Clients of other languages keep creating znodes while the leading server is killed: each session survives, and what was
// acknowledged is there. Each program prints the path of every create that was acknowledged.

const clients = {
  kazoo: {
    skip: without('python'),
    start: (...args: string[]) =>
      new Worker(program('python', 'bin', 'python'), [pathOf('creator.py'), ...args]),
  },
  'the Java client': {
    skip: without('apache-3.9'),
    start: (...args: string[]) =>
      new Worker('java', ['-Xmx256m', '-cp', classpath('apache-3.9'), pathOf('Creator.java'), ...args]),
  },
  'the C client': {
    skip: without('c-client'),
    start: (...args: string[]) => new Worker(program('c-client', 'creator'), args),
  },
}

for (const [name, { skip, start }] of Object.entries(clients)) {
  test(`${name} keeps its session and its acknowledged writes when the leader is killed`, {
    skip,
  }, async () => {
    await using ensemble = await Processes.configure(3)
    for (const id of [1, 2, 3]) ensemble.start(id)
    const leader = await ensemble.serving([1, 2, 3])
    const servers = ensemble.clientPorts.map(port => `127.0.0.1:${port}`).join(',')
    await using zookeeper = openZooKeeper(servers)
    await zookeeper.create('/made')
    await using creator = start(servers, '/made')
    const madeMore = async () => {
      const before = creator.lines.length
      await until(
        () => creator.hasEnded || creator.lines.length > before + 100,
        () => `${name} does not go on`,
      )
    }
    await madeMore()
    await ensemble.kill(leader)
    await madeMore()
    ensemble.start(leader)
    await ensemble.serving([1, 2, 3])
    await madeMore()
    await creator.stop()
    await zookeeper.sync('/made')
    const { children } = await zookeeper.getChildren('/made')
    const there = new Set(children.map(child => `/made/${child}`))
    assert.deepEqual(
      creator.lines.filter(path => !there.has(path)),
      [],
    )
    assert.equal(new Set(creator.lines).size, creator.lines.length)
  })
}

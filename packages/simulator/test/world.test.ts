import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '@vivarium/platform'
import { type Doors, World } from '../src/index.ts'

const address = { host: '10.0.0.1', port: 2181 }

/** Two hosts with a connection from the second to the first. */
async function connected(seed: number) {
  const world = new World(seed)
  const [a, b] = [world.machine('10.0.0.1').start(), world.machine('10.0.0.2').start()]
  const far: Connection[] = []
  await a.network.listen(address, connection => far.push(connection))
  let near: Connection | null = null
  void b.network.connect(address, { timeoutMs: 1_000 }).then(connection => {
    near = connection
  })
  await world.until('there is a connection', 1_000, () => near !== null)
  const heard: Buffer[] = []
  const closed: (Error | null)[] = []
  far[0]!.onData = chunk => heard.push(chunk)
  far[0]!.onClose = error => closed.push(error)
  const text = () => Buffer.concat(heard).toString()
  return { world, near: near! as Connection, far: far[0]!, heard, text, closed }
}

/** Carries out an operation on a simulated door while time passes. */
async function finished<T>(world: World, operation: Promise<T>): Promise<T> {
  let isDone = false
  const done = operation.finally(() => {
    isDone = true
  })
  done.catch(() => {})
  await world.until('it is done', 60_000, () => isDone)
  return done
}

test('time passes from event to event, in order, and stops for a process that has ended', async () => {
  const world = new World(1)
  const machine = world.machine('a')
  const { clock } = machine.start()
  const told: string[] = []
  clock.after(20, () => told.push(`late ${clock.monotonicMs()}`))
  clock.after(10, () => told.push(`early ${clock.monotonicMs()}`))
  const timer = clock.every(6, () => told.push('tick'))
  await world.pass(13)
  timer.cancel()
  machine.kill()
  await world.pass(100)
  assert.deepEqual(told, ['tick', 'early 10', 'tick'])
  assert.equal(world.nowMs, 113)
})

test('a stream is whole and in order, however it is cut', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const { world, near, text } = await connected(seed)
    const parts = Array.from({ length: 50 }, (_, i) => `part ${i};`)
    for (const part of parts) {
      near.write(Buffer.from(part))
      if (world.chance.happens(0.5)) await world.pass(1)
    }
    near.end()
    await world.pass(5_000)
    assert.equal(text(), parts.join(''))
  }
})

test('a blocked way holds what is sent, the other way stays open, and healing delivers', async () => {
  const { world, near, far, text } = await connected(3)
  let answer = ''
  near.onData = chunk => {
    answer += chunk
  }
  world.part(['10.0.0.2'], ['10.0.0.1'], true)
  near.write(Buffer.from('held'))
  far.write(Buffer.from('through'))
  await world.pass(5_000)
  assert.deepEqual([text(), answer], ['', 'through'])
  world.network.heal()
  await world.pass(1_000)
  assert.equal(text(), 'held')
})

test('a killed process closes its connections; one that lost power is silent until it is back, then resets', async () => {
  const killed = await connected(4)
  killed.world.machine('10.0.0.2').kill()
  await killed.world.pass(1_000)
  assert.deepEqual(killed.closed, [null])

  const dark = await connected(5)
  dark.world.machine('10.0.0.2').losePower()
  dark.far.write(Buffer.from('hello?'))
  await dark.world.pass(5_000)
  assert.deepEqual(dark.closed, [])
  dark.world.machine('10.0.0.2').start()
  dark.far.write(Buffer.from('hello?'))
  await dark.world.pass(1_000)
  assert.equal((dark.closed[0] as unknown as NodeJS.ErrnoException).code, 'ECONNRESET')
})

test('nobody answers where nobody listens: refused when the host is up, in silence when it is not', async () => {
  const world = new World(6)
  const { network } = world.machine('10.0.0.2').start()
  world.machine('10.0.0.1').start()
  const connect = () => finished(world, network.connect(address, { timeoutMs: 500 }))
  await assert.rejects(connect(), { code: 'ECONNREFUSED' })
  world.machine('10.0.0.1').losePower()
  await assert.rejects(connect(), { code: 'ETIMEDOUT' })
})

/** Writes, loses power, and gives what is left. */
async function afterPowerLoss(
  seed: number,
  write: (doors: Doors, world: World) => Promise<void>,
): Promise<string | null> {
  const world = new World(seed)
  const machine = world.machine('a')
  const doors = machine.start()
  await finished(world, doors.disk.makeDirectory('/d'))
  await write(doors, world)
  machine.losePower()
  const { disk } = machine.start()
  return finished(world, disk.readFile('/d/f').then(String)).catch(() => null)
}

test('a connection that is reset while it is made is refused, or its end is told of', async () => {
  for (let seed = 0; seed < 20; seed++) {
    const world = new World(seed)
    const [a, b] = [world.machine('10.0.0.1').start(), world.machine('10.0.0.2').start()]
    let isAccepted = false
    await a.network.listen(address, () => {
      isAccepted = true
    })
    const told: string[] = []
    b.network.connect(address, { timeoutMs: 1_000 }).then(
      connection => {
        connection.onClose = () => told.push('closed')
      },
      error => told.push((error as NodeJS.ErrnoException).code!),
    )
    await world.until('it is accepted', 1_000, () => isAccepted)
    world.network.resetOne()
    await world.pass(1_000)
    assert.ok(['ECONNRESET', 'closed'].includes(told.join()), `seed ${seed}: ${told}`)
  }
})

test('what was synced, with its name, outlives a power loss; what was not may be gone, whole or from some sector on', async () => {
  const content = 'x'.repeat(2_000)
  const lengths = new Set<number>()
  for (let seed = 0; seed < 60; seed++) {
    const kept = await afterPowerLoss(seed, async ({ disk }, world) => {
      const file = await finished(world, disk.open('/d/f', 'create'))
      await finished(world, file.writeDurably([Buffer.from(content)], 0))
      await finished(world, disk.syncDirectory('/d'))
    })
    assert.equal(kept, content)
    const torn = await afterPowerLoss(seed, async ({ disk }, world) => {
      const file = await finished(world, disk.open('/d/f', 'create'))
      await finished(world, disk.syncDirectory('/d'))
      await finished(world, file.write([Buffer.from(content)], 0))
    })
    lengths.add(torn!.length)
  }
  assert.ok(lengths.has(0) && lengths.has(2_000) && lengths.has(512), [...lengths].join())
})

test('a name that was not synced may be gone, and a replaced file is the old one or the new one', async () => {
  const outcomes = new Set<string | null>()
  for (let seed = 0; seed < 40; seed++) {
    outcomes.add(
      await afterPowerLoss(seed, async ({ disk }, world) => {
        const file = await finished(world, disk.open('/d/f', 'create'))
        await finished(world, file.writeDurably([Buffer.from('x')], 0))
      }),
    )
    const replaced = await afterPowerLoss(seed, async ({ disk }, world) => {
      await finished(world, disk.replaceFile('/d/f', 'old'))
      void disk.replaceFile('/d/f', 'new')
      await world.pass(world.chance.below(2))
    })
    assert.match(replaced!, /^(old|new)$/)
  }
  assert.deepEqual([...outcomes].sort(), [null, 'x'].sort())
})

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { freePort } from '../../platform/test/free-ports.ts'
import { TestCluster } from './cluster.ts'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

/** A broker in a process of its own, which can be killed. */
class BrokerProcess implements AsyncDisposable {
  readonly #child
  readonly #lines: string[] = []
  readonly #exit: Promise<unknown>
  readonly #outcome: Promise<'started' | 'ended'>

  constructor(settingsFile: string) {
    this.#child = spawn(process.execPath, ['--conditions=source', main, settingsFile])
    const { stdout } = this.#child
    this.#exit = new Promise(resolve => this.#child.once('exit', resolve))
    this.#outcome = new Promise(resolve => {
      createInterface(stdout).on('line', line => {
        this.#lines.push(line)
        if (line.includes('] started (kafka.server.KafkaServer)')) resolve('started')
      })
      this.#child.once('exit', () => resolve('ended'))
    })
  }

  get log(): string {
    return this.#lines.join('\n')
  }

  async started(): Promise<void> {
    assert.equal(await this.#outcome, 'started', this.log)
  }

  async ended(): Promise<void> {
    assert.equal(await this.#outcome, 'ended', this.log)
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exit
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

test('a killed broker registers again at once, though the session it was killed in would live for ten minutes', async () => {
  await using cluster = await TestCluster.start(0)
  const settings = await cluster.writeSettings(7, [
    `listeners=PLAINTEXT://127.0.0.1:${await freePort()}`,
    'zookeeper.session.timeout.ms=600000',
  ])
  await using firstLife = new BrokerProcess(settings)
  await firstLife.started()
  await firstLife.kill()
  await using secondLife = new BrokerProcess(settings)
  await secondLife.started()
  const epoch = (log: string) => Number(/\(broker epoch\): (\d+)/.exec(log)![1])
  assert.ok(epoch(secondLife.log) > epoch(firstLife.log))
})

test('a copy of a log directory, started at another address, does not end the session of the broker that runs', async () => {
  await using cluster = await TestCluster.start(0)
  const start = async (logDirectory: string) =>
    new BrokerProcess(
      await cluster.writeSettings(7, [
        `listeners=PLAINTEXT://127.0.0.1:${await freePort()}`,
        `log.dirs=${join(cluster.folder, logDirectory)}`,
        'zookeeper.session.timeout.ms=2000',
      ]),
    )
  await using original = await start('original')
  await original.started()
  await cp(join(cluster.folder, 'original'), join(cluster.folder, 'copy'), { recursive: true })
  await using copy = await start('copy')
  await copy.ended()
  assert.match(copy.log, /broker\.id=7 .*is registered in ZooKeeper already/)
  assert.doesNotMatch(original.log, /expired/)
})

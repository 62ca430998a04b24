import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { freePort } from '../../platform/test/free-ports.ts'
import { commands } from '../src/commands/index.ts'

const kafkaCommands = [...commands.keys()].filter(
  name => name.startsWith('kafka-') && !name.includes('server'),
)

async function runCommand(name: string, argv: string[]) {
  const { run } = await commands.get(name)!.load()
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()]
  stdin.end()
  const exitCode = await run(argv, { stdin, stdout, stderr, isTty: false })
  return { exitCode, stdout: String(stdout.read() ?? ''), stderr: String(stderr.read() ?? '') }
}

for (const name of kafkaCommands) {
  test(`${name} --help shows three examples, and a wrong option ends with 1 and its name`, async () => {
    const help = await runCommand(name, ['--help'])
    assert.equal(help.exitCode, 0)
    assert.equal(help.stdout.split('\nExamples:\n')[1]!.trim().split('\n').length, 3)
    const wrong = await runCommand(name, ['--bootstrap-serverr', 'x:1'])
    assert.equal(wrong.exitCode, 1)
    assert.match(
      wrong.stderr,
      /bootstrap-serverr is not a recognized option; did you mean --bootstrap-server\?/,
    )
    assert.equal(wrong.stdout, '')
  })
}

const readingArguments: Record<string, string[]> = {
  'kafka-topics': ['--list'],
  'kafka-console-producer': ['--topic', 't'],
  'kafka-console-consumer': ['--topic', 't'],
  'kafka-consumer-groups': ['--list'],
  'kafka-configs': ['--describe', '--topic', 't'],
  'kafka-get-offsets': [],
  'kafka-broker-api-versions': [],
}

for (const name of kafkaCommands) {
  test(`${name} says clearly that no broker is there`, async () => {
    const port = await freePort()
    const result = await runCommand(name, [
      '--bootstrap-server',
      `127.0.0.1:${port}`,
      ...readingArguments[name]!,
    ])
    assert.equal(result.exitCode, 1)
    assert.match(
      result.stdout + result.stderr,
      new RegExp(`No broker could be reached: 127.0.0.1:${port}: .*ECONNREFUSED`),
    )
  })

  test(`${name} says clearly that what answers is no broker`, async () => {
    const server = createServer(socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const result = await runCommand(name, [
      '--bootstrap-server',
      `127.0.0.1:${port}`,
      ...readingArguments[name]!,
    ])
    server.close()
    assert.equal(result.exitCode, 1)
    assert.match(result.stdout + result.stderr, /sent what is no Kafka response|closed the connection/)
  })
}

test('actions and options that do not fit together are refused before anything is connected', async () => {
  const check = async (name: string, argv: string, message: RegExp) => {
    const { exitCode, stderr } = await runCommand(name, argv.split(' '))
    assert.equal(exitCode, 1, argv)
    assert.match(stderr, message)
  }
  await check('kafka-topics', '--bootstrap-server a:1', /Command must include exactly one action/)
  await check(
    'kafka-topics',
    '--bootstrap-server a:1 --list --create',
    /Command must include exactly one action/,
  )
  await check('kafka-topics', '--list', /--bootstrap-server must be specified/)
  await check('kafka-topics', '--bootstrap-server a:1 --create', /Missing required argument "\[topic\]"/)
  await check(
    'kafka-topics',
    '--bootstrap-server a:1 --list --partitions 3',
    /"\[partitions\]" can't be used with option "\[list\]"/,
  )
  await check('kafka-topics', '--bootstrap-server a:1 --alter --topic t --config a=b', /kafka-configs CLI/)
  await check('kafka-consumer-groups', '--bootstrap-server a:1 --describe', /\[all-groups\], \[group\]/)
  await check(
    'kafka-consumer-groups',
    '--bootstrap-server a:1 --reset-offsets --group g --topic t',
    /\[to-offset\]/,
  )
  await check(
    'kafka-consumer-groups',
    '--bootstrap-server a:1 --reset-offsets --group g --to-latest',
    /reset scopes/,
  )
  await check('kafka-configs', '--bootstrap-server a:1 --describe', /At least one entity type/)
  await check('kafka-configs', '--bootstrap-server a:1 --alter --topic t', /At least one of --add-config/)
  await check(
    'kafka-configs',
    '--bootstrap-server a:1 --describe --entity-type users',
    /not supported by this tool yet/,
  )
  await check('kafka-console-consumer', '--bootstrap-server a:1', /Exactly one of --include\/--topic/)
  await check(
    'kafka-console-consumer',
    '--bootstrap-server a:1 --topic t --offset 5',
    /partition is required/,
  )
  await check('kafka-console-producer', '--bootstrap-server a:1', /Missing required argument "\[topic\]"/)
  await check(
    'kafka-console-producer',
    '--bootstrap-server a:1 --topic t --compression-codec rar',
    /rar is none of the codecs/,
  )
})

test('what this tool cannot do yet is said, not passed over', async () => {
  const refused = await runCommand('kafka-console-producer', [
    '--bootstrap-server',
    'a:1',
    '--topic',
    't',
    '--producer-property',
    'security.protocol=SSL',
  ])
  assert.equal(refused.exitCode, 1)
  assert.match(refused.stderr, /security.protocol=SSL is not supported/)
})

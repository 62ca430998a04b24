import assert from 'node:assert/strict'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigError, readJvmFlags } from '@vivarium/platform'
import { nodeDisk } from '@vivarium/platform/node'
import fc from 'fast-check'
import { readSettings, type ServerSettings } from '../src/index.ts'
import { memberLines } from '../src/quorum/configuration.ts'
import { keys } from '../src/settings-keys.ts'
import { startServer, temporaryFolder } from './embedded-server.ts'

/** Reads a configuration whose data directory holds `myid`. */
async function read(lines: string[], myid: string | null = null): Promise<ServerSettings> {
  await using folder = await temporaryFolder()
  const data = join(folder.path, 'data')
  await mkdir(data)
  if (myid !== null) await writeFile(join(data, 'myid'), `${myid}\n`)
  const file = join(folder.path, 'zoo.cfg')
  await writeFile(file, [`dataDir=${data}`, ...lines].join('\n'))
  return await readSettings(nodeDisk, file)
}

const ensemble = [
  'initLimit=10',
  'syncLimit=5',
  'clientPort=2181',
  'server.1=127.0.0.1:2888:3888',
  'server.2=127.0.0.1:2889:3889:participant',
  'server.3=127.0.0.1:2890:3890:observer',
  'server.4=[::1]:2891:3891;[::1]:2184',
]

test('defaults are Apache’s', async () => {
  const settings = await read(['clientPort=2181'])
  const { values } = settings
  assert.deepEqual(
    [values.tickTime, settings.minSessionTimeoutMs, settings.maxSessionTimeoutMs],
    [3000, 6000, 60000],
  )
  assert.deepEqual([values.maxClientCnxns, values.snapCount, values.preAllocSize], [60, 100000, 65536])
  assert.equal(values['jute.maxbuffer'], 1048575)
  assert.deepEqual(settings.warnings, [])
})

test('server lines are read with roles, client addresses and IPv6', async () => {
  const { quorum } = await read(ensemble, '2')
  assert.equal(quorum!.sid, 2n)
  assert.deepEqual(
    quorum!.members.peers.map(({ sid, endpoints: [at], isObserver, client }) => [
      sid,
      at!.host,
      at!.quorumPort,
      at!.electionPort,
      isObserver,
      client,
    ]),
    [
      [1n, '127.0.0.1', 2888, 3888, false, null],
      [2n, '127.0.0.1', 2889, 3889, false, null],
      [3n, '127.0.0.1', 2890, 3890, true, null],
      [4n, '::1', 2891, 3891, false, { host: '::1', port: 2184 }],
    ],
  )
})

test('a server may have several addresses where that is switched on', async () => {
  const lines = [
    'server.1=b:2888:3888|a:2889:3889:observer;2181',
    'server.2=a:2890:3890',
    'server.3=a:2891:3891',
    ...ensemble.filter(line => !line.startsWith('server.')),
  ]
  await assert.rejects(read(lines, '2'), /multiAddress\.enabled=false does not allow the several addresses/)
  const { quorum } = await read(['multiAddress.enabled=true', ...lines], '2')
  assert.equal(memberLines(quorum!.members)[0], 'server.1=a:2889:3889|b:2888:3888:observer;0.0.0.0:2181')
  const wrong = [
    [/gives its addresses different roles/, 'server.1=a:1:2:observer|b:1:2:participant'],
    [/has the same port twice/, 'server.1=a:1:2|a:1:3'],
    [/is not a server address/, 'server.1=a:1:2|'],
  ] as const
  for (const [message, line] of wrong)
    await assert.rejects(read(['multiAddress.enabled=true', line, ...lines.slice(1)], '2'), message)
})

test('a mistake is one sentence with file, line, problem and fix', async () => {
  const check = async (lines: string[], myid: string | null, message: RegExp) =>
    assert.rejects(read(lines, myid), (error: Error) => {
      assert.equal(error.name, 'ConfigError')
      assert.match(error.message, message)
      assert.match(error.message, /Fix: /)
      return true
    })
  await check(['tickTime=0'], null, /zoo\.cfg:2: tickTime=0 /)
  await check(['tickTime=soon'], null, /zoo\.cfg:2: tickTime=soon is not a whole number/)
  await check(
    ['standaloneEnabled=maybe'],
    null,
    /zoo\.cfg:2: standaloneEnabled=maybe is neither true nor false/,
  )
  await check(['electionAlg=1'], null, /electionAlg=1/)
  await check(['autopurge.snapRetainCount=2'], null, /autopurge\.snapRetainCount=2/)
  await check(
    ['minSessionTimeout=9', 'maxSessionTimeout=8'],
    null,
    /zoo\.cfg:2: minSessionTimeout=9 is larger/,
  )
  await check(['server.1=nonsense', 'server.2=b:1:2'], null, /zoo\.cfg:2: server\.1=nonsense /)
  await check(ensemble, null, /myid file is missing/)
  await check(ensemble, 'two', /myid=two is not a number/)
  await check(ensemble, '9', /myid=9 names a server that zoo\.cfg does not list/)
  await check(ensemble.slice(1), '1', /initLimit is missing/)
})

test('a key without effect is named, with the key that was perhaps meant', async () => {
  const { warnings } = await read(['tikTime=2000', 'secureClientPort=2281', 'nio.numWorkerThreads=4'])
  assert.equal(warnings.length, 3)
  assert.ok(warnings.some(w => /zoo\.cfg:2: tikTime is unknown .* did you mean tickTime\?/.test(w)))
  assert.ok(
    warnings.some(w =>
      /zoo\.cfg:3: secureClientPort has no effect: tls for clients is not served yet/i.test(w),
    ),
  )
})

test('keys are also known by the system property they become', async () => {
  const { values, warnings } = await read(['zookeeper.snapCount=50', 'zookeeper.extendedTypesEnabled=true'])
  assert.deepEqual([values.snapCount, values.extendedTypesEnabled, warnings], [50, true, []])
})

test('the server lines may stand in a file of their own', async () => {
  await using folder = await temporaryFolder()
  await writeFile(join(folder.path, 'myid'), '1')
  await writeFile(join(folder.path, 'zoo.cfg.dynamic'), 'server.1=a:1:2;2181\nserver.2=b:1:2;2181\n')
  const file = join(folder.path, 'zoo.cfg')
  const lines = [`dataDir=${folder.path}`, 'initLimit=5', 'syncLimit=2', 'dynamicConfigFile=zoo.cfg.dynamic']
  await writeFile(file, lines.join('\n'))
  const settings = await readSettings(nodeDisk, file)
  assert.equal(settings.quorum?.members.peers.length, 2)
  assert.equal(settings.client?.port, 2181)
})

test('a taken port is one sentence that names it, its key and the file', async () => {
  const other = createServer()
  await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as { port: number }
  await assert.rejects(startServer({ config: { clientPort: port } }), (error: Error) => {
    assert.equal(error.name, 'ConfigError')
    assert.match(
      error.message,
      new RegExp(`zoo\\.cfg: clientPort=127\\.0\\.0\\.1:${port} is taken by another program`),
    )
    return true
  })
  other.close()
})

test('a property passed to the JVM stands in for a key the file leaves out', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'zoo.cfg')
  await writeFile(file, [`dataDir=${folder.path}`, 'clientPort=2181', 'snapCount=500'].join('\n'))
  const flags =
    '-Dzookeeper.snapCount=700 -Dzookeeper.extendedTypesEnabled=true -Djute.maxbuffer=4096 -Xmx1g -Dzookeeper.x=1'
  const jvm = readJvmFlags({ SERVER_JVMFLAGS: flags }, ['SERVER_JVMFLAGS'])
  const { values, warnings } = await readSettings(nodeDisk, file, jvm)
  assert.deepEqual(
    [values.snapCount, values.extendedTypesEnabled, values['jute.maxbuffer']],
    [500, true, 4096],
  )
  assert.equal(warnings.length, 2)
  assert.match(warnings[0]!, /^SERVER_JVMFLAGS: -Xmx1g has no effect/)
  assert.match(warnings[1]!, /^SERVER_JVMFLAGS: x is unknown/)
})

test('whatever a file says, the settings are read or refused with key, problem and fix', async () => {
  await using folder = await temporaryFolder()
  const data = join(folder.path, 'data')
  await mkdir(data)
  const file = join(folder.path, 'zoo.cfg')
  const names = fc.constantFrom(
    ...Object.keys(keys).filter(name => !/^data/.test(name)),
    ...[
      'server.1',
      'server.2',
      'server.3',
      'server.x',
      'group.1',
      'group.x',
      'weight.1',
      'weight.x',
      'group.',
      'version',
    ],
  )
  const value = fc.oneof(
    fc.string({ maxLength: 12 }).filter(text => !/[\r\n]/.test(text)),
    fc.integer().map(String),
    fc.constantFrom(
      '127.0.0.1:2888:3888',
      '[::1]:1:2:observer',
      'a:1:2;3',
      ':::',
      '1:2',
      '1:2:3',
      'a:b',
      '',
      'yes',
      '*',
    ),
  )
  const lines = fc.array(fc.tuple(names, value), { maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(lines, fc.constantFrom('1', '2', 'x', ''), async (given, myid) => {
      await writeFile(join(data, 'myid'), myid)
      const base = [`dataDir=${data}`, 'initLimit=5', 'syncLimit=2']
      await writeFile(file, [...base, ...given.map(([key, text]) => `${key}=${text}`)].join('\n'))
      try {
        await readSettings(nodeDisk, file)
      } catch (error) {
        assert.ok(error instanceof ConfigError, String((error as Error).stack))
        assert.match(error.message, / Fix: ./)
      }
    }),
    { numRuns: 600 },
  )
})

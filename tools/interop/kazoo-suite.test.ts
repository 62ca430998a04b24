import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { program, without } from './peers.ts'
import { pathOf, runProgram } from './programs.ts'

/** What kazoo's tests ask for that is not served yet. */
const notServed = [
  // TLS for clients.
  'TestSSLClient',
]

const timeoutMs = 900_000

test('kazoo’s own tests pass against an ensemble of ours', {
  skip: without('python'),
  timeout: timeoutMs + 30_000,
}, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'interop-kazoo-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  // The suite starts `java … QuorumPeerMain zoo.cfg`: what stands in for java passes the flags on as operators do.
  const java = join(folder, 'java')
  const start = pathOf('../../bin/zookeeper-server-start.sh')
  writeFileSync(
    java,
    `#!/bin/sh\nfor word in "$@"; do\n  case $word in -D*) flags="$flags $word" ;; esac\n  file=$word\ndone\nSERVER_JVMFLAGS=$flags exec ${start} "$file"\n`,
  )
  chmodSync(java, 0o755)
  const { exitCode, stdout } = await runProgram(
    program('python', 'bin', 'python'),
    [
      '-m',
      'pytest',
      '--quiet',
      '--pyargs',
      'kazoo.tests',
      '-p',
      'no:cacheprovider',
      '-k',
      notServed.map(name => `not ${name}`).join(' and '),
    ],
    {
      cwd: folder,
      timeoutMs,
      env: {
        ...process.env,
        PATH: `${folder}:${process.env.PATH}`,
        ZOOKEEPER_CLASSPATH: 'none is needed',
        ZOOKEEPER_VERSION: '3.9.3',
        ZOOKEEPER_PORT_OFFSET: '24000',
      },
    },
  )
  const failed = stdout.split('\n').filter(line => /^(FAILED|ERROR) /.test(line))
  assert.deepEqual(failed, [])
  assert.equal(exitCode, 0, stdout.slice(-2_000))
  assert.ok(Number(/(\d+) passed/.exec(stdout)?.[1]) > 400, stdout.slice(-500))
})

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { classpath, without } from './peers.ts'
import { pathOf, runProgram } from './programs.ts'

/** Makes the server misbehave from within its JVM, which ours has not. */
const asksForApachesServer = ['TestLeaderSelectorEdges']

/**
 * Ends its own session inside the client and asks at once, with one more try after a millisecond: whether the client has
 * noticed by then is a matter of luck, whoever serves.
 */
const racesWithItself: readonly string[] = ['testPersistentLock']

/** Some of every kind that take seconds; all of them, with `CURATOR=all`, take half an hour, most of it spent waiting. */
const quick = [
  'TestCuratorCache',
  'TestCuratorCacheBridge',
  'TestDistributedAtomicLong',
  'TestDistributedBarrier',
  'TestDistributedDelayQueue',
  'TestDistributedDoubleBarrier',
  'TestGroupMember',
  'TestInterProcessMutex',
  'TestInterProcessReadWriteLock',
  'TestLeaderLatchCluster',
  'TestLockACLs',
  'TestPathChildrenCache',
  'TestPersistentNode',
  'TestPersistentTtlNode',
  'TestTreeCacheIteratorAndSize',
]

const isAll = process.env.CURATOR === 'all'
const timeoutMs = isAll ? 3_500_000 : 900_000

test('the tests of Curator’s recipes pass against servers of ours', {
  skip: without('curator'),
  timeout: timeoutMs + 30_000,
}, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'interop-curator-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  // The suite starts its servers through this one class: ours starts processes of ours.
  const adapter = pathOf('curator/ZooKeeperServerEmbeddedAdapter.java')
  execFileSync('javac', ['-cp', classpath('curator'), '-d', folder, adapter])
  const { stdout } = await runProgram(
    'java',
    [
      '-Xmx512m',
      `-Djava.io.tmpdir=${folder}`,
      `-Dserver.start=${pathOf('../../bin/zookeeper-server-start.sh')}`,
      '-cp',
      `${folder}:${classpath('curator')}`,
      'org.junit.platform.console.ConsoleLauncher',
      '--disable-ansi-colors',
      '--details=tree',
      '--details-theme=ascii',
      '--select-package=org.apache.curator.framework.recipes',
      `--include-classname=.*\\.(${isAll ? 'Test.*' : quick.join('|')})`,
      `--exclude-classname=.*\\.(${asksForApachesServer.join('|')})`,
    ],
    { cwd: folder, timeoutMs },
  )
  const failed = [...stdout.matchAll(/(test\w+)\(\).* \[X\]/g)]
    .map(([, name]) => name!)
    .filter(name => !racesWithItself.includes(name))
  assert.deepEqual(failed, [], stdout.slice(-20_000))
  const passed = Number(/^\[ *(\d+) tests successful/m.exec(stdout)?.[1])
  assert.ok(passed > (isAll ? 270 : 70), `${passed} passed\n${stdout.slice(-5_000)}`)
})

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../..', import.meta.url))
const source = 'packages/zookeeper-server/src/main.ts'
const bundle = 'node_modules/.cache/servers/zookeeper-server.mjs'
const stamp = 'node_modules/.cache/servers/.bundled-from'
const setupTime = new Date('2026-01-01T12:00:00Z')
const before = new Date('2026-01-01T11:00:00Z')
const after = new Date('2026-01-01T13:00:00Z')

/** A clone with a server that says what it was started from, as the setup leaves it. */
function clone(t: TestContext): { at(path: string): string; start(): string } {
  const folder = mkdtempSync(join(tmpdir(), 'vivarium-clone-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const at = (path: string) => join(folder, path)
  cpSync(join(root, 'bin'), at('bin'), { recursive: true })
  for (const path of [source, bundle, stamp]) {
    mkdirSync(dirname(at(path)), { recursive: true })
    writeFileSync(at(path), `console.log('${path}')\n`)
    utimesSync(at(path), setupTime, setupTime)
  }
  symlinkSync(join(root, 'node_modules', 'node'), at('node_modules/node'))
  for (const path of [source, dirname(source)]) utimesSync(at(path), before, before)
  return {
    at,
    start: () => execFileSync(at('bin/zookeeper-server-start.sh'), ['zoo.cfg'], { encoding: 'utf8' }).trim(),
  }
}

test('a start script starts the one file that the setup made of a server', t => {
  assert.equal(clone(t).start(), bundle)
})

test('a source that changed, came or went since the setup runs as it is', t => {
  const changed = clone(t)
  utimesSync(changed.at(source), after, after)
  assert.equal(changed.start(), source)
  const gone = clone(t)
  utimesSync(gone.at(dirname(source)), after, after)
  assert.equal(gone.start(), source)
})

test('without what the setup makes, sources run as they are', t => {
  const { at, start } = clone(t)
  rmSync(dirname(at(bundle)), { recursive: true })
  assert.equal(start(), source)
})

test('the one command says its version, and lists what it can do in columns', () => {
  const vivarium = (option: string) =>
    execFileSync(join(root, 'bin', 'vivarium'), [option], { encoding: 'utf8' })
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  assert.equal(vivarium('--version'), `${version} (ZooKeeper 3.9, Kafka 3.9)\n`)
  const entries = vivarium('--help')
    .split('\n')
    .filter(line => line.startsWith('  '))
  assert.ok(entries.length > 10)
  const columns = new Set(entries.map(line => /^ {2}[a-z-]+(, [a-z-]+)* +/.exec(line)![0].length))
  assert.equal(columns.size, 1)
  for (const line of entries) assert.match(line, / {2}[A-Z]/)
})

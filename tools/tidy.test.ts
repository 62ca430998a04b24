// The house rules, as far as a machine can check them. ARCHITECTURE.md says why they are as they are.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { test } from 'node:test'

/** Who may import whom: nothing upwards, nothing sideways. `platform/node` is a package of its own here. */
const mayImport: Record<string, readonly string[]> = {
  bytes: [],
  platform: [],
  simulator: ['platform'],
  'zookeeper-protocol': ['bytes'],
  'kafka-protocol': ['bytes'],
  zab: ['platform'],
  'log-storage': ['bytes', 'platform', 'kafka-protocol'],
  'zookeeper-client': ['bytes', 'platform', 'zookeeper-protocol'],
  'zookeeper-server': ['bytes', 'platform', 'zookeeper-protocol', 'zab'],
  broker: ['bytes', 'platform', 'kafka-protocol', 'log-storage', 'zookeeper-client'],
  monitor: ['bytes', 'platform', 'zookeeper-client'],
  dashboard: ['bytes', 'platform', 'zookeeper-client', 'monitor'],
  cli: ['bytes', 'platform', 'zookeeper-protocol', 'zookeeper-client', 'kafka-protocol', 'log-storage'],
}

/** What decides: no clock, no chance, no file, no socket, no waiting. */
const pure = [
  /^packages\/zab\/src\//,
  /^packages\/zookeeper-server\/src\/(data-tree|znodes|watches|sessions)/,
  /^packages\/broker\/src\/groups\/group\.ts$/,
  /^packages\/monitor\/src\/(rules|alerts)\/(engine|lifecycle)/,
]

const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
})
  .split('\0')
  .filter(path => path !== '' && existsSync(path))
const sources = files.filter(path => /^packages\/[^/]+\/src\/.*\.tsx?$/.test(path))
const textOf = new Map(
  files
    .filter(path => /\.(ts|tsx|mjs|md|sh|json|css|html)$/.test(path))
    .map(path => [path, readFileSync(path, 'utf8')]),
)

test('imports point down the floors and are declared', () => {
  for (const path of sources) {
    const own = packageOf(path)
    const declared = Object.keys(JSON.parse(textOf.get(`packages/${own}/package.json`)!).dependencies ?? {})
    for (const name of importsOf(path)) {
      if (name.startsWith('.') || name.startsWith('node:')) continue
      const dependency = name.startsWith('@') ? name.split('/').slice(0, 2).join('/') : name.split('/')[0]!
      assert.ok(
        declared.includes(dependency) || dependency === `@vivarium/${own}`,
        `${path} imports ${name}, which packages/${own}/package.json does not declare`,
      )
      if (dependency.startsWith('@vivarium/')) {
        const floor = dependency.slice('@vivarium/'.length)
        assert.ok(
          mayImport[own]?.includes(floor),
          `${path} imports ${name}: ${own} may import ${mayImport[own]?.join(', ') || 'nothing'}`,
        )
      }
    }
  }
})

test('the dashboard takes nothing but types from the monitor', () => {
  for (const path of sources.filter(p => packageOf(p) === 'dashboard')) {
    const values = textOf.get(path)!.match(/^import (?!type\b).*'@vivarium\/monitor'/m)
    assert.equal(values, null, `${path}: ${values?.[0]}`)
  }
})

test('the real world is let in only where programs are composed', () => {
  const composing = /^packages\/(cli\/src\/|platform\/src\/node\/|[^/]+\/src\/main\.ts)/
  for (const path of sources.filter(p => !composing.test(p))) {
    assert.ok(
      !importsOf(path).includes('@vivarium/platform/node'),
      `${path} imports @vivarium/platform/node: it should be given its world`,
    )
  }
})

test('what decides reads no clock, file, socket or random number, and never waits', () => {
  const forbidden =
    /\b(Date\.now|new Date\(\)|performance\.|Math\.random|setTimeout|setInterval|setImmediate|process\.|await )|from 'node:/
  for (const path of sources.filter(p => pure.some(pattern => pattern.test(p)))) {
    const found = withoutComments(textOf.get(path)!).match(forbidden)
    assert.equal(found, null, `${path} is pure and holds "${found?.[0]}"`)
  }
})

test('exports are named one by one', () => {
  for (const path of sources) {
    assert.doesNotMatch(textOf.get(path)!, /^export \* from/m, path)
  }
})

test('every package has a README, and a file holds one idea', () => {
  for (const name of Object.keys(mayImport))
    assert.ok(existsSync(`packages/${name}/README.md`), `packages/${name}/README.md`)
  for (const path of sources) {
    const lines = textOf.get(path)!.split('\n').length
    assert.ok(lines <= 650, `${path} has ${lines} lines: it probably holds two ideas`)
  }
})

test('nothing is left for later without saying so to the user', () => {
  for (const [path, text] of textOf) {
    if (basename(path) === 'tidy.test.ts') continue
    assert.doesNotMatch(text, /\b(TODO|FIXME|XXX|HACK)\b/, path)
    assert.doesNotMatch(text, /\b(test|it|describe)\.(only|todo)\b/, path)
  }
})

test('no large file is tracked', () => {
  for (const path of files) {
    const { size } = statSync(path)
    assert.ok(size <= 1024 * 1024, `${path} has ${size} bytes`)
  }
})

function packageOf(path: string): string {
  return path.split('/')[1]!
}

function importsOf(path: string): string[] {
  const text = withoutComments(textOf.get(path)!)
  return [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)\s[^'"`;]*?from\s*'([^']+)'|import\(\s*'([^']+)'|\nimport '([^']+)'/g,
    ),
  ].map(m => (m[1] ?? m[2] ?? m[3])!)
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, '$1')
}

// `npm run interop`: real peers, from the package registries, against this clone. Arguments name scenarios:
// `npm run interop -- clients znodes`.
import { globSync } from 'node:fs'
import { runTests } from '../run-tests.ts'
import { classpath, fetchPeer, peerNames, whatIs, without } from './peers.ts'

const wanted = process.argv.slice(2)
const scenarios = globSync('tools/interop/*.test.ts').sort()
const names = scenarios.map(path => path.replace(/^.*\/|\.test\.ts$/g, ''))
const unknown = wanted.filter(name => !names.includes(name))
if (unknown.length > 0) {
  console.error(`There is no scenario ${unknown.join(', ')}; there are: ${names.join(', ')}.`)
  process.exit(2)
}

console.error('Fetching peers (once; a minute or two) …')
const missing: string[] = []
for (const name of peerNames) {
  const reason = await fetchPeer(name)
  console.error(
    `  ${reason === null ? 'have' : 'MISS'}  ${whatIs(name)}${reason === null ? '' : `: ${reason}`}`,
  )
  if (reason !== null) missing.push(`${whatIs(name)}: ${reason}`)
}

// Suites that run against Apache's servers when they know where those are.
const shared =
  wanted.length > 0 || without('apache-3.9')
    ? []
    : [
        'packages/zookeeper-server/test/quorum-apache.test.ts',
        'packages/zookeeper-client/test/real-servers.test.ts',
      ]
const files = [...scenarios.filter((_, i) => wanted.length === 0 || wanted.includes(names[i]!)), ...shared]
// One at a time: each starts a cluster, and often a JVM or two beside it. A test that hangs, and what it leaves running,
// does not keep the others from their turn.
process.exitCode = await runTests(
  ['--test-concurrency=1', '--test-timeout=600000', '--test-force-exit'],
  files,
  { ...process.env, APACHE_ZOOKEEPER_CLASSPATH: classpath('apache-3.9') },
)
if (missing.length > 0)
  console.error(`\nNot tested, because it could not be had:\n${missing.map(line => `  ${line}\n`).join('')}`)

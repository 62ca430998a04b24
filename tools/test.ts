// `npm test`: everything that needs no peer from outside. Pure tests first, so that a broken core is named before the
// real processes that stand on it. Arguments are passed on: `npm test -- packages/zab` runs one package.
import { globSync, statSync } from 'node:fs'
import { runTests } from './run-tests.ts'

const floors = [
  'bytes',
  'platform',
  'simulator',
  'zookeeper-protocol',
  'kafka-protocol',
  'zab',
  'log-storage',
  'zookeeper-client',
  'zookeeper-server',
  'broker',
  'monitor',
  'dashboard',
  'cli',
]

const wanted = process.argv.slice(2)
const files =
  wanted.length > 0
    ? wanted.flatMap(path => (statSync(path).isDirectory() ? globSync(`${path}/**/*.test.ts`) : [path]))
    : [
        ...globSync('tools/*.test.ts'),
        ...floors.flatMap(floor => globSync(`packages/${floor}/test/**/*.test.ts`).sort()),
      ]

// Two files at a time: the machine the limits are made for has two cores. A test that hangs is a failure, not a wait.
process.exitCode = await runTests(['--test-concurrency=2', '--test-timeout=600000'], files)

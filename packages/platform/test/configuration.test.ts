import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConfigError, config, parseProperties, readConfig, readJvmFlags } from '../src/index.ts'

const keys = {
  'log.segment.bytes': config.int({
    default: 1073741824,
    min: 14,
    about: 'Size at which a new segment begins.',
  }),
  'auto.create.topics.enable': config.boolean({
    default: true,
    about: 'Whether a topic comes into being when it is named.',
  }),
  'log.dirs': config.list({ default: [], about: 'Where logs live.' }),
  'log.flush.interval.ms': config.long({ default: null, about: 'How long a record may be unsynced.' }),
  'remote.log.storage': config.boolean({
    default: false,
    about: 'Tiered storage.',
    unsupported: 'tiered storage is not there',
  }),
}
const read = (text: string) => readConfig(keys, parseProperties(text, 'server.properties'))

test('absent keys have their defaults, present ones their typed values', () => {
  const { values, warnings } = read(
    'log.segment.bytes=1024\nlog.dirs = /a, /b,\nlog.flush.interval.ms=9223372036854775807',
  )
  assert.equal(values['log.segment.bytes'], 1024)
  assert.equal(values['auto.create.topics.enable'], true)
  assert.deepEqual(values['log.dirs'], ['/a', '/b'])
  assert.equal(values['log.flush.interval.ms'], Number.MAX_SAFE_INTEGER)
  assert.deepEqual(warnings, [])
})

test('a wrong value names file, line, key, value, problem and fix', () => {
  const cases: [string, RegExp][] = [
    [
      '\n\nlog.segment.bytes=ten',
      /^server\.properties:3: log\.segment\.bytes=ten is not a whole number\. Fix: give a whole number/,
    ],
    ['log.segment.bytes=3', /^server\.properties:1: log\.segment\.bytes=3 is outside 14\.\.2147483647/],
    ['auto.create.topics.enable=yes', /is neither true nor false/],
  ]
  for (const [text, message] of cases) {
    assert.throws(
      () => read(text),
      (error: Error) => error instanceof ConfigError && message.test(error.message),
    )
  }
})

test('a key without effect is named: unknown ones with the nearest known, unsupported ones with the reason', () => {
  assert.deepEqual(read('log.segmnt.bytes=100\nfoo=1\nremote.log.storage=true').warnings, [
    'server.properties:3: remote.log.storage has no effect: tiered storage is not there',
    'server.properties:1: log.segmnt.bytes is unknown and has no effect; did you mean log.segment.bytes?',
    'server.properties:2: foo is unknown and has no effect',
  ])
})

test('a properties text is read as Java reads it', () => {
  const text =
    '# comment\n! too\n  a = 1  \nb:2\nc 3\nd\\ e=4\npath=C\\:\\\\x\nlong=one,\\\n   two\nu=\\u00e9\nempty=\na=5\n'
  const entries = [...parseProperties(text, 'f')].map(([key, { value }]) => [key, value])
  assert.deepEqual(Object.fromEntries(entries), {
    a: '5',
    b: '2',
    c: '3',
    'd e': '4',
    path: 'C:\\x',
    long: 'one,two',
    u: 'é',
    empty: '',
  })
})

test('flags for a JVM are read as its properties, or named as without effect', () => {
  const environment = {
    KAFKA_OPTS: '-Dzookeeper.skipACL=no -Dreadonlymode.enabled=true',
    JVMFLAGS: `-Xmx1G -XX:+UseG1GC "-Dzookeeper.superDigest=super:a b" -Dzookeeper.skipACL=yes -Djava.awt.headless=true -zap --add-opens a=b`,
  }
  const { properties, notes } = readJvmFlags(environment, ['KAFKA_OPTS', 'JVMFLAGS'])
  assert.deepEqual(
    [...properties].map(([key, { value, where }]) => `${where} ${key} ${value}`),
    [
      'JVMFLAGS zookeeper.skipACL yes',
      'KAFKA_OPTS readonlymode.enabled true',
      'JVMFLAGS zookeeper.superDigest super:a b',
    ],
  )
  assert.deepEqual(notes, [
    'JVMFLAGS: -Xmx1G has no effect: it is for a JVM, and this server needs none',
    'JVMFLAGS: -XX:+UseG1GC has no effect: it is for a JVM, and this server needs none',
    'JVMFLAGS: -Djava.awt.headless has no effect: it is for a JVM, and this server needs none',
    'JVMFLAGS: -zap is unknown and has no effect',
    'JVMFLAGS: --add-opens has no effect: it is for a JVM, and this server needs none',
  ])
})

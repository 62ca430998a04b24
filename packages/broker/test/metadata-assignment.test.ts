import assert from 'node:assert/strict'
import { test } from 'node:test'
import { assignReplicas } from '../src/metadata/replica-assignment.ts'
import { topicConfigProblem } from '../src/metadata/topic-configs.ts'
import { collidingTopics, topicNameProblem } from '../src/metadata/topic-names.ts'

const start = { firstIndex: 0, shift: 0, firstPartition: 0 }
const plain = (count: number) => Array.from({ length: count }, (_, id) => ({ id, rack: null }))

test('leaders go round, followers shift by one with each round', () => {
  assert.deepEqual(assignReplicas(plain(5), 10, 3, start), [
    [0, 1, 2],
    [1, 2, 3],
    [2, 3, 4],
    [3, 4, 0],
    [4, 0, 1],
    [0, 2, 3],
    [1, 3, 4],
    [2, 4, 0],
    [3, 0, 1],
    [4, 1, 2],
  ])
})

test('with racks, replicas lie on as many racks as there are', () => {
  const racks = ['a', 'b', 'c', 'a', 'b', 'c']
  const brokers = racks.map((rack, id) => ({ id, rack }))
  for (const replicas of assignReplicas(brokers, 24, 3, start)) {
    assert.equal(new Set(replicas.map(id => racks[id])).size, 3)
    assert.equal(new Set(replicas).size, 3)
  }
})

test('what cannot be placed is refused with Kafka’s code', () => {
  const code = (act: () => unknown) => {
    try {
      act()
    } catch (error) {
      return (error as { code: string }).code
    }
    return null
  }
  assert.equal(
    code(() => assignReplicas(plain(2), 1, 3, start)),
    'INVALID_REPLICATION_FACTOR',
  )
  assert.equal(
    code(() => assignReplicas(plain(2), 0, 1, start)),
    'INVALID_PARTITIONS',
  )
  const half = [
    { id: 0, rack: 'a' },
    { id: 1, rack: null },
  ]
  assert.equal(
    code(() => assignReplicas(half, 1, 1, start)),
    'INVALID_REPLICATION_FACTOR',
  )
})

test('a single broker takes everything', () => {
  assert.deepEqual(assignReplicas(plain(1), 3, 1, start), [[0], [0], [0]])
})

test('names that Kafka refuses are refused', () => {
  for (const name of ['', '.', '..', 'a b', 'ä', 'x'.repeat(250), 'a/b']) {
    assert.notEqual(topicNameProblem(name), null, name)
  }
  for (const name of ['a', '...', 'a-b_c.D9', 'x'.repeat(249)])
    assert.equal(topicNameProblem(name), null, name)
  assert.deepEqual(collidingTopics('a.b', ['a_b', 'a.b', 'ab']), ['a_b'])
})

test('a topic’s configuration is checked key by key, and against itself', () => {
  assert.equal(topicConfigProblem({ 'retention.ms': '-1', 'cleanup.policy': 'compact, delete' }), null)
  assert.equal(topicConfigProblem({ 'flush.messages': '9223372036854775807' }), null)
  assert.match(topicConfigProblem({ 'retention.msec': '1' })!, /Unknown topic config name/)
  assert.match(topicConfigProblem({ 'segment.bytes': '3' })!, /segment\.bytes/)
  assert.match(topicConfigProblem({ 'cleanup.policy': 'shred' })!, /cleanup\.policy/)
  assert.match(
    topicConfigProblem({ 'min.compaction.lag.ms': '5', 'max.compaction.lag.ms': '4' })!,
    /conflict/,
  )
})

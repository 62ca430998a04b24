import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog, jsonLayout, kafkaLayout, type LogLayout, zookeeperLayout } from '../src/index.ts'

function lines(layout: LogLayout, write: (log: ReturnType<typeof createLog>) => void): string {
  let text = ''
  write(
    createLog({
      layout,
      sink: line => (text += line),
      wallMs: () => new Date(2026, 10, 24, 9, 5, 7, 42).getTime(),
      name: 'QuorumPeer',
    }),
  )
  return text
}

test('a coordination server logs in the layout that ZooKeeper’s operators parse', () => {
  const text = lines(
    zookeeperLayout(() => '3'),
    log => log.info('LOOKING'),
  )
  assert.equal(text, '2026-11-24 09:05:07,042 [myid:3] - INFO  [main:QuorumPeer@1] - LOOKING\n')
})

test('a broker logs in Kafka’s layout', () => {
  const text = lines(kafkaLayout(), log => log.named('kafka.server.KafkaServer').warn('slow'))
  assert.equal(text, '[2026-11-24 09:05:07,042] WARN slow (kafka.server.KafkaServer)\n')
})

test('an error is followed by its stack, and levels below the floor are not written', () => {
  const text = lines(kafkaLayout(), log => {
    log.debug('unseen')
    log.error('it broke', new Error('why'))
  })
  assert.match(text, /^\[2026-11-24 09:05:07,042\] ERROR it broke \(QuorumPeer\)\nError: why\n {4}at /)
})

test('JSON lines carry level, time, name and message', () => {
  const event = JSON.parse(lines(jsonLayout(), log => log.error('it broke', new Error('why'))))
  assert.equal(event.level, 50)
  assert.equal(event.name, 'QuorumPeer')
  assert.equal(event.msg, 'it broke')
  assert.equal(event.err.message, 'why')
})

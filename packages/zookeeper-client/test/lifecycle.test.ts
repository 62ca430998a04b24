import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Event, Lifecycle, type Output } from '../src/lifecycle.ts'

const hosts = ['a', 'b', 'c'].map(host => ({ host, port: 2181 }))
const kinds = (outputs: Output[]) => outputs.map(output => output.kind).join(' ')

function connectedLifecycle(timeoutMs = 30_000): Lifecycle {
  const lifecycle = new Lifecycle(hosts, timeoutMs)
  lifecycle.step({ kind: 'wake', nowMs: 0 })
  lifecycle.step({ kind: 'opened', nowMs: 0 })
  assert.equal(kinds(lifecycle.step({ kind: 'accepted', nowMs: 0, timeoutMs })), 'resume state')
  return lifecycle
}

test('an idle client pings so that both sides hear of each other in time', () => {
  // Asked and measured: the session's timeout, when the first ping is due, when silence is a loss.
  const check = (timeoutMs: number, pingMs: number, lossMs: number) => {
    const lifecycle = connectedLifecycle(timeoutMs)
    assert.equal(Math.round(lifecycle.nextTickMs!), pingMs)
    assert.equal(kinds(lifecycle.tick(lifecycle.nextTickMs!, lifecycle.nextTickMs!)), 'ping')
    lifecycle.sent(lossMs)
    assert.equal(Math.round(lifecycle.nextTickMs!), lossMs)
    assert.equal(kinds(lifecycle.tick(lossMs + 1, lossMs)), 'drop-connection fail-requests wait state')
  }
  check(30_000, 9_000, 20_000)
  check(60_000, 10_000, 40_000)
  check(6_000, 1_000, 4_000)
  check(1_500, 500, 1_000)
})

test('a process that stood still looks for unread answers before it gives its server up', () => {
  const lifecycle = connectedLifecycle(30_000)
  assert.equal(kinds(lifecycle.tick(25_000, 9_000)), 'ping')
  lifecycle.sent(25_000)
  assert.equal(lifecycle.phase, 'connected')
  const dueMs = lifecycle.nextTickMs!
  assert.ok(dueMs <= 25_200)
  assert.equal(kinds(lifecycle.tick(dueMs, dueMs)), 'drop-connection fail-requests wait state')
})

test('servers are tried one after another, with a longer pause after each round', () => {
  const lifecycle = new Lifecycle(hosts, 30_000)
  const tried: string[] = []
  const pauses: number[] = []
  for (let i = 0; i < 18; i++) {
    for (const output of lifecycle.step({ kind: 'wake', nowMs: i })) {
      if (output.kind === 'dial') tried.push(output.host.host)
    }
    for (const output of lifecycle.step({ kind: 'lost', nowMs: i })) {
      if (output.kind === 'wait') pauses.push(output.minMs)
    }
  }
  assert.equal(tried.join(''), 'abc'.repeat(6))
  assert.deepEqual(
    pauses.filter((_, i) => i % 3 === 2),
    [50, 100, 200, 400, 500, 500],
  )
  assert.ok(pauses.every((pause, i) => i % 3 === 2 || pause === 0))
})

test('dialling, presenting the session and closing end in bounded time', () => {
  const lifecycle = new Lifecycle(hosts, 30_000)
  lifecycle.step({ kind: 'wake', nowMs: 0 })
  assert.equal(lifecycle.nextTickMs, 10_000)
  lifecycle.step({ kind: 'opened', nowMs: 100 })
  assert.equal(lifecycle.nextTickMs, 10_100)
  assert.equal(kinds(lifecycle.tick(10_100, 10_100)), 'drop-connection wait')
  const closing = connectedLifecycle()
  assert.equal(kinds(closing.step({ kind: 'close', nowMs: 5 })), 'close-session')
  assert.equal(closing.nextTickMs, 10_005)
  assert.equal(kinds(closing.tick(10_005, 10_005)), 'drop-connection fail-requests state')
  assert.equal(closing.state, 'closed')
})

test('whatever happens, in whatever order: an end is final, and a tick is due wherever something can hang', () => {
  const anyEvent = fc.record({
    kind: fc.constantFrom<Event['kind']>(
      'wake',
      'opened',
      'accepted',
      'refused',
      'lost',
      'auth-refused',
      'close',
      'close-confirmed',
    ),
    nowMs: fc.constant(0),
    timeoutMs: fc.constant(10_000),
  })
  fc.assert(
    fc.property(fc.array(anyEvent, { maxLength: 30 }), events => {
      const lifecycle = new Lifecycle(hosts, 10_000)
      let final: string | null = null
      for (const event of events) {
        const outputs = lifecycle.step(event as Event)
        if (final !== null) assert.deepEqual([lifecycle.phase, outputs], [final, []])
        if (['expired', 'auth-failed', 'closed'].includes(lifecycle.phase)) final = lifecycle.phase
        const canHang = ['dialling', 'handshaking', 'connected', 'closing'].includes(lifecycle.phase)
        assert.equal(lifecycle.nextTickMs !== null, canHang)
        // Requests never outlive the connection they were sent on.
        if (kinds(outputs).includes('drop-connection') && lifecycle.state !== 'connecting') {
          assert.match(kinds(outputs), /fail-requests/)
        }
      }
    }),
  )
})

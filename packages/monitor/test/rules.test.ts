import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import type { AlertRecord, LogRecord, MetricsRecord, ServerRole } from '../src/records.ts'
import { RuleEngine } from '../src/rules/engine.ts'

const servers = ['server-1', 'server-2', 'server-3']
const hashOf = (text: string) => createHash('sha1').update(text).digest('hex').slice(0, 16)

/** An ensemble told second by second: `roles` of the three servers, L leader, F follower, D down, K looking. */
function play(
  seconds: string[],
  logs: Record<number, Partial<LogRecord>[]> = {},
  engine = new RuleEngine('c', servers, hashOf),
): string[] {
  const letters: Record<string, ServerRole> = { L: 'leader', F: 'follower', D: 'down', K: 'looking' }
  const said: AlertRecord[] = []
  for (const [second, roles] of seconds.entries()) {
    const ts = 1_000_000 + second * 1000
    for (const log of logs[second] ?? [])
      said.push(...engine.log({ ts, level: 'INFO', message: '', server: 'server-1', ...log } as LogRecord))
    for (const [index, server] of servers.entries()) {
      const record: MetricsRecord = {
        ts: ts + index,
        server,
        cluster: 'c',
        role: letters[roles[index]!]!,
        values: {},
        scrapeMs: 1,
      }
      said.push(...engine.metrics(record))
    }
  }
  return said
    .filter(({ state }) => state === 'firing' || state === 'resolved')
    .map(alert => `${Math.floor((alert.ts - 1_000_000) / 1000)} ${alert.rule} ${alert.state}`)
}

const times = (count: number, roles: string) => Array.from({ length: count }, () => roles)

test('a whole ensemble raises nothing', () => {
  assert.deepEqual(play(times(100, 'FLF')), [])
})

test('the death of the leader: another leads, a server is down, the quorum is at risk; its return resolves all three', () => {
  const story = [...times(5, 'FLF'), 'FDF', 'LDF', ...times(5, 'LDF'), ...times(8, 'LFF')]
  assert.deepEqual(play(story), [
    '6 LeaderChanged firing',
    '8 ServerDown firing',
    '8 QuorumAtRisk firing',
    '12 ServerDown resolved',
    '12 QuorumAtRisk resolved',
    '17 LeaderChanged resolved',
  ])
})

test('a restart of a second wakes nobody', () => {
  assert.deepEqual(play([...times(5, 'FLF'), 'DLF', ...times(5, 'FLF')]), [])
})

test('an ensemble without leader is told after five seconds', () => {
  assert.deepEqual(play([...times(3, 'FLF'), ...times(8, 'KDK')]), [
    '6 QuorumAtRisk firing',
    '6 ServerDown firing',
    '8 NoLeader firing',
  ])
})

test('slow disks, lost sessions and errors are read off the logs, and are over after a minute without', () => {
  const logs = {
    2: [{ message: 'fsync-ing the write ahead log in SyncThread took 1500ms which …' }],
    5: Array.from({ length: 3 }, () => ({ message: 'Expiring session 0x1, timeout of 4000ms exceeded' })),
    6: Array.from({ length: 5 }, () => ({ level: 'ERROR', message: 'boom', server: 'server-2' })),
  }
  assert.deepEqual(play(times(70, 'FLF'), logs), [
    '2 FsyncSlow firing',
    '5 SessionExpiryBurst firing',
    '6 ErrorBurst firing',
    '62 FsyncSlow resolved',
    '65 SessionExpiryBurst resolved',
    '66 ErrorBurst resolved',
  ])
})

test('the same records give the same transitions with the same ids, also when the engine was saved and restored between', () => {
  const story = [...times(5, 'FLF'), 'FDF', ...times(6, 'LDF'), ...times(8, 'LFF')]
  const ids = (run: (engine: RuleEngine, from: number, to: number) => RuleEngine) => {
    const seen: string[] = []
    let engine = new RuleEngine('c', servers, hashOf)
    const record = (from: number, to: number) => {
      for (let second = from; second < to; second++) {
        for (const [index, server] of servers.entries()) {
          const role = ({ L: 'leader', F: 'follower', D: 'down' } as const)[
            story[second]![index] as 'L' | 'F' | 'D'
          ]
          for (const alert of engine.metrics({
            ts: second * 1000 + index,
            server,
            cluster: 'c',
            role,
            values: {},
            scrapeMs: 1,
          }))
            seen.push(alert.id)
        }
      }
    }
    record(0, 7)
    engine = run(engine, 0, 7)
    record(7, story.length)
    return seen
  }
  const straight = ids(engine => engine)
  const restarted = ids(
    engine => new RuleEngine('c', servers, hashOf, JSON.parse(JSON.stringify(engine.state))),
  )
  assert.deepEqual(restarted, straight)
  assert.equal(new Set(straight).size, straight.length)
})

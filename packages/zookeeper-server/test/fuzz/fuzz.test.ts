import { test } from 'node:test'
import { fuzz } from './fuzz.ts'

// A few lives of each target; `npm run fuzz` gives them a million inputs. Seeds that broke something once are named.

const lives: readonly [target: string, seed: number, what: string][] = [
  ['client', 1, 'words that look at files, sessions, requests of every kind'],
  ['client', 2, 'the same by other chances'],
  ['leader', 1, 'strangers who learn'],
  ['election', 1, 'strangers who vote'],
  ['follower', 13, 'a leader that answers a sync nobody asked for'],
  ['follower', 8, 'a proposal that no server could ever apply'],
  ['files', 15, 'a length in the log that lies'],
  ['files', 21, 'a length in the log that hides what stands behind it'],
]

for (const [target, seed, what] of lives) {
  test(`${target}, seed ${seed}: ${what}: nobody ends, stalls or forgets`, async () => {
    await fuzz(target, seed, { isTimed: false })
  })
}

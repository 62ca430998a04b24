import assert from 'node:assert/strict'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { silentLog } from '@vivarium/platform'
import { nodeDisk } from '@vivarium/platform/node'
import { EpochFiles } from '../src/quorum/epoch-files.ts'
import { temporaryFolder } from './embedded-server.ts'

async function check(
  files: { accepted?: string; current?: string },
  epochOfData: bigint,
  expected: { accepted: string; current: string } | RegExp,
): Promise<void> {
  await using folder = await temporaryFolder()
  const version = join(folder.path, 'version-2')
  await mkdir(version)
  if (files.accepted !== undefined) await writeFile(join(version, 'acceptedEpoch'), files.accepted)
  if (files.current !== undefined) await writeFile(join(version, 'currentEpoch'), files.current)
  const opening = EpochFiles.open(nodeDisk, folder.path, (epochOfData << 32n) | 7n, silentLog)
  if (expected instanceof RegExp) return assert.rejects(opening, expected)
  const epochs = await opening
  assert.deepEqual([epochs.accepted, epochs.current], [BigInt(expected.accepted), BigInt(expected.current)])
  assert.equal(await readFile(join(version, 'acceptedEpoch'), 'latin1'), expected.accepted)
  assert.equal(await readFile(join(version, 'currentEpoch'), 'latin1'), expected.current)
}

test('epochs are read from Apache’s files, and from the last transaction where there are none', async () => {
  await check({ accepted: '6', current: '5' }, 5n, { accepted: '6', current: '5' })
  await check({ accepted: '6\n', current: '6\n' }, 5n, { accepted: '6\n', current: '6\n' })
  await check({}, 3n, { accepted: '3', current: '3' })
})

test('a server that ended between taking over a history and noting its epoch starts again', async () => {
  await check({ accepted: '6', current: '4' }, 5n, { accepted: '6', current: '5' })
  await check({ accepted: '6', current: '4' }, 6n, { accepted: '6', current: '6' })
})

test('files that do not belong together are refused', async () => {
  await check({ accepted: '4', current: '4' }, 5n, /older than the last zxid/)
  await check({ accepted: '4', current: '5' }, 5n, /is less than the current epoch/)
  await check({ accepted: 'x', current: '5' }, 5n, /not an epoch/)
})

test('an epoch that is still on its way to the disk is not written over the next one', async () => {
  await using folder = await temporaryFolder()
  await mkdir(join(folder.path, 'version-2'))
  const epochs = await EpochFiles.open(nodeDisk, folder.path, 0n, silentLog)
  const next = Array.from({ length: 20 }, (_, i) => BigInt(i + 1))
  await Promise.all(next.flatMap(epoch => [epochs.setAccepted(epoch), epochs.setCurrent(epoch)]))
  assert.deepEqual([epochs.accepted, epochs.current], [20n, 20n])
  for (const name of ['acceptedEpoch', 'currentEpoch'])
    assert.equal(await readFile(join(folder.path, 'version-2', name), 'latin1'), '20')
})

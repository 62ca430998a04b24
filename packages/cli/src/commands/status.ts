import Table from 'cli-table3'
import { Command } from 'commander'
import type { CommandIo } from '../io.ts'
import type { ClusterFile } from '../up/cluster-file.ts'
import { serverMode } from '../up/probe.ts'
import { findRunningCluster } from '../up/running-cluster.ts'

/** Prints one row a process: address, process id, role in the ensemble. */
export async function run(argv: string[], io: CommandIo): Promise<number> {
  const command = new Command('vivarium status')
    .description('Show the processes of the running cluster and their roles.')
    .addHelpText(
      'after',
      '\nExamples:\n  vivarium status\n  vivarium status --json | jq .[0].state\n  vivarium status --data /tmp/b',
    )
  const found = findRunningCluster(command, argv, io)
  if (typeof found === 'number') return found
  const rows = await Promise.all(
    found.cluster.processes.map(async p => ({
      name: p.name,
      address: p.address,
      pid: p.pid,
      state: await stateOf(p),
      logFile: p.logFile,
    })),
  )
  if (found.isJson) {
    io.stdout.write(`${JSON.stringify(rows, null, 2)}\n`)
    return 0
  }
  const table = new Table({
    head: ['process', 'state', 'address', 'pid', 'log'],
    style: io.isTty ? { head: ['bold'] } : { head: [], border: [] },
  })
  for (const r of rows) {
    table.push([
      r.name,
      r.state,
      r.address === null ? '–' : `${r.address.host}:${r.address.port}`,
      r.pid ?? '–',
      r.logFile,
    ])
  }
  io.stdout.write(`${table.toString()}\n`)
  return 0
}

async function stateOf(p: ClusterFile['processes'][number]): Promise<string> {
  if (p.pid === null) return 'down'
  if (p.role !== 'server' || p.address === null) return 'running'
  return (await serverMode(p.address).catch(() => 'no answer')) ?? 'electing'
}

import { Command } from 'commander'
import type { CommandIo } from '../io.ts'
import type { ClusterFile } from '../up/cluster-file.ts'
import { serverMode } from '../up/probe.ts'
import { findRunningCluster } from '../up/running-cluster.ts'

/** Kills one process of the running cluster without warning it. */
export async function run(argv: string[], io: CommandIo): Promise<number> {
  const command = new Command('vivarium kill')
    .description(
      'Kill one process of the running cluster (kill -9); the supervisor starts it again after a moment.',
    )
    .argument('<who>', 'leader, or a process as `vivarium status` names it: server-2, broker-0, monitor …')
    .addHelpText(
      'after',
      '\nExamples:\n  vivarium kill leader\n  vivarium kill broker-1\n  vivarium kill monitor',
    )
  const found = findRunningCluster(command, argv, io)
  if (typeof found === 'number') return found
  const who = found.args[0]!
  const victim =
    who === 'leader' ? await leaderOf(found.cluster) : found.cluster.processes.find(p => p.name === who)
  if (victim === undefined || victim === null) {
    const names = found.cluster.processes.map(p => p.name).join(', ')
    io.stderr.write(
      who === 'leader'
        ? 'No server leads at the moment.\n'
        : `There is no process ${who}; there are: ${names}.\n`,
    )
    return 3
  }
  if (victim.pid === null) {
    io.stderr.write(`${victim.name} is down already.\n`)
    return 3
  }
  process.kill(victim.pid, 'SIGKILL')
  io.stdout.write(`Killed ${victim.name} (process ${victim.pid}).\n`)
  return 0
}

async function leaderOf(cluster: ClusterFile): Promise<ClusterFile['processes'][number] | null> {
  for (const p of cluster.processes) {
    if (p.role !== 'server' || p.pid === null || p.address === null) continue
    const mode = await serverMode(p.address).catch(() => null)
    if (mode === 'leader' || mode === 'standalone') return p
  }
  return null
}

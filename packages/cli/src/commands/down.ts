import { Command } from 'commander'
import type { CommandIo } from '../io.ts'
import { isSupervisor } from '../up/cluster-file.ts'
import { findRunningCluster } from '../up/running-cluster.ts'

/** Asks the supervisor to stop everything in order and waits until it has. */
export async function run(argv: string[], io: CommandIo): Promise<number> {
  const command = new Command('vivarium down')
    .description('Stop the running cluster in order: dashboard, monitor, brokers, ensemble.')
    .addHelpText(
      'after',
      '\nExamples:\n  vivarium down\n  vivarium down --data /tmp/b\n  vivarium down && npm start',
    )
  const found = findRunningCluster(command, argv, io)
  if (typeof found === 'number') return found
  const { supervisorPid } = found.cluster
  process.kill(supervisorPid, 'SIGTERM')
  const deadline = performance.now() + 90_000
  while (isSupervisor(supervisorPid)) {
    if (performance.now() > deadline) {
      io.stderr.write(`Process ${supervisorPid} is still stopping after 90 s; see its terminal.\n`)
      return 4
    }
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  io.stdout.write('Stopped.\n')
  return 0
}

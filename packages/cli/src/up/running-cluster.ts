import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Command } from 'commander'
import type { CommandIo } from '../io.ts'
import { type ClusterFile, readClusterFile } from './cluster-file.ts'
import { absolute } from './plan.ts'

const defaultData = join(fileURLToPath(new URL('../../../../', import.meta.url)), 'data')

/**
 * Reads the command line of a command that works on a running cluster (`--data`, then its own arguments) and finds
 * that cluster. Gives an exit code instead when there is nothing to do: help was asked for, or nothing runs there.
 */
export function findRunningCluster(
  command: Command,
  argv: string[],
  io: CommandIo,
): { cluster: ClusterFile; args: string[]; isJson: boolean } | number {
  command
    .option('--data <directory>', 'the data directory the cluster was started with', defaultData)
    .option('--json', 'print JSON')
    .exitOverride()
    .configureOutput({ writeOut: text => io.stdout.write(text), writeErr: text => io.stderr.write(text) })
  try {
    command.parse(argv, { from: 'user' })
  } catch (error) {
    return (error as { exitCode: number }).exitCode === 0 ? 0 : 2
  }
  const directory = absolute(command.opts().data, process.cwd())
  const cluster = readClusterFile(directory)
  if (cluster === null) {
    io.stderr.write(`No cluster runs on ${directory}. Start one with: npm start\n`)
    return 3
  }
  return { cluster, args: command.args, isJson: command.opts().json === true }
}

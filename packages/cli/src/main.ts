import { nearest } from '@vivarium/platform'
import { commands, findCommand } from './commands/index.ts'
import type { CommandIo } from './io.ts'
import { version } from './version.ts'

const io: CommandIo = {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  isTty: process.stdout.isTTY === true,
}

// A reader that stops early (`… | head`) is no failure of ours.
process.stdout.on('error', error => {
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') process.exit(0)
  throw error
})

process.exitCode = await main(process.argv.slice(2))

async function main([name, ...argv]: string[]): Promise<number> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    io.stdout.write(help())
    return name === undefined ? 2 : 0
  }
  if (name === '--version') {
    io.stdout.write(`${version} (ZooKeeper 3.9, Kafka 3.9)\n`)
    return 0
  }
  const command = findCommand(name)
  if (command === null) {
    const near = nearest(
      name,
      [...commands].flatMap(([own, { aliases }]) => [own, ...aliases]),
    )
    io.stderr.write(
      `vivarium: there is no command ${name}${near === null ? '' : `; did you mean ${near}?`}\n`,
    )
    io.stderr.write('Run vivarium --help for the list.\n')
    return 2
  }
  const { run } = await command.load()
  return run(argv, io)
}

function help(): string {
  const entries = [...commands].map(([name, { about, aliases }]) => ({
    names: [name, ...aliases.filter(alias => alias !== 'zkCli')].join(', '),
    about,
  }))
  const width = Math.max(...entries.map(({ names }) => names.length)) + 2
  const rows = entries.map(({ names, about }) => `  ${names.padEnd(width)}${about}`)
  return `ZooKeeper and Kafka, together.

Usage: vivarium <command> [options]

Commands:
${rows.join('\n')}

Every command has --help with examples. The same commands stand in bin/ under Apache's names.
`
}

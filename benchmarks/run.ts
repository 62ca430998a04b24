// `npm run bench`: canonical workloads beside Apache, in alternating rounds on this machine. See --help.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Command, InvalidArgumentError } from 'commander'
import { fetchPeer } from '../tools/interop/peers.ts'
import * as kafka from './kafka.ts'
import { asMarkdown, asTable, type Figure, machine, type Row, summarise } from './results.ts'
import * as scale from './scale.ts'
import { type Kind, kinds } from './servers.ts'
import * as zookeeper from './zookeeper.ts'
import { prepareLoad } from './zookeeper-load.ts'

const resultsFile = fileURLToPath(new URL('results.md', import.meta.url))

/** By name: one round of both kinds. */
const suites: Record<string, () => Promise<Record<Kind, Figure[]>>> = {
  ZooKeeper: zookeeper.measure,
  Scale: () => oneByOne(scale.measure),
  Kafka: () => oneByOne(kafka.measure),
}

const command = new Command('npm run bench --')
  .description(
    'Measures Vivarium beside Apache ZooKeeper and Kafka on this machine. Takes some minutes; needs java, mvn and gcc.',
  )
  .argument('[suites...]', 'zookeeper, scale, kafka; all if none is named')
  .option('--rounds <count>', 'rounds of each, alternating', rounds, 3)
  .option('--json', 'print JSON')
  .option('--save', 'write what was measured into benchmarks/results.md')
  .addHelpText(
    'after',
    '\nExamples:\n  npm run bench\n  npm run bench -- zookeeper --rounds 1\n  npm run bench -- kafka --save',
  )
  .parse()
const { rounds: count, json, save } = command.opts<{ rounds: number; json?: boolean; save?: boolean }>()
const wanted = command.args.map(name => name.toLowerCase())
const known = Object.keys(suites)
const unknown = wanted.filter(name => !known.some(suite => suite.toLowerCase() === name))
if (unknown.length > 0) {
  console.error(`There is no suite ${unknown.join(', ')}; there are: ${known.join(', ').toLowerCase()}.`)
  process.exit(2)
}

const missing = await fetchPeer('apache-3.9')
if (missing !== null) {
  console.error(`Apache's servers cannot be had, so there is nothing to measure beside: ${missing}`)
  process.exit(1)
}
prepareLoad()

const results: Record<string, Row[]> = {}
for (const name of known.filter(suite => wanted.length === 0 || wanted.includes(suite.toLowerCase()))) {
  const figures: Record<Kind, Figure[]> = { ours: [], apache: [] }
  for (let round = 1; round <= count; round++) {
    console.error(`${name}, round ${round} of ${count} …`)
    const measured = await suites[name]!()
    for (const kind of kinds) figures[kind].push(...measured[kind])
  }
  const rows = summarise(figures)
  results[name] = rows
  if (!json) console.log(`\n${name}\n${asTable(rows)}`)
  if (save) writeFileSync(resultsFile, withSection(name, asMarkdown(name, rows, count)))
}
if (json) console.log(JSON.stringify({ machine: machine(), results }, null, 2))

async function oneByOne(measure: (kind: Kind) => Promise<Figure[]>): Promise<Record<Kind, Figure[]>> {
  return { ours: await measure('ours'), apache: await measure('apache') }
}

/** results.md with one section new and the others as they are. */
function withSection(name: string, section: string): string {
  const [, ...sections] = existsSync(resultsFile)
    ? readFileSync(resultsFile, 'utf8').split(/^(?=## )/m)
    : ['']
  const others = sections.filter(text => !text.startsWith(`## ${name}\n`))
  const head = `# Beside Apache\n\n${machine()}.\n\nA ratio is Vivarium's figure divided by Apache's, the median of\nwhat was measured next to each other. The load comes from a C program and from Apache's own tools, on the\nsame machine as the servers.\n`
  return [
    head,
    ...[...others, section]
      .sort()
      .reverse()
      .map(text => `${text.trim()}\n`),
  ].join('\n')
}

function rounds(text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1 || value > 99)
    throw new InvalidArgumentError('It is not a whole number from 1 to 99.')
  return value
}

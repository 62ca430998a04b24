// `npm run fuzz`: bytes that no program sends, on every port and in every file of a coordination server. See --help.
import { availableParallelism } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Command, InvalidArgumentError, Option } from 'commander'
import { fuzz } from '../packages/zookeeper-server/test/fuzz/fuzz.ts'
import { targets } from '../packages/zookeeper-server/test/fuzz/targets.ts'

interface Task {
  target: string
  seed: number
}

type Report = { inputs: number } | { error: string }

if (isMainThread) await command()
else await work(workerData as Task[])

async function work(tasks: readonly Task[]): Promise<void> {
  let replay = ''
  const fail = (error: Error) => {
    const cause = error.cause instanceof Error ? error.cause : error
    parentPort!.postMessage({ error: `${replay}\n${error.message}\n${cause.stack}` } satisfies Report)
  }
  // What nobody catches would end a server, too. The target is of no use any more.
  process.on('uncaughtException', fail)
  for (const { target, seed } of tasks) {
    replay = `npm run fuzz -- --target ${target} --from ${seed} --inputs 1`
    try {
      parentPort!.postMessage({ inputs: await fuzz(target, seed) } satisfies Report)
    } catch (error) {
      fail(error as Error)
    }
  }
}

async function command(): Promise<void> {
  const { inputs, from, jobs, target } = new Command('npm run fuzz --')
    .description(
      'Sends mutated bytes to the client, quorum and election ports of real coordination servers on simulated machines, and ' +
        'starts them on mutated files. Nothing may end, forget, stall for 50 ms, or take more than 8 times the memory of its input.',
    )
    .option('--inputs <count>', 'how many at least', whole, 1_000_000)
    .option('--from <seed>', 'the first seed', whole, 1)
    .addOption(new Option('--target <name>', 'only this one').choices(Object.keys(targets)))
    .option('--jobs <count>', 'how many at a time', whole, availableParallelism())
    .addHelpText(
      'after',
      '\nExamples:\n  npm run fuzz\n  npm run fuzz -- --target files --inputs 10000\n  npm run fuzz -- --target client --from 17 --inputs 1',
    )
    .parse()
    .opts<{ inputs: number; from: number; jobs: number; target?: string }>()
  const chosen = target === undefined ? Object.keys(targets) : [target]
  const tasks = chosen.flatMap(name => {
    const { share, inputsPerSeed } = targets[name]!
    const count = Math.ceil((inputs * (target === undefined ? share : 1)) / inputsPerSeed)
    return Array.from({ length: count }, (_, i) => ({ target: name, seed: from + i }))
  })
  const startedMs = performance.now()
  let done = 0
  let failures = 0
  const tell = () =>
    `${done} inputs, ${failures} failures, ${Math.round((performance.now() - startedMs) / 1000)} s`
  const progress = setInterval(() => console.error(tell()), 10_000)
  await Promise.all(
    Array.from({ length: Math.min(jobs, tasks.length) }, async (_, job) => {
      const share = tasks.filter((_task, i) => i % jobs === job)
      await new Promise<void>((resolve, reject) => {
        const worker = new Worker(new URL(import.meta.url), {
          workerData: share,
          execArgv: process.execArgv,
        })
        worker.on('message', (report: Report) => {
          if ('inputs' in report) {
            done += report.inputs
          } else {
            failures++
            console.log(report.error)
          }
        })
        worker.once('error', reject)
        worker.once('exit', () => resolve())
      })
    }),
  )
  clearInterval(progress)
  console.error(tell())
  if (failures > 0) process.exitCode = 1
}

function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It is not a whole number.')
  return Number(text)
}

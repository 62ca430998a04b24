// `npm run sim`: ensembles through faults of fresh seeds, until one breaks a promise or the seeds are used up. See --help.
import { availableParallelism } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Command, InvalidArgumentError } from 'commander'
import { plantedBugs } from '../packages/zookeeper-server/test/simulation/planted-bugs.ts'
import { live } from '../packages/zookeeper-server/test/simulation/scenario.ts'

interface Share {
  first: number
  step: number
  count: number
  /** The name of a mistake to put into the code first. */
  bug?: string
}

type Outcome = { seed: number; steps: number; acknowledged: number } | { seed: number; error: string }
type Report = 'planted' | Outcome

/** Within so many seeds a planted bug must be found. */
const mostSeedsForABug = 10_000

if (isMainThread) await command()
else await work(workerData as Share)

async function work({ first, step, count, bug }: Share): Promise<void> {
  if (bug !== undefined) {
    plantedBugs[bug]!()
    parentPort!.postMessage('planted' satisfies Report)
  }
  for (let i = 0; i < count; i++) {
    const seed = first + i * step
    try {
      const { steps, acknowledged } = await live(seed)
      parentPort!.postMessage({ seed, steps, acknowledged } satisfies Report)
    } catch (error) {
      const { message, cause } = error as Error
      parentPort!.postMessage({
        seed,
        error: `${message}\n${(cause as Error)?.stack ?? ''}`,
      } satisfies Report)
    }
  }
}

async function command(): Promise<void> {
  const options = new Command('npm run sim --')
    .description(
      'Runs real coordination servers on simulated machines through kills, power losses, partitions and failing disks.',
    )
    .option('--seeds <count>', 'how many; without it, until stopped', whole)
    .option('--from <seed>', 'the first seed', whole, Math.floor(Math.random() * 2 ** 30))
    .option(
      '--planted',
      'puts one known mistake after another into the code, and tells by which seed it is found',
    )
    .option('--jobs <count>', 'how many at a time', whole, availableParallelism())
    .addHelpText(
      'after',
      '\nExamples:\n  npm run sim\n  npm run sim -- --seeds 20000\n  npm run sim -- --planted\n  npm run sim -- --from 6 --seeds 1',
    )
    .parse()
    .opts<{ seeds?: number; from: number; jobs: number; planted?: boolean }>()
  if (options.planted) return findPlantedBugs(options.jobs)
  const { seeds = Number.POSITIVE_INFINITY, from } = options
  const jobs = Math.max(1, Math.min(options.jobs, seeds))
  const startedMs = performance.now()
  const total = { seeds: 0, steps: 0, acknowledged: 0, failures: 0 }
  const tell = () => {
    const seconds = (performance.now() - startedMs) / 1000
    const perSecond = Math.round(total.steps / seconds / 1000)
    return `${total.seeds} seeds, ${(total.steps / 1e6).toFixed(1)} M steps (${perSecond} k/s), ${total.acknowledged} operations acknowledged, ${total.failures} failures, ${Math.round(seconds)} s`
  }
  console.error(`Seeds from ${from}, ${jobs} at a time …`)
  const progress = setInterval(() => console.error(tell()), 10_000)
  const shares = Array.from({ length: jobs }, (_, i) => ({
    first: from + i,
    step: jobs,
    count: Math.ceil((seeds - i) / jobs),
  }))
  const onReport = (report: Outcome) => {
    total.seeds++
    if ('error' in report) {
      total.failures++
      console.log(
        `SEED=${report.seed} npm test -- packages/zookeeper-server/test/simulation/simulation.test.ts`,
      )
      console.error(report.error)
    } else {
      total.steps += report.steps
      total.acknowledged += report.acknowledged
    }
  }
  await Promise.all(shares.map(share => run(share, onReport)))
  clearInterval(progress)
  console.error(tell())
  if (total.failures > 0) process.exitCode = 1
}

/** Lives every seed of a share. One that breaks where nobody can catch it has failed; a fresh thread goes on behind it. */
function run(share: Share, onReport: (report: Outcome) => void): Promise<void> {
  const worker = new Worker(new URL(import.meta.url), { workerData: share, execArgv: process.execArgv })
  let { first, count } = share
  const end = (report: Outcome) => {
    first = report.seed + share.step
    count--
    onReport(report)
  }
  let cause: Error | null = null
  return new Promise((resolve, reject) => {
    worker.on('message', (report: Report) => {
      if (report !== 'planted') end(report)
    })
    worker.once('error', (error: Error) => {
      cause = error
    })
    worker.once('exit', code => {
      if (code !== 0) end({ seed: first, error: cause?.stack ?? `its thread ended with exit code ${code}` })
      if (count > 0) run({ ...share, first, count }, onReport).then(resolve, reject)
      else resolve()
    })
  })
}

async function findPlantedBugs(jobs: number): Promise<void> {
  const waiting = Object.keys(plantedBugs)
  const all = waiting.length
  let missed = 0
  const takeOne = async () => {
    for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
      const seed = await seedThatFinds(bug)
      if (seed === null) missed++
      console.log(`${seed === null ? 'NOT FOUND' : `seed ${seed}`.padEnd(9)}  ${bug}`)
    }
  }
  await Promise.all(Array.from({ length: jobs }, takeOne))
  console.log(`${all - missed} of ${all} found`)
  if (missed > 0) process.exitCode = 1
}

/** A server that breaks in the middle of a step, where nobody can catch it, is found as well. */
function seedThatFinds(bug: string): Promise<number | null> {
  const share: Share = { first: 1, step: 1, count: mostSeedsForABug, bug }
  const worker = new Worker(new URL(import.meta.url), { workerData: share, execArgv: process.execArgv })
  let last = 0
  let isPlanted = false
  return new Promise((resolve, reject) => {
    const found = () => (isPlanted ? resolve(last + 1) : reject(new Error(`it could not be planted: ${bug}`)))
    worker.on('message', (report: Report) => {
      if (report === 'planted') {
        isPlanted = true
        return
      }
      last = report.seed
      if (!('error' in report)) return
      resolve(report.seed)
      void worker.terminate()
    })
    worker.once('error', found)
    // A life that never ends leaves nothing to do.
    worker.once('exit', () => (last === mostSeedsForABug ? resolve(null) : found()))
  })
}

function whole(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError('It is not a whole number.')
  return Number(text)
}

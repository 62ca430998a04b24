import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'
import Table from 'cli-table3'
import type { Kind } from './servers.ts'

/** One figure of one round. */
export interface Figure {
  workload: string
  unit: string
  /** Whether more is better. */
  isMoreBetter: boolean
  value: number
}

/** A figure of which more is better. */
export function more(workload: string, unit: string, value: number): Figure {
  return { workload, unit, isMoreBetter: true, value }
}

/** A figure of which less is better. */
export function less(workload: string, unit: string, value: number): Figure {
  return { workload, unit, isMoreBetter: false, value }
}

export interface Row {
  workload: string
  unit: string
  ours: number
  apache: number
  /** ours / apache, the median of what was measured next to each other. */
  ratio: number
  isMoreBetter: boolean
}

/** Medians, in the order the figures came. */
export function summarise(figures: Record<Kind, readonly Figure[]>): Row[] {
  const names = [...new Set(figures.ours.map(({ workload }) => workload))]
  return names.map(workload => {
    const of = (kind: Kind) => figures[kind].filter(figure => figure.workload === workload)
    const [ours, apache] = [of('ours'), of('apache')]
    const { unit, isMoreBetter } = ours[0]!
    return {
      workload,
      unit,
      ours: median(ours.map(({ value }) => value)),
      apache: median(apache.map(({ value }) => value)),
      ratio: median(ours.map(({ value }, index) => value / apache[index]!.value)),
      isMoreBetter,
    }
  })
}

export function median(figures: readonly number[]): number {
  const values = figures.toSorted((a, b) => a - b)
  const middle = values.length >> 1
  return values.length % 2 === 1 ? values[middle]! : (values[middle - 1]! + values[middle]!) / 2
}

export function asTable(rows: readonly Row[]): string {
  const table = new Table({
    head: ['workload', 'unit', 'Vivarium', 'Apache', 'ratio', 'better is'],
    colAligns: ['left', 'left', 'right', 'right', 'right', 'left'],
    style: { head: [], border: [] },
  })
  for (const row of rows) table.push(cells(row))
  return table.toString()
}

/** A section of results.md. */
export function asMarkdown(title: string, rows: readonly Row[], rounds: number): string {
  const lines = rows.map(row => `| ${cells(row).join(' | ')} |`)
  return `## ${title}

Medians of ${rounds} alternating rounds; \`npm run bench -- ${title.toLowerCase()} --rounds ${rounds}\`, ${new Date().toISOString().slice(0, 10)}.

| workload | unit | Vivarium | Apache | ratio | better is |
|---|---|---:|---:|---:|---|
${lines.join('\n')}
`
}

export function machine(): string {
  const java = execFileSync('sh', ['-c', 'java -version 2>&1 | head -1'], { encoding: 'utf8' }).trim()
  const memory = (totalmem() / 2 ** 30).toFixed(0)
  return `${cpus().length} cores (${cpus()[0]!.model.trim()}), ${memory} GiB, Linux ${release()}; Node ${process.versions.node}; ${java}; Apache ZooKeeper 3.9.3, Apache Kafka 3.9.1`
}

function cells({ workload, unit, ours, apache, ratio, isMoreBetter }: Row): string[] {
  const better = isMoreBetter ? 'more' : 'less'
  return [workload, unit, short(ours), short(apache), `${ratio.toFixed(2)}x`, better]
}

function short(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString('en')
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3)
}

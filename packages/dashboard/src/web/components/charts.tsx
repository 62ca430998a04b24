import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import type { Sample } from '../../api.ts'
import { time } from '../format.ts'
import { samples, servers, throughput } from '../store.ts'
import { themeChanges } from './theme.tsx'

/** What the charts reach back to. */
const windowMs = 15 * 60_000
const shortestSeconds = 60
const sync = uPlot.sync('vivarium')

type Table = uPlot.AlignedData

export function Charts() {
  const names = servers.value.map(server => server.name)
  const since = Date.now() - windowMs
  const recent = samples.value.filter(sample => sample.ts >= since)
  const flow = throughput.value.filter(sample => sample.ts >= since)
  return (
    <section id="charts" aria-labelledby="charts-title">
      <div class="head">
        <h2 id="charts-title">Charts</h2>
        <p class="muted">the last quarter of an hour</p>
      </div>
      <div class="charts">
        <Chart
          title="Average latency, ms"
          names={names}
          data={perServer(recent, names, sample => sample.avgLatency)}
        />
        <Chart
          title="Requests per second"
          names={names}
          data={perServer(recent, names, sample => sample.requests)}
        />
        <Chart
          title="Connections"
          names={names}
          data={perServer(recent, names, sample => sample.connections)}
        />
        <Chart
          title="Records into topics per second"
          names={['all topics']}
          data={[flow.map(s => s.ts / 1000), flow.map(s => s.recordsPerSecond)]}
        />
      </div>
    </section>
  )
}

/** One column of times, one of values for each server; a server that was not seen leaves a gap. */
function perServer(
  all: readonly Sample[],
  names: readonly string[],
  pick: (sample: Sample) => number,
): Table {
  const rows = new Map<number, (number | null)[]>()
  for (const sample of all) {
    const column = names.indexOf(sample.server)
    if (column < 0) continue
    const second = Math.round(sample.ts / 1000)
    const row = rows.get(second) ?? names.map(() => null)
    row[column] = pick(sample)
    rows.set(second, row)
  }
  const seconds = [...rows.keys()].sort((a, b) => a - b)
  return [seconds, ...names.map((_, column) => seconds.map(second => rows.get(second)![column]!))] as Table
}

function Chart({ title, names, data }: { title: string; names: readonly string[]; data: Table }) {
  const holder = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const key = `${names.join()} ${themeChanges.value}`
  useEffect(() => {
    const element = holder.current!
    plot.current = new uPlot(options(names, element), data, element)
    const resize = new ResizeObserver(() =>
      plot.current?.setSize({ width: element.clientWidth, height: 170 }),
    )
    resize.observe(element)
    return () => {
      resize.disconnect()
      plot.current?.destroy()
    }
  }, [key])
  useEffect(() => {
    plot.current?.setData(data)
  }, [data])
  const last = names.map((name, i) => `${name} ${round(data[i + 1]?.at(-1))}`).join(', ')
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <div ref={holder} role="img" aria-label={`${title}: now ${last}`} />
    </figure>
  )
}

/** What there is, a minute at least: two samples would show their milliseconds, a single one a whole day. */
function timeRange(seconds: ArrayLike<number>): [number, number] {
  const last = seconds[seconds.length - 1] ?? Date.now() / 1000
  return [Math.min(seconds[0] ?? last, last - shortestSeconds), last]
}

function round(value: number | null | undefined): string {
  return value === null || value === undefined ? 'unknown' : String(Math.round(value * 10) / 10)
}

function options(names: readonly string[], element: HTMLElement): uPlot.Options {
  const style = getComputedStyle(element)
  const colour = (name: string) => {
    // Resolved through an element, because light-dark() must be computed.
    const probe = document.createElement('i')
    probe.style.color = `var(${name})`
    element.append(probe)
    const resolved = getComputedStyle(probe).color
    probe.remove()
    return resolved
  }
  const axis = {
    stroke: colour('--muted'),
    grid: { stroke: colour('--line'), width: 1 },
    ticks: { stroke: colour('--line'), width: 1 },
    font: `11px ${style.fontFamily}`,
  }
  return {
    width: element.clientWidth,
    height: 170,
    cursor: { sync: { key: sync.key }, y: false },
    legend: { live: false },
    scales: {
      x: { range: ({ data: [seconds] }) => timeRange(seconds) },
      y: { range: (_self, _min, max) => [0, Math.max(1, max * 1.1)] },
    },
    axes: [
      { ...axis, values: (_self, seconds) => seconds.map(second => time(second * 1000)) },
      { ...axis, size: 46 },
    ],
    series: [
      { label: 'time' },
      ...names.map((label, i) => ({
        label,
        stroke: colour(`--series-${(i % 5) + 1}`),
        width: 1.75,
        spanGaps: false,
        points: { show: false },
        value: (_self: uPlot, value: number | null) => round(value),
      })),
    ],
  }
}

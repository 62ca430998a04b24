import type { Clock, Timer } from '../clock.ts'

/** The machine's time. */
export const nodeClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  soon: task => void setImmediate(task),
  after: (delayMs, task) => cancellable(setTimeout(task, delayMs)),
  every: (intervalMs, task) => cancellable(setInterval(task, intervalMs)),
}

function cancellable(timer: NodeJS.Timeout): Timer {
  return { cancel: () => clearTimeout(timer) }
}

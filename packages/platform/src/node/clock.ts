import type { Clock, Timer } from '../clock.ts'

// Taken once: what is looked up as a global costs more than the call.
const { performance } = globalThis

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

/** How grave: `error`, someone must act; `warn`, someone may have to; `info`, a state changed; `debug`, the rest. */
export type Level = 'error' | 'warn' | 'info' | 'debug'

/**
 * Where a part of the program reports what happens. Messages that Apache's operators search for are worded as Apache
 * words them; an Error given as last argument is printed with its stack.
 */
export interface Log {
  error(message: string, error?: unknown): void
  warn(message: string, error?: unknown): void
  info(message: string, error?: unknown): void
  debug(message: string, error?: unknown): void
  readonly isDebugEnabled: boolean
  /** The same log under the name of another part, such as `QuorumPeer` or `kafka.controller.KafkaController`. */
  named(name: string): Log
}

/** Puts an event into the one line (or several) that is written. */
export type LogLayout = (event: LogEvent) => string

export interface LogEvent {
  wallMs: number
  level: Level
  /** The part of the program. */
  name: string
  message: string
  error: Error | undefined
}

/** `2026-11-24 12:00:00,123 [myid:1] - INFO  [main:QuorumPeer@1] - message`: Apache ZooKeeper's, since parsers know it. */
export function zookeeperLayout(myid: () => string, thread = 'main'): LogLayout {
  return e =>
    `${timestamp(e.wallMs)} [myid:${myid()}] - ${e.level.toUpperCase().padEnd(5)} [${thread}:${e.name}@1] - ${e.message}\n${stack(e)}`
}

/** `[2026-11-24 12:00:00,123] INFO message (kafka.server.KafkaServer)`: Apache Kafka's. */
export function kafkaLayout(): LogLayout {
  return e => `[${timestamp(e.wallMs)}] ${e.level.toUpperCase()} ${e.message} (${e.name})\n${stack(e)}`
}

/** One JSON object a line, in pino's field names. */
export function jsonLayout(): LogLayout {
  const levels = { error: 50, warn: 40, info: 30, debug: 20 }
  return e =>
    `${JSON.stringify({ level: levels[e.level], time: e.wallMs, name: e.name, msg: e.message, err: e.error && { message: e.error.message, stack: e.error.stack } })}\n`
}

const ranks = { debug: 0, info: 1, warn: 2, error: 3 } as const

/** A log that writes lines of `layout` into `sink`; levels below `level` cost nothing. */
export function createLog(options: {
  layout: LogLayout
  sink: (line: string) => void
  wallMs: () => number
  level?: Level
  name?: string
}): Log {
  const { layout, sink, wallMs, level = 'info', name = 'main' } = options
  const floor = ranks[level]
  const at =
    (eventLevel: Level) =>
    (message: string, error?: unknown): void => {
      if (ranks[eventLevel] < floor) return
      sink(layout({ wallMs: wallMs(), level: eventLevel, name, message, error: asError(error) }))
    }
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    isDebugEnabled: floor === 0,
    named: other => createLog({ ...options, name: other }),
  }
}

/** A log that keeps silent, for tests and embedding. */
export const silentLog: Log = createLog({ layout: () => '', sink: () => {}, wallMs: () => 0 })

function asError(value: unknown): Error | undefined {
  if (value === undefined || value instanceof Error) return value
  return new Error(String(value))
}

function stack(event: LogEvent): string {
  if (event.error === undefined) return ''
  const cause = event.error.cause instanceof Error ? `Caused by: ${event.error.cause.stack}\n` : ''
  return `${event.error.stack ?? event.error.message}\n${cause}`
}

/** Local time as log4j's ISO8601 prints it: `2026-11-24 12:00:00,123`. */
function timestamp(wallMs: number): string {
  const d = new Date(wallMs)
  const two = (n: number) => String(n).padStart(2, '0')
  const date = `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}`
  return `${date} ${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())},${String(d.getMilliseconds()).padStart(3, '0')}`
}

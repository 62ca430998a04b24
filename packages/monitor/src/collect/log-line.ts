/** Reads Apache ZooKeeper's log layout, of logback (3.8 and newer) and log4j (before). */
import { createHash } from 'node:crypto'

export interface LogLine {
  ts: number
  myid: number | null
  level: string
  thread: string
  class: string
  line: number
  message: string
}

const start = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)[,.](\d{3})/
// The thread's name may hold anything, colons and brackets included; the class and its line end it.
const rest =
  /^ (?:\[myid:(\d*)\] )?- (TRACE|DEBUG|INFO|WARN|ERROR|FATAL) +\[(.*?):([\w$.]+)@(\d+|\?)\] - (.*)$/s

/** Whether a line begins an entry of its own; all others belong to the entry before them. */
export function beginsEntry(line: string): boolean {
  return start.test(line)
}

/** Null if the line is not of the layout. Times are in this machine's time zone, as the layout does not name one. */
export function parseLogLine(text: string): LogLine | null {
  const time = start.exec(text)
  if (time === null) return null
  const found = rest.exec(text.slice(time[0].length))
  if (found === null) return null
  const [year, month, day, hour, minute, second, ms] = time.slice(1).map(Number) as number[]
  const [, myid, level, thread, className, line, message] = found
  return {
    ts: new Date(year!, month! - 1, day, hour, minute, second, ms).getTime(),
    myid: myid === undefined || myid === '' ? null : Number(myid),
    level: level!,
    thread: thread!,
    class: className!,
    line: line === '?' ? 0 : Number(line),
    message: message!,
  }
}

// In this order: what stands earlier may hold what stands later.
const variable =
  /0x[0-9a-fA-F]+|\/?(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?|\/[\w.-]+(?:\/[\w.-]*)*|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|-?\b\d+(?:\.\d+)?/g

/** Most parameters kept of one message: a dump of a thousand numbers is no help to anyone. */
const maxParams = 32

/** Takes numbers, addresses and paths out of a message, so that messages of one kind become equal. */
export function templateOf(message: string): { template: string; params: string[] } {
  const params: string[] = []
  const bare = message.replace(variable, found => {
    if (params.length < maxParams) params.push(found)
    return '<*>'
  })
  return { template: createHash('sha1').update(bare).digest('hex').slice(0, 12), params }
}

const number = new Intl.NumberFormat('en')

export function count(value: number | undefined): string {
  return value === undefined ? '–' : number.format(value)
}

export function ms(value: number | undefined): string {
  if (value === undefined) return '–'
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`
}

/** `09:41:07` */
export function time(ts: number): string {
  return new Date(ts).toTimeString().slice(0, 8)
}

/** `3 s`, `4 min`, `2 h`, `5 d` */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 90) return `${seconds} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

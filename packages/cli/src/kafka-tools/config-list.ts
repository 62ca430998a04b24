import { UsageError } from './options.ts'

/** `k=v,k2=[v1,v2]`: a value in brackets may hold commas. Throws UsageError. */
export function parseConfigList(text: string): Map<string, string> {
  const configs = new Map<string, string>()
  let rest = text.trim()
  while (rest !== '') {
    const found = /^\s*([^=,\s]+)\s*=\s*(?:\[([^\]]*)\]|([^,[\]]*))\s*(?:,|$)/.exec(rest)
    if (found === null)
      throw new UsageError(`Invalid entity config: ${rest} is not of the form key=value or key=[value,value]`)
    const [all, key, list, value] = found
    configs.set(key!, (list ?? value)!.trim())
    rest = rest.slice(all.length)
  }
  return configs
}

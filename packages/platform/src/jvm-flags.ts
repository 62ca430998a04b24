import type { Property } from './properties.ts'

/** What operators of Apache's servers pass to the JVM. */
export interface JvmFlags {
  /** `-Dkey=value`, by key; `where` is the variable it stood in. */
  properties: Map<string, Property>
  /** One sentence for each flag that has no effect here. */
  notes: string[]
}

/** Flags that size or tune what only a JVM has. */
const moot =
  /^-(X(ms|mx|mn|ss|log|verify|batch|int|comp|noclassgc|shareclasses|bootclasspath)|XX:|server$|client$|d64$|verbose|ea$|da$|esa$|enableassertions|javaagent:|agentlib:|agentpath:|cp$|classpath$|-add-(opens|exports|modules)|-illegal-access)/
/** They take the word behind them. */
const takesArgument = /^(-cp|-classpath|--add-(opens|exports|modules))$/
/** Properties of the JVM itself and of its logging: nothing of them is ours. */
const mootProperty =
  /^(java|sun|com\.sun|jdk|log4j2?|logback|file\.encoding|user|kafka\.logs?\.dir|zookeeper\.log|javax)\b/
/** The exceptions: they change what a server does, and are named as unsupported where they are. */
const serverProperty = /^java\.security\.auth\.login\.config$/

/** Reads the environment's `names` in that order; a later one overrides an earlier. */
export function readJvmFlags(
  environment: Readonly<Record<string, string | undefined>>,
  names: readonly string[],
): JvmFlags {
  const properties = new Map<string, Property>()
  const notes: string[] = []
  for (const where of names) {
    const words = wordsOf(environment[where] ?? '')
    for (let i = 0; i < words.length; i++) {
      const word = words[i]!
      const [, key, value = ''] = /^-D([^=]+)(?:=(.*))?$/s.exec(word) ?? []
      if (key !== undefined) {
        if (mootProperty.test(key) && !serverProperty.test(key))
          notes.push(`${where}: -D${key} has no effect: it is for a JVM, and this server needs none`)
        else properties.set(key, { value, where })
      } else if (moot.test(word)) {
        if (takesArgument.test(word)) i++
        notes.push(`${where}: ${word} has no effect: it is for a JVM, and this server needs none`)
      } else {
        notes.push(`${where}: ${word} is unknown and has no effect`)
      }
    }
  }
  return { properties, notes }
}

/** Splits as a shell does: blanks part words unless they are quoted. */
function wordsOf(text: string): string[] {
  const words = text.match(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g) ?? []
  return words.map(word => word.replace(/"([^"]*)"|'([^']*)'/g, (_, double, single) => double ?? single))
}

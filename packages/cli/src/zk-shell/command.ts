import type { WatchListener, ZooKeeper } from '@vivarium/zookeeper-client'
import type { Arguments, OptionNames } from './options.ts'

/** What a command of the shell may use. */
export interface Context {
  /** The session; throws a ShellError when there is none. */
  readonly zk: ZooKeeper
  /** One line, or several, of what was asked for. */
  print(text: string): void
  /** What is said about it: goes to standard error, as Apache's does. */
  say(text: string): void
  /** Prints the events of every watch. */
  readonly watcher: WatchListener
}

/** One command of the shell, with the usage line Apache has for it. */
export interface ShellCommand extends OptionNames {
  readonly name: string
  readonly usage: string
  /** One line for `help`. */
  readonly about: string
  /** Fewer words than this are a wrong usage. */
  readonly minWords: number
  /** Whether the first word is a path, to complete it. */
  readonly takesPath: boolean
  run(args: Arguments, context: Context): Promise<void>
}

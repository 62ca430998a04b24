import type { Command } from '../io.ts'

interface Entry {
  /** Names it answers to besides its own. */
  aliases: readonly string[]
  about: string
  /** Loaded when called, so that `--help` is quick. */
  load: () => Promise<{ run: Command }>
}

/** Every command of `vivarium`, in the order its help lists them. Apache's names without their `.sh`. */
export const commands: ReadonlyMap<string, Entry> = new Map(
  Object.entries<Entry>({
    up: {
      aliases: [],
      about: 'Start a whole cluster on this machine: ensemble, brokers, monitor, dashboard.',
      load: () => import('./up.ts'),
    },
    status: {
      aliases: [],
      about: 'Show the processes of the running cluster and their roles.',
      load: () => import('./status.ts'),
    },
    kill: {
      aliases: [],
      about: 'Kill one process of the running cluster (kill -9), to watch it recover.',
      load: () => import('./kill.ts'),
    },
    down: {
      aliases: ['stop'],
      about: 'Stop the running cluster in order.',
      load: () => import('./down.ts'),
    },
    'zk-cli': {
      aliases: ['zkCli', 'zk'],
      about: 'Read, write and watch znodes; a shell without arguments.',
      load: () => import('./zk-cli.ts'),
    },
    'kafka-topics': {
      aliases: ['topics'],
      about: 'Create, list, describe, alter and delete topics.',
      load: () => import('./kafka-topics.ts'),
    },
    'kafka-console-producer': {
      aliases: ['produce'],
      about: 'Send lines of standard input to a topic.',
      load: () => import('./kafka-console-producer.ts'),
    },
    'kafka-console-consumer': {
      aliases: ['consume'],
      about: 'Print the records of a topic.',
      load: () => import('./kafka-console-consumer.ts'),
    },
    'kafka-consumer-groups': {
      aliases: ['groups'],
      about: 'List, describe, delete and reset consumer groups.',
      load: () => import('./kafka-consumer-groups.ts'),
    },
    'kafka-configs': {
      aliases: ['configs'],
      about: 'Describe and alter the configuration of topics and brokers.',
      load: () => import('./kafka-configs.ts'),
    },
    'kafka-get-offsets': {
      aliases: ['offsets'],
      about: 'Print the offsets of partitions at a time.',
      load: () => import('./kafka-get-offsets.ts'),
    },
    'kafka-broker-api-versions': {
      aliases: ['api-versions'],
      about: 'Print which requests each broker understands.',
      load: () => import('./kafka-broker-api-versions.ts'),
    },
  }),
)

/** The command called `name` or one of its aliases. */
export function findCommand(name: string): Entry | null {
  const own = commands.get(name)
  if (own !== undefined) return own
  for (const entry of commands.values()) if (entry.aliases.includes(name)) return entry
  return null
}

import { type Address, ConfigError, type Disk } from '@vivarium/platform'
import { z } from 'zod'

const hostPort = z.string().regex(/^.+:\d{1,5}$/, 'is not host:port')

const schema = z.strictObject({
  cluster: z.string().min(1).default('vivarium'),
  servers: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        myid: z.number().int().optional(),
        address: hostPort,
        logFile: z.string().optional(),
      }),
    )
    .min(1),
  bootstrapServers: z.array(hostPort).min(1),
  stateDirectory: z.string(),
  scrapeIntervalMs: z.number().int().min(100).max(3_600_000).default(1000),
  webhook: z.strictObject({ url: z.url() }).optional(),
})

/** What a monitor watches, and where it writes. Addresses and paths are all it knows: the servers can be anyone's. */
export type MonitorConfig = z.infer<typeof schema>

/** Reads `monitor.json`. Rejects with ConfigError naming file, key, problem and fix. */
export async function readConfig(disk: Disk, path: string): Promise<MonitorConfig> {
  let json: unknown
  try {
    json = JSON.parse((await disk.readFile(path)).toString('utf8'))
  } catch (error) {
    throw new ConfigError({
      key: path,
      problem: `cannot be read: ${(error as Error).message}`,
      fix: 'give the path of a JSON file; docs/operations.md shows one',
    })
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new ConfigError({
    key: issue!.path.join('.') || 'the file',
    where: path,
    problem: `is not right: ${issue!.message}`,
    fix: 'docs/operations.md shows the keys',
  })
}

export function addressOf(text: string): Address {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) }
}

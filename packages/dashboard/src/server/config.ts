import { ConfigError, type Disk } from '@vivarium/platform'
import { z } from 'zod'

const schema = z.strictObject({
  cluster: z.string().default('vivarium'),
  host: z.string().default('127.0.0.1'),
  port: z.number().int().min(0).max(65535).default(8080),
  /** As in monitor.json, so that the same list serves both. */
  servers: z
    .array(
      z.strictObject({
        name: z.string(),
        address: z.string(),
        myid: z.number().int().optional(),
        logFile: z.string().optional(),
      }),
    )
    .default([]),
  bootstrapServers: z.array(z.string().regex(/^.+:\d+$/, 'is not host:port')).min(1),
})

/** What a dashboard shows, and where it is served. */
export type DashboardConfig = z.infer<typeof schema>

/** Reads `dashboard.json`. Rejects with ConfigError naming file, key, problem and fix. */
export async function readConfig(disk: Disk, path: string): Promise<DashboardConfig> {
  let json: unknown
  try {
    json = JSON.parse((await disk.readFile(path)).toString('utf8'))
  } catch (error) {
    throw new ConfigError({
      key: path,
      problem: `cannot be read: ${(error as Error).message}`,
      fix: 'give the path of a JSON file with bootstrapServers',
    })
  }
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new ConfigError({
    key: issue!.path.join('.') || 'the file',
    where: path,
    problem: `is not right: ${issue!.message}`,
    fix: 'see docs/operations.md',
  })
}

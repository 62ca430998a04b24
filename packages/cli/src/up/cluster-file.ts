import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { z } from 'zod'

const schema = z.object({
  supervisorPid: z.number(),
  startedAt: z.string(),
  processes: z.array(
    z.object({
      name: z.string(),
      role: z.enum(['server', 'broker', 'monitor', 'dashboard']),
      pid: z.number().nullable(),
      address: z.object({ host: z.string(), port: z.number() }).nullable(),
      logFile: z.string(),
    }),
  ),
})

/** What a running cluster tells other commands about itself, in `<data directory>/cluster.json`. */
export type ClusterFile = z.infer<typeof schema>

function pathIn(dataDirectory: string): string {
  return join(dataDirectory, 'cluster.json')
}

export function writeClusterFile(dataDirectory: string, cluster: ClusterFile): void {
  const path = pathIn(dataDirectory)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(`${path}.tmp`, `${JSON.stringify(cluster, null, 2)}\n`)
  renameSync(`${path}.tmp`, path)
}

/** The running cluster of that directory, or null if there is none (also when its supervisor is dead). */
export function readClusterFile(dataDirectory: string): ClusterFile | null {
  let text: string
  try {
    text = readFileSync(pathIn(dataDirectory), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  const cluster = schema.safeParse(JSON.parse(text))
  return cluster.success && isSupervisor(cluster.data.supervisorPid) ? cluster.data : null
}

export function removeClusterFile(dataDirectory: string): void {
  rmSync(pathIn(dataDirectory), { force: true })
}

/** Whether that process is a supervisor: after a kill or a reboot its number can be nobody's, a zombie's or a stranger's. */
export function isSupervisor(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ESRCH') return false
    // EPERM: it is another user's, whatever it is.
    if (code !== 'EPERM') throw error
  }
  if (process.platform !== 'linux') return true
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes('up')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

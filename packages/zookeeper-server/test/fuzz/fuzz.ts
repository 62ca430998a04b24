import { targets } from './targets.ts'

const stallMs = 50
const memoryFactor = 8

interface Usage {
  cpuMs: number
  bytes: number
}

function usage(): Usage {
  const { user, system } = process.threadCpuUsage()
  const { heapUsed, external } = process.memoryUsage()
  return { cpuMs: (user + system) / 1000, bytes: heapUsed + external }
}

/**
 * One life of a target: fresh, fed with what follows from the seed, and looked at in the end. Resolves with the number of
 * inputs; rejects with what broke and how to see it again. `isTimed`: more CPU or memory than may be is a break, too.
 */
export async function fuzz(name: string, seed: number, { isTimed = true } = {}): Promise<number> {
  const { inputsPerSeed, slackBytes, open } = targets[name]!
  const target = await open(seed)
  let at = 0
  let input = Buffer.alloc(0)
  try {
    for (; at < inputsPerSeed; at++) {
      input = target.input() as Buffer<ArrayBuffer>
      const excess = await excessOf(() => target.feed(input), input.length * memoryFactor + slackBytes)
      // The machine may have been busy, or code was compiled: what is in the input shows again.
      if (excess === null || at < 100 || !isTimed) continue
      const again = await excessOf(() => target.feed(input), input.length * memoryFactor + slackBytes)
      if (again !== null) throw new Error(`${again} (${excess} before)`)
    }
    await target.finish()
  } catch (error) {
    const { message } = error as Error
    throw new Error(
      `${name}, seed ${seed}, input ${at} of ${input.length} bytes (${input.subarray(0, 200).toString('hex')}): ${message}`,
      { cause: error },
    )
  }
  return at
}

/** What was more than may be, null if nothing. */
async function excessOf(feed: () => Promise<void>, mostBytes: number): Promise<string | null> {
  const before = usage()
  await feed()
  const after = usage()
  const cpuMs = after.cpuMs - before.cpuMs
  if (cpuMs > stallMs) return `it took ${Math.round(cpuMs)} ms of CPU`
  const bytes = after.bytes - before.bytes
  if (bytes > mostBytes) return `it took ${bytes} bytes of memory`
  return null
}

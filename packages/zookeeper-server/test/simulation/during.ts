import type { World } from '@vivarium/simulator'
import { ZooKeeper, type ZooKeeperOptions } from '@vivarium/zookeeper-client'

/** Lets time pass while something is awaited. */
export async function during<T>(world: World, task: Promise<T>): Promise<T> {
  let isOver = false
  const watched = task.finally(() => {
    isOver = true
  })
  watched.catch(() => {})
  await world.until('it is over', 60_000, () => isOver)
  return watched
}

/** A client on a machine of its own. */
export function clientOn(
  host: string,
  world: World,
  connect: string,
  options: Partial<ZooKeeperOptions> = {},
): ZooKeeper {
  const { clock, network, random } = world.machine(host).start()
  return new ZooKeeper({ connect, sessionTimeoutMs: 4_000, clock, network, random, ...options })
}

import type { Clock, Disk, Network, Random } from '@vivarium/platform'
import type { Chance } from './chance.ts'
import { SimulatedDisk } from './disk.ts'
import type { SimulatedNetwork } from './network.ts'
import type { Timeline } from './timeline.ts'

/** The time between the start and the end of a process: what was planned in it does not happen after it. */
export class Life {
  readonly #timeline: Timeline
  readonly #onEnd: (() => void)[] = []
  #isOver = false

  constructor(timeline: Timeline) {
    this.#timeline = timeline
  }

  get isOver(): boolean {
    return this.#isOver
  }

  after(delayMs: number, task: () => void): () => void {
    return this.#timeline.after(delayMs, () => {
      if (!this.#isOver) task()
    })
  }

  onEnd(task: () => void): void {
    this.#onEnd.push(task)
  }

  end(): void {
    this.#isOver = true
    for (const task of this.#onEnd.splice(0)) task()
  }
}

/** The doors a program is given. */
export interface Doors {
  clock: Clock
  disk: Disk
  network: Network
  random: Random
}

/** A computer with an address, a disk that outlives its processes, and at most one process at a time. */
export class Machine {
  readonly host: string
  readonly disk: SimulatedDisk
  readonly #timeline: Timeline
  readonly #network: SimulatedNetwork
  readonly #chance: Chance
  #life: Life | null = null
  /** Clocks of machines differ, and none runs quite right. */
  readonly #clockOffsetMs: number

  constructor(host: string, world: { timeline: Timeline; network: SimulatedNetwork; chance: Chance }) {
    this.host = host
    this.#timeline = world.timeline
    this.#network = world.network
    this.#chance = world.chance
    this.disk = new SimulatedDisk(world.chance)
    this.#clockOffsetMs = world.chance.between(-5_000, 5_000)
  }

  get isUp(): boolean {
    return this.#life !== null
  }

  /** Begins a process; gives it its doors. */
  start(): Doors {
    const life = new Life(this.#timeline)
    this.#life = life
    const chance = this.#chance
    return {
      clock: this.#clockOf(life),
      disk: this.disk.doorOf(life),
      network: this.#network.doorOf(this.host, life),
      random: { below: bound => chance.below(bound), bytes: count => chance.bytes(count) },
    }
  }

  /** kill -9: the system lives on, keeps what was written, and closes the connections. */
  kill(): void {
    this.#life?.end()
    this.#life = null
    this.#network.processEnded(this.host)
  }

  /** Power loss: nobody hears of it, and what was not synced may be gone. */
  losePower(): void {
    this.#life?.end()
    this.#life = null
    this.#network.powerLost(this.host)
    this.disk.loseWhatIsNotSynced()
  }

  #clockOf(life: Life): Clock {
    const timeline = this.#timeline
    return {
      wallMs: () => 1_700_000_000_000 + Math.floor(timeline.nowMs) + this.#clockOffsetMs,
      monotonicMs: () => timeline.nowMs,
      soon: task => void life.after(0, task),
      after: (delayMs, task) => ({ cancel: life.after(delayMs, task) }),
      every: (intervalMs, task) => {
        let cancel = () => {}
        const plan = () => {
          cancel = life.after(intervalMs, () => {
            plan()
            task()
          })
        }
        plan()
        return { cancel: () => cancel() }
      },
    }
  }
}

import { Chance } from './chance.ts'
import { Machine } from './machine.ts'
import { SimulatedNetwork } from './network.ts'
import { Timeline } from './timeline.ts'

/** Machines and what lies between them. Everything in it follows from the seed, and from what is asked of it. */
export class World {
  readonly seed: number
  readonly chance: Chance
  readonly timeline = new Timeline()
  readonly network: SimulatedNetwork
  readonly #machines = new Map<string, Machine>()

  constructor(seed: number) {
    this.seed = seed
    this.chance = new Chance(seed)
    this.network = new SimulatedNetwork(this.timeline, this.chance)
  }

  /** The machine of that name, which is its address too. */
  machine(host: string): Machine {
    let machine = this.#machines.get(host)
    if (machine === undefined) {
      machine = new Machine(host, this)
      this.#machines.set(host, machine)
    }
    return machine
  }

  get nowMs(): number {
    return this.timeline.nowMs
  }

  get steps(): number {
    return this.timeline.steps
  }

  /** Lets time pass. */
  pass(ms: number): Promise<void> {
    return this.timeline.run(this.nowMs + ms)
  }

  /** Lets time pass until `isSo`; rejects when it is not within `limitMs`. */
  async until(what: string, limitMs: number, isSo: () => boolean): Promise<void> {
    await this.timeline.run(this.nowMs + limitMs, isSo)
    if (!isSo()) throw new Error(`not within ${limitMs} virtual ms: ${what}`)
  }

  /** Parts the hosts in two that do not hear each other; or, one-way, of which only one hears the other. */
  part(some: readonly string[], others: readonly string[], isOneWay: boolean): void {
    for (const a of some) {
      for (const b of others) {
        this.network.block(a, b)
        if (!isOneWay) this.network.block(b, a)
      }
    }
  }
}

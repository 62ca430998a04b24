import assert from 'node:assert/strict'
import type { Connection } from '@vivarium/platform'
import { soundDisk, World } from '@vivarium/simulator'
import type { Member } from '../simulation/ensemble.ts'

/** Something that takes bytes from outside, in a world of its own. */
export interface Target {
  /** The next input. */
  input(): Buffer
  /** Gives it the bytes and lets everything come of them that will; rejects if something breaks. */
  feed(input: Buffer): Promise<void>
  /** Whether it is as well as before: others are served, nothing was lost. */
  finish(): Promise<void>
}

export interface TargetKind {
  /** So many inputs make a life; then all begins anew with the next seed. */
  inputsPerSeed: number
  /** Its part of all inputs. */
  share: number
  /** Memory that the world itself may take while one is fed. */
  slackBytes: number
  open(seed: number): Promise<Target>
}

/** A world in which nothing goes wrong by itself, and nothing takes long. */
export function calmWorld(seed: number): World {
  const world = new World(seed)
  world.network.faults = { latencyMs: [0.1, 0.1], stallRate: 0, resetRate: 0 }
  return world
}

export function calmDisk(world: World, host: string): void {
  world.machine(host).disk.faults = { ...soundDisk, latencyMs: [0.01, 0.01], stallRate: 0 }
}

/** Every process still runs. */
export function expectUp(members: readonly Member[]): void {
  for (const member of members) assert.ok(member.isUp, `server ${member.id} ended:\n${member.log}`)
}

/** A connection that is opened again when the other side had enough. */
export class Caller {
  readonly #world: World
  readonly #address: { host: string; port: number }
  readonly #network
  #connection: Connection | null = null
  #received: Buffer[] = []

  constructor(world: World, from: string, address: { host: string; port: number }) {
    this.#world = world
    this.#address = address
    this.#network = world.machine(from).start().network
  }

  get isOpen(): boolean {
    return this.#connection !== null
  }

  /** What came since the last look. */
  take(): Buffer {
    return Buffer.concat(this.#received.splice(0))
  }

  async open(): Promise<void> {
    this.close()
    this.#received = []
    this.#network.connect(this.#address, { timeoutMs: 1_000 }).then(
      connection => {
        this.#connection = connection
        connection.onData = chunk => {
          this.#received.push(chunk)
          if (this.#received.length > 1_000) this.#received.shift()
        }
        connection.onClose = () => {
          if (this.#connection === connection) this.#connection = null
        }
      },
      () => {},
    )
    await this.#world.pass(0.5)
  }

  async say(bytes: Buffer): Promise<void> {
    this.#connection?.write(bytes)
    await this.#world.pass(0.5)
  }

  close(): void {
    this.#connection?.destroy()
    this.#connection = null
  }
}

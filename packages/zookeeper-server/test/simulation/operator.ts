import type { World } from '@vivarium/simulator'
import { ZooKeeper, ZooKeeperError } from '@vivarium/zookeeper-client'
import { configFor, type Ensemble, type Member, serverLine } from './ensemble.ts'

const fewestVoters = 2

/** Who changes the members of an ensemble while it works, one after another, and asks again when an answer is lost. */
export class Operator {
  /** Members that were taken out: nobody starts them again. */
  readonly retired = new Set<Member>()
  readonly #world: World
  readonly #ensemble: Ensemble
  readonly #settings: Record<string, string>
  readonly #events: Set<string>
  #lines: readonly string[] = []
  /** Whether it has asked for any change. */
  hasChanged = false
  #isStopped = false

  constructor(
    world: World,
    ensemble: Ensemble,
    founders: number,
    settings: Record<string, string>,
    events: Set<string>,
  ) {
    this.#world = world
    this.#ensemble = ensemble
    this.#settings = settings
    this.#events = events
    for (const member of ensemble.members.slice(founders)) this.retired.add(member)
  }

  stop(): void {
    this.#isStopped = true
  }

  async run(): Promise<void> {
    const { chance } = this.#world
    const { clock, network, random } = this.#world.machine('10.0.3.1').start()
    while (!this.#isStopped) {
      const { connect } = this.#ensemble
      const zookeeper = new ZooKeeper({ connect, sessionTimeoutMs: 3_000, network, clock, random })
      while (!this.#isStopped && (zookeeper.state === 'connecting' || zookeeper.state === 'connected')) {
        await this.#change(zookeeper).catch(error => {
          if (!(error instanceof ZooKeeperError)) throw error
        })
        await new Promise<void>(resolve => clock.after(chance.between(100, 1_500), resolve))
      }
      await zookeeper.close()
    }
  }

  async #change(zookeeper: ZooKeeper): Promise<void> {
    const { chance } = this.#world
    const lines = await membersIn(zookeeper)
    this.#lines = lines
    this.hasChanged = true
    const member = chance.pick(this.#ensemble.members)
    const present = lines.find(line => line.startsWith(`server.${member.id}=`))
    const voters = lines.filter(line => line.includes(':participant'))
    if (present === undefined) await this.#add(zookeeper, member)
    else if (!present.includes(':participant') || voters.length > fewestVoters)
      await this.#remove(zookeeper, member)
  }

  async #add(zookeeper: ZooKeeper, member: Member): Promise<void> {
    const { chance } = this.#world
    const line = serverLine(member.id)
    if (!member.isUp) this.start(member)
    this.retired.delete(member)
    const role = chance.happens(0.2) ? ':observer' : ':participant'
    for (let tries = 0; tries < 10 && !this.#isStopped; tries++) {
      try {
        await zookeeper.reconfig({ joining: line.replace(':participant', role) })
        this.#events.add(`joined as ${role.slice(1)}`)
        return
      } catch (error) {
        if (!(error instanceof ZooKeeperError)) throw error
      }
      await zookeeper.sync('/').catch(() => {})
    }
  }

  /** Starts a member with the configuration that is written for it: who the members were, when last seen, and itself. */
  start(member: Member): void {
    const others = this.#lines.filter(line => !line.startsWith(`server.${member.id}=`))
    member.configure(configFor(member.id, [...others, serverLine(member.id)], this.#settings))
    member.boot()
  }

  async #remove(zookeeper: ZooKeeper, member: Member): Promise<void> {
    const isLeader = member.server?.role === 'leader'
    await zookeeper.reconfig({ leaving: String(member.id) })
    this.retired.add(member)
    this.#events.add(isLeader ? 'the leader left' : 'a member left')
    if (this.#world.chance.happens(0.5)) member.kill()
  }
}

/** The `server.N` lines of /zookeeper/config. */
export async function membersIn(zookeeper: ZooKeeper): Promise<string[]> {
  const { data } = await zookeeper.getData('/zookeeper/config')
  return data!
    .toString()
    .split('\n')
    .filter(line => line.startsWith('server.'))
}

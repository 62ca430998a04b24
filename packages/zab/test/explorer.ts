import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  type FromLeader,
  Leader,
  Learner,
  LearnerError,
  majority,
  planSync,
  type Sid,
  type Work,
} from '../src/index.ts'

// Every order of events there is, within bounds, on the real cores: which message arrives next, which write reaches its disk,
// who crashes, who is taken for a leader by whom. An election is worth nothing here: any server may believe in any other.

export interface Bounds {
  servers: number
  /** How often a server begins to lead. */
  leads: number
  proposals: number
  /** Power losses of single servers. */
  crashes: number
  /** Connections that break, and leaders that give up. */
  breaks: number
  /** How often a server begins to follow: one that is refused may try again without end. */
  follows: number
  /** How many may follow one leader at a time: with one, any two of three servers are all that act in an epoch. */
  followers: number
  /** Something that is done wrong on purpose: what the explorer must find. */
  mistake?:
    | 'current epoch before history'
    | 'learners ahead of their leader are led'
    | 'the epoch is not kept'
  /** Whether leaders remember what they committed; else learners that lack something get the whole database. */
  remembers: boolean
}

type Zxid = bigint
type ToLeader =
  | { kind: 'info'; acceptedEpoch: bigint }
  | { kind: 'ack-epoch'; currentEpoch: bigint; lastZxid: Zxid }
  | { kind: 'ack'; zxid: Zxid }
type ToLearner = FromLeader | { kind: 'database'; log: readonly Zxid[]; zxid: Zxid }

/** A write on its way to a disk; what comes of it when it is there. */
type DiskWrite =
  | { kind: 'accepted'; epoch: bigint }
  | { kind: 'current'; epoch: bigint }
  | { kind: 'append'; zxid: Zxid }
  | { kind: 'cut'; zxid: Zxid }
  | { kind: 'save'; log: readonly Zxid[] }

interface Link {
  toLearner: readonly ToLearner[]
  toLeader: readonly ToLeader[]
  isForwarding: boolean
}

/** A call of the core, to be repeated when it is made anew. */
type Call = readonly [name: string, ...values: unknown[]]

interface Role {
  kind: 'leading' | 'following'
  leader: number
  own: { acceptedEpoch: bigint; currentEpoch: bigint; lastZxid: Zxid; seenEpoch?: bigint }
  calls: readonly Call[]
  /** In memory: the log and how much of it is applied. */
  log: readonly Zxid[]
  applied: number
  /** The first zxid of the epoch, once it is served. */
  floor: Zxid
  incoming: { log: readonly Zxid[]; zxid: Zxid } | null
  writes: readonly DiskWrite[]
  /** A learner does one thing at a time. */
  isBusy: boolean
  isRestoring: boolean
}

interface Server {
  accepted: bigint
  current: bigint
  log: readonly Zxid[]
  seenEpoch: bigint
  role: Role | null
}

interface State {
  servers: readonly Server[]
  /** By `leader>learner`. */
  links: Readonly<Record<string, Link>>
  /** What clients may have been told. */
  committed: readonly Zxid[]
  established: Readonly<Record<string, number>>
  left: { leads: number; follows: number; proposals: number; crashes: number; breaks: number }
}

export interface Explored {
  states: number
  steps: number
  /** Leads that came to be established, and transactions committed, in some state. */
  epochs: number
  commits: number
  modes: Set<string>
}

/** Visits every state within the bounds. Throws with the way to the first one that breaks a promise of Zab's. */
export function explore(bounds: Bounds, mostStates = Number.POSITIVE_INFINITY): Explored {
  const found: Explored = { states: 0, steps: 0, epochs: 0, commits: 0, modes: new Set() }
  const seen = new Set<string>()
  const blank: Server = { accepted: 0n, current: 0n, log: [], seenEpoch: 0n, role: null }
  const { leads, follows, proposals, crashes, breaks } = bounds
  const start: State = {
    servers: new Array(bounds.servers).fill(blank),
    links: {},
    committed: [],
    established: {},
    left: { leads, follows, proposals, crashes, breaks },
  }
  const stack: { state: State; way: Way | null }[] = [{ state: start, way: null }]
  for (let next = stack.pop(); next !== undefined && found.states < mostStates; next = stack.pop()) {
    const { state, way } = next
    const key = fingerprint(state)
    if (seen.has(key)) continue
    seen.add(key)
    found.states++
    found.epochs = Math.max(found.epochs, Object.keys(state.established).length)
    found.commits = Math.max(found.commits, state.committed.length)
    for (const [what, step] of stepsFrom(state, bounds)) {
      found.steps++
      const world = new World(state, bounds, found.modes)
      const here: Way = { what, before: way }
      try {
        step(world)
        stack.push({ state: world.state(), way: here })
      } catch (error) {
        throw new Error(`${(error as Error).message}\n  ${wayTo(here).join('\n  ')}`, { cause: error })
      }
    }
  }
  return found
}

interface Way {
  what: string
  before: Way | null
}

function wayTo(end: Way): string[] {
  const steps: string[] = []
  for (let at: Way | null = end; at !== null; at = at.before) steps.unshift(at.what)
  return steps
}

function fingerprint(state: State): string {
  const text = JSON.stringify(state, (_key, value) =>
    typeof value === 'bigint' ? value.toString(16) : value,
  )
  return createHash('sha1').update(text).digest('latin1').slice(0, 8)
}

type Step = [what: string, take: (world: World) => void]

function stepsFrom(state: State, { servers, followers }: Bounds): Step[] {
  const steps: Step[] = []
  const { left } = state
  for (let id = 0; id < servers; id++) {
    const { role } = state.servers[id]!
    if (role === null) {
      if (left.leads > 0) steps.push([`${id} leads`, world => world.lead(id)])
      for (let leader = 0; leader < servers; leader++)
        if (
          left.follows > 0 &&
          state.servers[leader]!.role?.kind === 'leading' &&
          followersOf(state, leader) < followers
        )
          steps.push([`${id} follows ${leader}`, world => world.follow(id, leader)])
      continue
    }
    if (role.writes.length > 0) steps.push([`${id} has written`, world => world.written(id)])
    if (left.crashes > 0) steps.push([`${id} crashes`, world => world.crash(id)])
    if (role.kind === 'leading' && left.breaks > 0) steps.push([`${id} gives up`, world => world.giveUp(id)])
    if (role.kind === 'leading' && left.proposals > 0 && role.floor > 0n)
      steps.push([`${id} proposes`, world => world.propose(id)])
  }
  for (const [name, link] of Object.entries(state.links)) {
    const [leader, learner] = name.split('>').map(Number) as [number, number]
    if (link.toLeader.length > 0)
      steps.push([
        `${leader} hears ${link.toLeader[0]!.kind} from ${learner}`,
        world => world.toLeader(leader, learner),
      ])
    if (link.toLearner.length > 0 && !state.servers[learner]!.role!.isBusy)
      steps.push([`${learner} hears ${link.toLearner[0]!.kind}`, world => world.toLearner(leader, learner)])
    if (left.breaks > 0)
      steps.push([`${leader} and ${learner} lose each other`, world => world.lose(leader, learner)])
  }
  return steps
}

function followersOf({ links }: State, leader: number): number {
  return Object.keys(links).filter(name => name.startsWith(`${leader}>`)).length
}

const epochOf = (zxid: Zxid) => zxid >> 32n
const entryOf = (zxid: Zxid) => Buffer.from(zxid.toString(16))

/** One step from a state to the next: carries out what the cores ask for. */
class World {
  readonly #bounds: Bounds
  readonly #modes: Set<string>
  readonly #servers: Server[]
  readonly #links: Record<string, Link>
  #committed: Zxid[]
  readonly #established: Record<string, number>
  readonly #left: State['left']
  readonly #over: number[] = []

  constructor(state: State, bounds: Bounds, modes: Set<string>) {
    this.#bounds = bounds
    this.#modes = modes
    this.#servers = state.servers.map(server => ({ ...server, role: server.role && { ...server.role } }))
    this.#links = { ...state.links }
    this.#committed = [...state.committed]
    this.#established = { ...state.established }
    this.#left = { ...state.left }
  }

  state(): State {
    for (const id of this.#over) this.#leave(id)
    return {
      servers: this.#servers,
      links: Object.fromEntries(Object.entries(this.#links).sort(([a], [b]) => (a < b ? -1 : 1))),
      committed: this.#committed,
      established: this.#established,
      left: this.#left,
    }
  }

  #role(id: number): Role {
    return this.#servers[id]!.role!
  }

  // ---- what happens ----------------------------------------------------------------------------------------------------------

  lead(id: number): void {
    this.#left.leads--
    this.#begin(id, 'leading', id)
  }

  follow(id: number, leader: number): void {
    this.#left.follows--
    this.#begin(id, 'following', leader)
    const { accepted } = this.#servers[id]!
    this.#links[`${leader}>${id}`] = {
      toLearner: [],
      toLeader: [{ kind: 'info', acceptedEpoch: accepted }],
      isForwarding: false,
    }
  }

  #begin(id: number, kind: Role['kind'], leader: number): void {
    const server = this.#servers[id]!
    // What the log holds of an epoch, the server was synchronised with.
    const lastZxid = server.log.at(-1) ?? 0n
    if (server.current < epochOf(lastZxid)) {
      assert.ok(server.accepted >= epochOf(lastZxid), 'history of an epoch that was never accepted')
      server.current = epochOf(lastZxid)
    }
    server.role = {
      kind,
      leader,
      own: {
        acceptedEpoch: server.accepted,
        currentEpoch: server.current,
        lastZxid,
        ...(kind === 'leading' ? { seenEpoch: server.seenEpoch } : {}),
      },
      calls: [],
      log: server.log,
      applied: server.log.length,
      floor: 0n,
      incoming: null,
      writes: [],
      isBusy: false,
      isRestoring: false,
    }
  }

  propose(id: number): void {
    this.#left.proposals--
    this.#leader(id, 'propose')
  }

  crash(id: number): void {
    this.#left.crashes--
    this.#breakAll(id)
    this.#servers[id] = { ...this.#servers[id]!, role: null, seenEpoch: 0n }
  }

  giveUp(id: number): void {
    this.#left.breaks--
    this.#leave(id)
  }

  lose(leader: number, learner: number): void {
    this.#left.breaks--
    this.#break(leader, learner)
  }

  /** A role ends in order: what was begun is written before the next one begins; a torn database is read anew. */
  #leave(id: number): void {
    const server = this.#servers[id]!
    if (server.role === null) return
    this.#breakAll(id)
    const { writes, isRestoring } = server.role
    if (!isRestoring)
      for (const write of writes) {
        if (write.kind === 'append') server.log = [...server.log, write.zxid]
        else if (write.kind === 'accepted' && this.#bounds.mistake !== 'the epoch is not kept')
          server.accepted = write.epoch
      }
    server.role = null
  }

  #breakAll(id: number): void {
    for (const name of Object.keys(this.#links)) {
      const [leader, learner] = name.split('>').map(Number) as [number, number]
      if (leader === id || learner === id) this.#break(leader, learner, id)
    }
  }

  /** `gone` ends by itself. */
  #break(leader: number, learner: number, gone?: number): void {
    if (!(`${leader}>${learner}` in this.#links)) return
    delete this.#links[`${leader}>${learner}`]
    if (gone !== leader) this.#leader(leader, 'learnerGone', BigInt(learner))
    if (gone !== learner) this.#leave(learner)
  }

  toLeader(leader: number, learner: number): void {
    const link = this.#links[`${leader}>${learner}`]!
    const [packet, ...rest] = link.toLeader
    this.#links[`${leader}>${learner}`] = { ...link, toLeader: rest }
    const from = BigInt(learner)
    if (packet!.kind === 'info') {
      const server = this.#servers[leader]!
      if (packet!.acceptedEpoch > server.seenEpoch) server.seenEpoch = packet!.acceptedEpoch
      this.#leader(leader, 'learnerInfo', from, packet!.acceptedEpoch, 0)
    } else if (packet!.kind === 'ack-epoch') {
      this.#leader(leader, 'ackEpoch', from, packet!.currentEpoch, packet!.lastZxid, 0)
    } else {
      this.#leader(leader, 'ack', from, packet!.zxid, 0)
    }
  }

  toLearner(leader: number, learner: number): void {
    const link = this.#links[`${leader}>${learner}`]!
    const [packet, ...rest] = link.toLearner
    this.#links[`${leader}>${learner}`] = { ...link, toLearner: rest }
    if (packet!.kind === 'database') this.#role(learner).incoming = packet
    else this.#learner(learner, 'received', packet)
  }

  /** The oldest write is on the disk now. */
  written(id: number): void {
    const server = this.#servers[id]!
    const role = server.role!
    const [write, ...rest] = role.writes
    role.writes = rest
    switch (write!.kind) {
      case 'accepted':
        if (this.#bounds.mistake !== 'the epoch is not kept') server.accepted = write!.epoch
        if (role.kind === 'leading') this.#leader(id, 'acceptedEpochDurable')
        else this.#learner(id, 'completed')
        return
      case 'current':
        server.current = write!.epoch
        if (role.kind === 'leading') this.#leader(id, 'currentEpochDurable')
        else this.#learner(id, 'completed')
        return
      case 'append':
        server.log = [...server.log, write!.zxid]
        if (role.kind === 'leading') this.#leader(id, 'ack', BigInt(id), write!.zxid, 0)
        else if (!role.isBusy) this.#send(id, { kind: 'ack', zxid: write!.zxid })
        return
      case 'cut':
        server.log = server.log.filter(zxid => zxid <= write!.zxid)
        role.log = server.log
        role.applied = role.log.length
        role.floor = 0n
        return this.#learner(id, 'completed')
      case 'save':
        server.log = write!.log
        role.isRestoring = false
    }
  }

  // ---- the cores, made anew and brought to where they were -----------------------------------------------------------------------

  #leader(id: number, ...call: Call): void {
    const role = this.#role(id)
    let isNew = false
    const effects = {
      persistAcceptedEpoch: (epoch: bigint) => this.#write(id, { kind: 'accepted', epoch }),
      persistCurrentEpoch: (epoch: bigint) => this.#write(id, { kind: 'current', epoch }),
      sendLeaderInfo: (to: Sid, epoch: bigint) => this.#tell(id, to, { kind: 'leader-info', epoch }),
      synchronize: (to: Sid, peerLastZxid: Zxid) => this.#synchronize(id, to, peerLastZxid, leader),
      startServing: (zxid: Zxid) => {
        const epoch = String(epochOf(zxid))
        assert.ok(!(epoch in this.#established), `epoch ${epoch} has two leaders`)
        this.#established[epoch] = id
        for (const [position, known] of this.#committed.entries())
          assert.equal(role.log[position], known, `leader ${id} lacks what was committed`)
        this.#commitAll(role)
        role.floor = zxid
      },
      sendUpToDate: (to: Sid) => this.#tell(id, to, { kind: 'up-to-date' }),
      propose: (zxid: Zxid, entry: Uint8Array) => {
        role.log = [...role.log, zxid]
        this.#write(id, { kind: 'append', zxid })
        this.#tellAll(id, { kind: 'proposal', zxid, entry })
      },
      commit: (zxid: Zxid) => {
        this.#tellAll(id, { kind: 'commit', zxid })
        this.#commit(role, zxid)
      },
      confirm: () => {},
      refuse: (learner: Sid) => this.#break(id, Number(learner)),
      giveUp: () => this.#over.push(id),
    }
    const all = Object.entries(effects).map(([name, effect]) => [
      name,
      (...values: never[]) => isNew && (effect as (...values: never[]) => void)(...values),
    ])
    const sids = new Set(this.#servers.map((_, sid) => BigInt(sid)))
    const { mistake } = this.#bounds
    const own =
      mistake === 'learners ahead of their leader are led' ? { ...role.own, currentEpoch: 1_000n } : role.own
    const leader = new Leader(BigInt(id), majority(sids), own, Object.fromEntries(all))
    for (const past of role.calls) callLeader(leader, past)
    role.calls = [...role.calls, call]
    isNew = true
    callLeader(leader, call)
  }

  #learner(id: number, ...call: Call): void {
    const role = this.#role(id)
    let isNew = false
    const effects = {
      sendEpochAck: (currentEpoch: bigint, lastZxid: Zxid) =>
        this.#send(id, { kind: 'ack-epoch', currentEpoch, lastZxid }),
      sendAck: (zxid: Zxid) => this.#send(id, { kind: 'ack', zxid }),
      startServing: (zxid: Zxid) => {
        this.#commitAll(role)
        role.floor = zxid
      },
      append: (zxid: Zxid) => {
        assert.ok(zxid > (role.log.at(-1) ?? 0n), 'a log only grows')
        role.log = [...role.log, zxid]
        this.#write(id, { kind: 'append', zxid })
      },
      commit: (zxid: Zxid) => this.#commit(role, zxid),
      syncCompleted: () => {},
    }
    const all = Object.entries(effects).map(([name, effect]) => [
      name,
      (...values: never[]) => isNew && (effect as (...values: never[]) => void)(...values),
    ])
    const learner = new Learner(role.own, true, Object.fromEntries(all))
    const apply = ([name, packet]: Call): Work | null => {
      if (name !== 'completed') return learner.received(packet as FromLeader)
      learner.completed()
      return null
    }
    for (const past of role.calls) apply(past)
    role.calls = [...role.calls, call]
    isNew = true
    if (call[0] === 'completed') role.isBusy = false
    try {
      const work = apply(call)
      if (work !== null) this.#carryOut(id, work)
    } catch (error) {
      if (!(error instanceof LearnerError)) throw error
      assert.equal(error.exitCode, null, error.message)
      this.#over.push(id)
    }
  }

  #carryOut(id: number, work: Work): void {
    const role = this.#role(id)
    role.isBusy = true
    this.#modes.add(work.kind)
    switch (work.kind) {
      case 'persist-accepted-epoch':
        return this.#write(id, { kind: 'accepted', epoch: work.epoch })
      case 'truncate':
        return this.#write(id, { kind: 'cut', zxid: work.zxid })
      case 'restore':
        role.log = role.incoming!.log
        role.applied = role.log.length
        role.floor = role.incoming!.zxid
        role.incoming = null
        role.isRestoring = true
        return this.#learner(id, 'completed')
      case 'adopt-history': {
        role.log = [...role.log, ...work.committed.map(({ zxid }) => zxid)]
        const history: DiskWrite[] = work.afterRestore
          ? [{ kind: 'save', log: role.log }]
          : work.committed.map(({ zxid }) => ({ kind: 'append', zxid }))
        const current: DiskWrite = { kind: 'current', epoch: work.epoch }
        const isWrong = this.#bounds.mistake === 'current epoch before history'
        for (const write of isWrong ? [current, ...history] : [...history, current]) this.#write(id, write)
      }
    }
  }

  #synchronize(id: number, to: Sid, peerLastZxid: Zxid, leader: Leader): void {
    const role = this.#role(id)
    const name = `${id}>${to}`
    const link = this.#links[name]
    if (link === undefined) return
    const committed = role.log.slice(0, role.applied).map(zxid => ({ zxid, entry: entryOf(zxid) }))
    const last = committed.at(-1)?.zxid ?? 0n
    const lastProcessed = last > role.floor ? last : role.floor
    const plan = planSync(peerLastZxid, this.#bounds.remembers ? committed : [], lastProcessed, false)
    this.#modes.add(plan.mode)
    const packets: ToLearner[] = []
    if (plan.mode === 'snap') {
      packets.push({ kind: 'database', log: role.log.slice(0, role.applied), zxid: lastProcessed })
      packets.push({ kind: 'snap', zxid: lastProcessed })
    } else if (plan.mode !== 'read-log') {
      packets.push({ kind: plan.mode, zxid: plan.zxid })
      for (const { zxid, entry } of plan.txns)
        packets.push({ kind: 'proposal', zxid, entry }, { kind: 'commit', zxid })
    }
    packets.push({ kind: 'new-leader', zxid: leader.epoch! << 32n })
    for (const { zxid, entry } of leader.outstanding()) packets.push({ kind: 'proposal', zxid, entry })
    this.#links[name] = { ...link, toLearner: [...link.toLearner, ...packets], isForwarding: true }
  }

  // ---- disks, links, promises ------------------------------------------------------------------------------------------------------

  #write(id: number, write: DiskWrite): void {
    const role = this.#role(id)
    role.writes = [...role.writes, write]
  }

  #send(id: number, packet: ToLeader): void {
    const name = `${this.#role(id).leader}>${id}`
    const link = this.#links[name]
    if (link !== undefined) this.#links[name] = { ...link, toLeader: [...link.toLeader, packet] }
  }

  #tell(id: number, to: Sid, packet: ToLearner): void {
    const name = `${id}>${to}`
    const link = this.#links[name]
    if (link !== undefined) this.#links[name] = { ...link, toLearner: [...link.toLearner, packet] }
  }

  #tellAll(id: number, packet: ToLearner): void {
    for (const [name, link] of Object.entries(this.#links))
      if (name.startsWith(`${id}>`) && link.isForwarding) this.#tell(id, BigInt(name.split('>')[1]!), packet)
  }

  #commit(role: Role, zxid: Zxid): void {
    assert.equal(role.log[role.applied], zxid, 'what is committed is next in the log')
    this.#agree(role.applied, zxid)
    role.applied++
  }

  #commitAll(role: Role): void {
    for (const [position, zxid] of role.log.entries()) this.#agree(position, zxid)
    role.applied = role.log.length
  }

  /** There is one history. */
  #agree(position: number, zxid: Zxid): void {
    if (position === this.#committed.length) this.#committed.push(zxid)
    assert.equal(this.#committed[position], zxid, 'servers agree on every transaction')
  }
}

function callLeader(leader: Leader, [name, ...values]: Call): void {
  if (name === 'propose') {
    const zxid = leader.lastProposed + 1n
    return leader.propose(zxid, entryOf(zxid))
  }
  ;(leader as unknown as Record<string, (...values: unknown[]) => void>)[name]!(...values)
}

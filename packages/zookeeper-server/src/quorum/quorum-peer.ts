import { MalformedBytesError } from '@vivarium/bytes'
import {
  type Address,
  AssertionError,
  background,
  type Clock,
  ConfigError,
  type Log,
  type Timer,
} from '@vivarium/platform'
import {
  Election,
  type Electorate,
  LearnerError,
  type PeerState,
  peerState,
  type Sid,
  type Vote,
} from '@vivarium/zab'
import { formatZxid } from '@vivarium/zookeeper-protocol'
import { cannotBind, type ServerWorld } from '../server.ts'
import { ownPeer, type ServerSettings } from '../settings.ts'
import type { ServerStats } from '../stats.ts'
import { CannotListen } from './addresses.ts'
import {
  type Configuration,
  electionAddresses,
  isDisplaced,
  isSuccessor,
  memberLines,
  type Peer,
  parseConfiguration,
  peerOf,
  quorumAddresses,
  votersOf,
} from './configuration.ts'
import { ElectionConnections } from './election-connections.ts'
import { configTextIn, decodeNotification, encodeNotification } from './election-messages.ts'
import { EpochFiles } from './epoch-files.ts'
import { Following, type Master } from './following.ts'
import { Leading } from './leading.ts'
import { mendFromOthers } from './log-mending.ts'
import type { MemberContext } from './member.ts'
import { Membership } from './membership.ts'
import type { Replica } from './replica.ts'

const finalizeMs = 200
/** A port that cannot be had for such a reason stays so until an operator helps. */
const lastingProblems: ReadonlySet<string> = new Set(['EADDRINUSE', 'EACCES'])
/** A quorum that is lost for so long may stay lost. Source: QuorumPeer's wait before it starts its read-only server. */
const readOnlyAfterMs = 2_000
/** A server whose log is damaged asks the others again so often, while there is no leader. */
const askAgainMs = 2_000
/** So many leaders, one after another, are followed at once; before the next a server rests, each time twice as long. */
const promptTries = 3
const firstRestMs = 20
const stateNames = ['LOOKING', 'FOLLOWING', 'LEADING', 'OBSERVING'] as const

/** A member of an ensemble: elects, then leads or follows, and elects again when that is over. */
export class QuorumPeer {
  readonly #world: ServerWorld
  readonly #settings: ServerSettings
  readonly #replica: Replica
  readonly #stats: ServerStats
  readonly #onFailure: (error: Error) => void
  readonly #clock: Clock
  readonly #log: Log
  readonly #myId: Sid
  readonly membership: Membership
  #own: Peer
  readonly #connections: ElectionConnections
  readonly #election: Election
  #epochs: EpochFiles | null = null
  #electionTimer: Timer | null = null
  #readOnlyTimer: Timer | null = null
  #restTimer: Timer | null = null
  /** How often in a row it followed a leader without getting in step. */
  #fruitless = 0
  #decided: ((state: PeerState) => void) | null = null
  #current: Leading | Following | null = null
  /** Whom a reconfiguration named as the next leader: no election is needed. */
  #appointed: Sid | null = null
  #isStopped = false
  /** Only a whole database helps this server on. */
  #needsDatabase: boolean
  /** What was on disk is lost, and may have been all a quorum had: this server has no say until it has a leader's history. */
  #isDamaged: boolean
  /** Which of the observer masters is tried first; observers begin with different ones. */
  #masterTurn: number
  #lostQuorumAtMs: number

  constructor(
    world: ServerWorld,
    settings: ServerSettings,
    replica: Replica,
    stats: ServerStats,
    isDataWhole: boolean,
    onFailure: (error: Error) => void,
  ) {
    this.#world = world
    this.#settings = settings
    this.#replica = replica
    this.#stats = stats
    this.#onFailure = onFailure
    this.#clock = world.clock
    this.#log = world.log.named('QuorumPeer')
    const { sid, members, lastSeen, files } = settings.quorum!
    this.#myId = sid
    this.membership = new Membership(members, lastSeen, files, onFailure)
    this.#own = ownPeer(settings.quorum!)
    this.#lostQuorumAtMs = world.clock.monotonicMs()
    this.#masterTurn = world.random.below(1000)
    this.#isDamaged = !isDataWhole
    this.#needsDatabase = !isDataWhole
    const { values } = settings
    this.#connections = new ElectionConnections(
      world,
      {
        myId: sid,
        own: electionAddresses(this.#own),
        onAllInterfaces: values.quorumListenOnAllIPs,
        addresses: this.#electionAddresses(),
        mayServersJoin: this.membership.isDynamic,
        connectTimeoutMs: values.cnxTimeout,
      },
      (from, frame) => this.#receiveNotification(from, frame),
      ({ before, maxBytes }) => this.#replica.recordsBehind(before, maxBytes),
      (sid, isReachable) => {
        this.#election.reachable(sid, isReachable, this.#clock.monotonicMs())
        this.#scheduleElection()
      },
    )
    this.#election = new Election(
      {
        myId: sid,
        ...this.#electorate(),
        minNotificationMs: values['fastleader.minNotificationInterval'],
        maxNotificationMs: values['fastleader.maxNotificationInterval'],
        finalizeMs,
      },
      {
        send: (to, vote, state) =>
          this.#connections.send(to, encodeNotification(vote, state, this.membership.text)),
        reconnect: () => this.#connections.connectAll(),
        decided: (vote, state) => this.#onDecided(vote, state),
        outdone: () => {
          if (this.#current instanceof Leading) this.#current.outdone()
        },
      },
    )
  }

  async start(): Promise<void> {
    this.#epochs = await this.#openEpochs()
    this.#replica.setConfig(this.membership.text, this.membership.committed.version)
    try {
      await this.#connections.start()
    } catch (error) {
      throw this.#cannotBind(error)
    }
    background(this.#run(), this.#onFailure)
  }

  #openEpochs(): Promise<EpochFiles> {
    const { disk } = this.#world
    return EpochFiles.open(disk, this.#settings.dataDir, this.#replica.lastLoggedZxid, this.#log)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#electionTimer?.cancel()
    this.#readOnlyTimer?.cancel()
    this.#restTimer?.cancel()
    await this.#current?.stop('shutdown of this server')
    await this.#connections.stop()
    await this.membership.written()
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      if (this.#hasDamagedLog && (await this.#isMendedByOthers())) await this.#isWholeAgain()
      if (this.#isStopped) return
      const state = this.#appointed === null ? await this.#elect() : this.#takeAppointment(this.#appointed)
      if (this.#isStopped) return
      if (state === null) continue
      if (state === peerState.LEADING) await this.#lead()
      else await this.#follow(this.#election.vote.leader)
      this.#current = null
      this.#lostQuorumAtMs = this.#clock.monotonicMs()
      // Never vote with memory ahead of disk.
      await this.#replica.flush()
    }
  }

  /** A reconfiguration named the leader. It is tried once; if it is not there, an election decides. */
  #takeAppointment(leader: Sid): PeerState {
    this.#appointed = null
    this.#election.appoint(leader, this.#history)
    const { state } = this.#election
    this.#log.info(`${stateNames[state]}, as the reconfiguration named server ${leader} the leader`)
    return state
  }

  /** null: a damaged server has waited long enough for a leader, and asks the others for what it lacks again. */
  async #elect(): Promise<PeerState | null> {
    const startedMs = this.#clock.monotonicMs()
    this.#stats.lookings++
    const state = await this.#lookForLeader()
    if (state === null) return null
    const tookMs = this.#clock.monotonicMs() - startedMs
    this.#stats.electionMs.add(tookMs)
    const name = stateNames[state]
    this.#log.info(name)
    this.#log
      .named(name === 'LEADING' ? 'Leader' : 'Follower')
      .info(`${name} - LEADER ELECTION TOOK - ${Math.round(tookMs)} MS`)
    return state
  }

  // ---- election ------------------------------------------------------------------------------------------------------------

  #lookForLeader(): Promise<PeerState | null> {
    this.#reconfigureElection()
    this.#log.info('LOOKING')
    const lastZxid = this.#replica.lastLoggedZxid
    this.#log
      .named('FastLeaderElection')
      .info(`New election. My id = ${this.#myId}, proposed zxid=0x${formatZxid(lastZxid)}`)
    const { values } = this.#settings
    const canBeReadOnly = values['readonlymode.enabled'] && !this.#own.isObserver && !this.#isDamaged
    this.#readOnlyTimer = canBeReadOnly
      ? this.#clock.after(Math.max(readOnlyAfterMs, values.tickTime), () => this.#replica.startReadOnly())
      : null
    return new Promise(resolve => {
      const patience = this.#hasDamagedLog ? this.#clock.after(askAgainMs, () => this.#giveUp(resolve)) : null
      this.#decided = state => {
        patience?.cancel()
        this.#readOnlyTimer?.cancel()
        this.#replica.stopServing('an election has ended')
        resolve(state)
      }
      this.#startElection()
    })
  }

  #giveUp(resolve: (nobody: null) => void): void {
    this.#decided = null
    resolve(null)
  }

  #startElection(): void {
    this.#election.start(this.#history, this.#clock.monotonicMs())
    this.#scheduleElection()
  }

  #scheduleElection(): void {
    this.#electionTimer?.cancel()
    this.#electionTimer = null
    const { nextDeadlineMs } = this.#election
    if (nextDeadlineMs === Number.POSITIVE_INFINITY || this.#isStopped) return
    const delayMs = Math.max(0, nextDeadlineMs - this.#clock.monotonicMs())
    this.#electionTimer = this.#clock.after(Math.ceil(delayMs), () => {
      this.#election.elapse(this.#clock.monotonicMs())
      this.#scheduleElection()
    })
  }

  #receiveNotification(from: bigint, frame: Buffer): void {
    try {
      const n = decodeNotification(from, frame)
      this.#log
        .named('FastLeaderElection')
        .debug(
          `Notification: my state:${stateNames[this.#election.state]}; n.sid:${from}, n.state:${stateNames[n.state]}, n.leader:${n.leader}, ` +
            `n.round:0x${formatZxid(n.round)}, n.peerEpoch:0x${formatZxid(n.peerEpoch)}, n.zxid:0x${formatZxid(n.zxid)}`,
        )
      this.#hearOfMembers(frame)
      this.#election.received(n, this.#clock.monotonicMs())
      this.#scheduleElection()
    } catch (error) {
      if (!(error instanceof MalformedBytesError || error instanceof ConfigError)) throw error
      this.#log.named('FastLeaderElection').warn(`Ignoring a message: ${error.message}`)
    }
  }

  /** While it looks for a leader, a server learns from the others who the members are by now. */
  #hearOfMembers(frame: Buffer): void {
    if (!this.membership.isDynamic || this.#election.state !== peerState.LOOKING || this.#decided === null)
      return
    const text = configTextIn(frame)
    if (text === null) return
    const heard = parseConfiguration(text, 'notification')
    if (heard.version <= this.membership.committed.version) return
    this.#activate(heard, null)
    this.#log.named('FastLeaderElection').info('restarting leader election')
    this.#startElection()
  }

  #onDecided(_vote: Vote, state: PeerState): void {
    const decided = this.#decided
    this.#decided = null
    decided?.(state)
  }

  // ---- members ----------------------------------------------------------------------------------------------------------------

  get own(): Peer {
    return this.#own
  }

  #electorate(): Electorate {
    const { currentRule, nextRule } = this.membership
    return { current: currentRule, next: nextRule, isObserver: this.#own.isObserver || this.#isDamaged }
  }

  // ---- what was damaged ---------------------------------------------------------------------------------------------------------

  get #hasDamagedLog(): boolean {
    return this.#isDamaged && this.#replica.damage !== null
  }

  /** A leader's history has taken the place of what was lost. */
  #mended(): void {
    this.#isDamaged = false
    this.#log.info('What was damaged has been replaced: this server votes again')
    this.#election.reconfigure(this.#electorate())
    this.#election.appoint(this.#election.vote.leader, this.#history)
  }

  #isMendedByOthers(): Promise<boolean> {
    const { network } = this.#world
    const others = this.#electionAddresses()
    others.delete(this.#myId)
    return mendFromOthers(this.#replica, others, {
      myId: this.#myId,
      network,
      clock: this.#clock,
      log: this.#log,
      isOver: () => this.#isStopped,
    })
  }

  async #isWholeAgain(): Promise<void> {
    this.#epochs = await this.#openEpochs()
    this.#isDamaged = false
    this.#needsDatabase = false
    this.#log.info('What was damaged has been mended: this server votes again')
    this.#reconfigureElection()
  }

  get #history(): { lastZxid: bigint; peerEpoch: bigint } {
    return { lastZxid: this.#replica.lastLoggedZxid, peerEpoch: this.#epochs!.current }
  }

  #electionAddresses(): Map<Sid, Address[]> {
    const { committed, lastSeen } = this.membership
    return new Map([...committed.peers, ...lastSeen.peers].map(peer => [peer.sid, electionAddresses(peer)]))
  }

  /** A server that is in the configuration no more keeps its addresses, and follows without a vote until it is stopped. */
  #activate(configuration: Configuration, nextLeader: Sid | null): boolean {
    const before = this.membership.committed
    if (!this.membership.activate(configuration)) return false
    this.#log.info(
      `Configuration 0x${formatZxid(configuration.version)} is in force: ${memberLines(configuration).join(' ')}`,
    )
    if (!isSuccessor(configuration, before)) return false
    const own = peerOf(configuration, this.#myId) ?? { ...this.#own, isObserver: false }
    const { isObserver: wasObserver, client: clientBefore } = this.#own
    this.#own = own
    this.#reconfigureElection()
    const { client } = own
    const isMoved = client?.port !== clientBefore?.port || client?.host !== clientBefore?.host
    if (client !== null && isMoved) this.#replica.moveClients(client)
    this.#replica.shareLimits(this.membership.currentRule.voters.size)
    const { leader } = this.#election.vote
    const isLeaderChanged =
      nextLeader === null
        ? isDisplaced(peerOf(before, leader), peerOf(configuration, leader))
        : nextLeader !== leader
    if (own.isObserver === wasObserver && !isLeaderChanged) return false
    this.#appointed = nextLeader
    return true
  }

  /** Who elects, or where they are, has changed. */
  #reconfigureElection(): void {
    this.#election.reconfigure(this.#electorate())
    const moved = this.#connections.reconfigure(electionAddresses(this.#own), this.#electionAddresses())
    background(moved, error => this.#onFailure(this.#cannotBind(error)))
  }

  #cannotBind(error: unknown): Error {
    if (!(error instanceof CannotListen)) return error as Error
    return cannotBind(error.cause, error.address, error.key, this.#settings.file)
  }

  // ---- leading and following ----------------------------------------------------------------------------------------------------

  #context(): MemberContext {
    const { values } = this.#settings
    return {
      myId: this.#myId,
      own: this.#own,
      membership: this.membership,
      activate: (configuration, nextLeader) => this.#activate(configuration, nextLeader),
      replica: this.#replica,
      network: this.#world.network,
      clock: this.#clock,
      log: this.#world.log,
      tickMs: values.tickTime,
      initLimit: values.initLimit!,
      syncLimit: values.syncLimit!,
      connectRetryMs: values.leaderConnectDelayDuringRetryMs,
      listenOnAll: values.quorumListenOnAllIPs,
      observerMaster: { port: values.observerMasterPort, sizeLimit: values['observerMaster.sizeLimit'] },
      reconfigurable: {
        fewestVoters: values.standaloneEnabled ? 2 : 1,
        mayHaveSeveralAddresses: values['multiAddress.enabled'],
      },
      logSyncBytes: values.snapshotSizeFactor < 0 ? 0 : 64 * 1024 * 1024,
      needsDatabase: this.#needsDatabase,
      databaseNeeded: isNeeded => {
        this.#needsDatabase = isNeeded
      },
      established: epoch => {
        if (this.#isDamaged) this.#mended()
        this.#fruitless = 0
        this.#election.epochEstablished(epoch)
        this.#replica.setConfig(this.membership.text, this.membership.committed.version)
        this.#stats.unavailableMs.add(this.#clock.monotonicMs() - this.#lostQuorumAtMs)
        this.#log.info(`Peer state changed: ${this.stateText}`)
      },
      onFailure: error => this.#onFailure(this.#cannotBind(error)),
    }
  }

  async #lead(): Promise<void> {
    const leading = new Leading(this.#context(), this.#epochs!)
    this.#current = leading
    let reason: string
    try {
      reason = await leading.run()
    } catch (error) {
      if (error instanceof CannotListen && lastingProblems.has(error.cause.code ?? ''))
        throw this.#cannotBind(error)
      if (error instanceof AssertionError) throw error
      reason = (error as Error).message
    }
    this.#log.named('Leader').info(`Shutdown called. For the reason ${reason}`)
    if (!this.#isStopped) await leading.stop(reason)
  }

  async #follow(leaderSid: bigint): Promise<void> {
    const { committed, lastSeen } = this.membership
    const leader = peerOf(committed, leaderSid) ?? peerOf(lastSeen, leaderSid)
    if (leader === null) throw new Error(`the elected leader, ${leaderSid}, is not in the configuration`)
    const following = new Following(this.#context(), this.#epochs!)
    this.#current = following
    const role = this.#own.isObserver ? 'observing' : 'following'
    try {
      await following.run(this.#own.isObserver ? this.#mastersUnder(leader) : atQuorumPort(leader))
    } catch (error) {
      if (this.#isStopped) return
      if (error instanceof AssertionError) throw error
      if (error instanceof LearnerError && error.exitCode !== null) throw error
      const { message } = error as Error
      this.#log
        .named(this.#own.isObserver ? 'Observer' : 'Follower')
        .warn(`Exception when ${role} the leader: ${message}`)
      await following.stop(`Exception when ${role} the leader`)
      await this.#rest()
    }
  }

  /** A leader that this server never gets in step with is not asked for everything over and over without a pause. */
  async #rest(): Promise<void> {
    const tries = this.#fruitless++
    if (tries < promptTries) return
    const pauseMs = Math.min(this.#settings.values.tickTime, firstRestMs * 2 ** (tries - promptTries))
    await new Promise<void>(resolve => {
      this.#restTimer = this.#clock.after(pauseMs, resolve)
    })
  }

  /** Where an observer may learn: with `observerMasterPort` from any voter but the leader, each time beginning at another. */
  #mastersUnder(leader: Peer): Master[] {
    const port = this.#settings.values.observerMasterPort
    if (port === 0) return atQuorumPort(leader)
    const masters = votersOf(this.membership.committed)
      .filter(({ sid }) => sid !== leader.sid)
      .flatMap(({ sid, endpoints }) => endpoints.map(({ host }) => ({ sid, host, port })))
    // A leader that is the only voter has no followers.
    if (masters.length === 0) return atQuorumPort(leader)
    const first = this.#masterTurn++ % masters.length
    return [...masters.slice(first), ...masters.slice(0, first)]
  }

  // ---- for operators ----------------------------------------------------------------------------------------------------------------

  /** `leading - broadcast`, `following - synchronization - diff`, `looking` */
  get stateText(): string {
    const current = this.#current
    if (current instanceof Leading) return `leading - ${current.leader.phase}`
    if (current instanceof Following) {
      const mode = current.learner.phase === 'synchronization' ? ` - ${current.learner.syncMode}` : ''
      return `${this.#own.isObserver ? 'observing' : 'following'} - ${current.learner.phase}${mode}`
    }
    return 'looking - election'
  }

  /** An observer: whom it learns from, −1 while that is nobody; null for a voter. */
  get observerMaster(): bigint | null {
    if (!this.#own.isObserver) return null
    return (this.#current instanceof Following ? this.#current.master : null) ?? -1n
  }

  get proposalSizes(): { last: number; min: number; max: number } {
    return this.#current instanceof Leading ? this.#current.proposalSizes : { last: -1, min: -1, max: -1 }
  }

  monitor(): [string, string | number][] {
    const rows: [string, string | number][] = [['quorum_size', this.membership.currentRule.voters.size]]
    if (this.#current instanceof Following && this.#current.observers !== null)
      rows.push(['synced_observers', this.#current.observers])
    if (!(this.#current instanceof Leading)) return rows
    const { learners, synced, observers } = this.#current.followers
    const { last, min, max } = this.#current.proposalSizes
    rows.push(
      ['learners', learners],
      ['synced_followers', synced],
      ['synced_non_voting_followers', 0],
      ['synced_observers', observers],
      ['leader_uptime', Math.round(this.#clock.monotonicMs() - this.#current.servingSinceMs)],
      ['last_proposal_size', last],
      ['max_proposal_size', max],
      ['min_proposal_size', min],
      ['proposal_count', this.#current.leader.outstandingCount],
    )
    return rows
  }
}

function atQuorumPort(peer: Peer): Master[] {
  return quorumAddresses(peer).map(address => ({ ...address, sid: peer.sid }))
}

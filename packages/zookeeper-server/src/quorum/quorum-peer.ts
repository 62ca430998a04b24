import { MalformedBytesError } from '@vivarium/bytes'
import { AssertionError, background, type Clock, type Log, type Timer } from '@vivarium/platform'
import {
  Election,
  hierarchical,
  LearnerError,
  majority,
  type PeerState,
  peerState,
  type QuorumRule,
  type Vote,
} from '@vivarium/zab'
import { formatZxid } from '@vivarium/zookeeper-protocol'
import { cannotBind, type ServerWorld } from '../server.ts'
import type { PeerAddress, ServerSettings } from '../settings.ts'
import type { ServerStats } from '../stats.ts'
import { ElectionConnections } from './election-connections.ts'
import { decodeNotification, encodeNotification } from './election-messages.ts'
import { EpochFiles } from './epoch-files.ts'
import { Following } from './following.ts'
import { Leading } from './leading.ts'
import type { MemberContext } from './member.ts'
import type { Replica } from './replica.ts'

const finalizeMs = 200
/** A quorum that is lost for so long may stay lost. Source: QuorumPeer's wait before it starts its read-only server. */
const readOnlyAfterMs = 2_000
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
  readonly #quorum: NonNullable<ServerSettings['quorum']>
  readonly #own: PeerAddress
  readonly #rule: QuorumRule
  readonly #connections: ElectionConnections
  readonly #election: Election
  readonly configText: string
  #epochs: EpochFiles | null = null
  #electionTimer: Timer | null = null
  #readOnlyTimer: Timer | null = null
  #decided: ((state: PeerState) => void) | null = null
  #current: Leading | Following | null = null
  #isStopped = false
  #needsDatabase = false
  #lostQuorumAtMs: number

  constructor(
    world: ServerWorld,
    settings: ServerSettings,
    replica: Replica,
    stats: ServerStats,
    onFailure: (error: Error) => void,
  ) {
    this.#world = world
    this.#settings = settings
    this.#replica = replica
    this.#stats = stats
    this.#onFailure = onFailure
    this.#clock = world.clock
    this.#log = world.log.named('QuorumPeer')
    this.#quorum = settings.quorum!
    const { sid, peers, groups, weights } = this.#quorum
    this.#own = peers.find(peer => peer.sid === sid)!
    const voters = peers.filter(peer => !peer.isObserver).map(peer => peer.sid)
    this.#rule = groups.size > 0 ? hierarchical(groups.values(), weights) : majority(voters)
    this.configText = configTextOf(settings)
    this.#lostQuorumAtMs = world.clock.monotonicMs()
    const { values } = settings
    this.#connections = new ElectionConnections(
      world,
      {
        myId: sid,
        own: { host: this.#own.host, port: this.#own.electionPort },
        addresses: new Map(peers.map(peer => [peer.sid, { host: peer.host, port: peer.electionPort }])),
        connectTimeoutMs: values.cnxTimeout,
      },
      (from, frame) => this.#receiveNotification(from, frame),
      (sid, isReachable) => {
        this.#election.reachable(sid, isReachable, this.#clock.monotonicMs())
        this.#scheduleElection()
      },
    )
    this.#election = new Election(
      {
        myId: sid,
        rule: this.#rule,
        minNotificationMs: values['fastleader.minNotificationInterval'],
        maxNotificationMs: values['fastleader.maxNotificationInterval'],
        finalizeMs,
      },
      {
        send: (to, vote, state) =>
          this.#connections.send(to, encodeNotification(vote, state, this.configText)),
        reconnect: () => this.#connections.connectAll(),
        decided: (vote, state) => this.#onDecided(vote, state),
      },
    )
  }

  async start(): Promise<void> {
    const host = this.#settings.values.quorumListenOnAllIPs ? '0.0.0.0' : this.#own.host
    const address = { host, port: this.#own.electionPort }
    this.#epochs = await EpochFiles.open(
      this.#world.disk,
      this.#settings.dataDir,
      this.#replica.lastLoggedZxid,
      this.#log,
    )
    this.#replica.setConfig(this.configText)
    try {
      await this.#connections.start(address)
    } catch (error) {
      throw cannotBind(
        error as NodeJS.ErrnoException,
        address,
        `server.${this.#own.sid}`,
        this.#settings.file,
      )
    }
    background(this.#run(), this.#onFailure)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#electionTimer?.cancel()
    this.#readOnlyTimer?.cancel()
    await this.#current?.stop('shutdown of this server')
    await this.#connections.stop()
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const startedMs = this.#clock.monotonicMs()
      this.#stats.lookings++
      const state = await this.#lookForLeader()
      if (this.#isStopped) return
      const tookMs = this.#clock.monotonicMs() - startedMs
      this.#stats.electionMs.add(tookMs)
      const name = stateNames[state]
      this.#log.info(name)
      this.#log
        .named(name === 'LEADING' ? 'Leader' : 'Follower')
        .info(`${name} - LEADER ELECTION TOOK - ${Math.round(tookMs)} MS`)
      if (state === peerState.LEADING) await this.#lead()
      else await this.#follow(this.#election.vote.leader)
      this.#current = null
      this.#lostQuorumAtMs = this.#clock.monotonicMs()
      // Never vote with memory ahead of disk.
      await this.#replica.flush()
    }
  }

  // ---- election ------------------------------------------------------------------------------------------------------------

  #lookForLeader(): Promise<PeerState> {
    this.#log.info('LOOKING')
    const lastZxid = this.#replica.lastLoggedZxid
    this.#log
      .named('FastLeaderElection')
      .info(`New election. My id = ${this.#own.sid}, proposed zxid=0x${formatZxid(lastZxid)}`)
    const { values } = this.#settings
    const canBeReadOnly = values['readonlymode.enabled'] && !this.#own.isObserver
    this.#readOnlyTimer = canBeReadOnly
      ? this.#clock.after(Math.max(readOnlyAfterMs, values.tickTime), () => this.#replica.startReadOnly())
      : null
    return new Promise(resolve => {
      this.#decided = state => {
        this.#readOnlyTimer?.cancel()
        this.#replica.stopServing('an election has ended')
        resolve(state)
      }
      this.#election.start({ lastZxid, peerEpoch: this.#epochs!.current }, this.#clock.monotonicMs())
      this.#scheduleElection()
    })
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
      this.#election.received(n, this.#clock.monotonicMs())
      this.#scheduleElection()
    } catch (error) {
      if (!(error instanceof MalformedBytesError)) throw error
      this.#log.named('FastLeaderElection').warn(`Ignoring a message: ${error.message}`)
    }
  }

  #onDecided(_vote: Vote, state: PeerState): void {
    const decided = this.#decided
    this.#decided = null
    decided?.(state)
  }

  // ---- leading and following ----------------------------------------------------------------------------------------------------

  #context(): MemberContext {
    const { values } = this.#settings
    return {
      myId: this.#own.sid,
      own: this.#own,
      rule: this.#rule,
      replica: this.#replica,
      network: this.#world.network,
      clock: this.#clock,
      log: this.#world.log,
      tickMs: values.tickTime,
      initLimit: values.initLimit!,
      syncLimit: values.syncLimit!,
      connectRetryMs: values.leaderConnectDelayDuringRetryMs,
      listenOnAll: values.quorumListenOnAllIPs,
      logSyncBytes: values.snapshotSizeFactor < 0 ? 0 : 64 * 1024 * 1024,
      configText: this.configText,
      needsDatabase: this.#needsDatabase,
      databaseNeeded: isNeeded => {
        this.#needsDatabase = isNeeded
      },
      established: epoch => {
        this.#election.epochEstablished(epoch)
        this.#stats.unavailableMs.add(this.#clock.monotonicMs() - this.#lostQuorumAtMs)
        this.#log.info(`Peer state changed: ${this.stateText}`)
      },
      onFailure: this.#onFailure,
    }
  }

  async #lead(): Promise<void> {
    const leading = new Leading(this.#context(), this.#epochs!)
    this.#current = leading
    let reason: string
    try {
      reason = await leading.run()
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code
      if (code === 'EADDRINUSE' || code === 'EACCES') {
        const address = { host: this.#own.host, port: this.#own.quorumPort }
        throw cannotBind(
          error as NodeJS.ErrnoException,
          address,
          `server.${this.#own.sid}`,
          this.#settings.file,
        )
      }
      if (error instanceof AssertionError) throw error
      reason = (error as Error).message
    }
    this.#log.named('Leader').info(`Shutdown called. For the reason ${reason}`)
    if (!this.#isStopped) await leading.stop(reason)
  }

  async #follow(leaderSid: bigint): Promise<void> {
    const leader = this.#quorum.peers.find(peer => peer.sid === leaderSid)
    if (leader === undefined) throw new Error(`the elected leader, ${leaderSid}, is not in the configuration`)
    const following = new Following(this.#context(), this.#epochs!)
    this.#current = following
    const role = this.#own.isObserver ? 'observing' : 'following'
    try {
      await following.run(leader)
    } catch (error) {
      if (this.#isStopped) return
      if (error instanceof AssertionError) throw error
      if (error instanceof LearnerError && error.exitCode !== null) throw error
      const { message } = error as Error
      this.#log
        .named(this.#own.isObserver ? 'Observer' : 'Follower')
        .warn(`Exception when ${role} the leader: ${message}`)
      await following.stop(`Exception when ${role} the leader`)
    }
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

  get proposalSizes(): { last: number; min: number; max: number } {
    return this.#current instanceof Leading ? this.#current.proposalSizes : { last: -1, min: -1, max: -1 }
  }

  monitor(): [string, string | number][] {
    const rows: [string, string | number][] = [['quorum_size', this.#rule.voters.size]]
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

/** The members as text, in the order of their numbers. Source: QuorumVerifier.toString. */
function configTextOf(settings: ServerSettings): string {
  const { peers, groups, weights } = settings.quorum!
  const lines = [...peers]
    .sort((a, b) => (a.sid < b.sid ? -1 : 1))
    .map(peer => {
      const host = peer.host.includes(':') ? `[${peer.host}]` : peer.host
      const client = peer.client === null ? '' : `;${peer.client.host}:${peer.client.port}`
      return `server.${peer.sid}=${host}:${peer.quorumPort}:${peer.electionPort}:${peer.isObserver ? 'observer' : 'participant'}${client}`
    })
  for (const [group, members] of groups) lines.push(`group.${group}=${members.join(':')}`)
  for (const [sid, weight] of weights) lines.push(`weight.${sid}=${weight}`)
  return [...lines, 'version=0'].join('\n')
}

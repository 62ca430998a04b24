import { errorCode } from '@vivarium/kafka-protocol'

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

export interface MemberProtocol {
  readonly name: string
  readonly metadata: Buffer
}

/** What a client says of itself when it joins. */
export interface JoinRequest {
  memberId: string
  groupInstanceId: string | null
  clientId: string
  clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocolType: string
  protocols: readonly MemberProtocol[]
  /** Whether the client can be sent away once to learn its member id (KIP-394; JoinGroup v4). */
  canLearnId: boolean
  /** Whether a static member that leads may be told not to assign (KIP-814; JoinGroup v9). */
  canSkipAssignment: boolean
}

export interface JoinResult {
  errorCode: number
  generationId: number
  protocolType: string | null
  protocolName: string | null
  leader: string
  memberId: string
  skipAssignment: boolean
  /** For the leader: everybody's metadata. */
  members: { memberId: string; groupInstanceId: string | null; metadata: Buffer }[]
}

export interface SyncResult {
  errorCode: number
  assignment: Buffer
}

export interface Member {
  id: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocols: readonly MemberProtocol[]
  assignment: Buffer
  expiresAtMs: number
  /** Waits for the rebalance to complete. */
  joining: ((result: JoinResult) => void) | null
  /** Waits for the leader's assignment. */
  syncing: ((result: SyncResult) => void) | null
}

export interface GroupOptions {
  minSessionTimeoutMs: number
  maxSessionTimeoutMs: number
  maxSize: number
  initialDelayMs: number
}

export interface GroupEffects {
  /** An id nobody else has, beginning with what the client calls itself. */
  newMemberId(prefix: string): string
  /** Write the group down; call `done` with 0, or with the error its members are answered. */
  persist(group: Group, done: (errorCode: number) => void): void
}

/** A member that has not joined for the first time may take this long to. */
const firstJoinMs = 300_000
const nothing = Buffer.alloc(0)

/**
 * A group of consumers (or connectors, …) in the classic protocol: who is in it, and which generation shares the work how.
 * Pure: requests and time come in; answers go out through the callbacks they came with.
 *
 * Source: GroupMetadata and GroupCoordinator of Kafka 3.9.
 */
export class Group {
  readonly id: string
  readonly #options: GroupOptions
  readonly #effects: GroupEffects
  state: GroupState = 'Empty'
  generation = 0
  protocolType: string | null = null
  protocol: string | null = null
  leader: string | null = null
  /** When the state last changed, by the wall clock; offsets of an empty group age from then. */
  stateSinceMs: number
  readonly members = new Map<string, Member>()
  readonly #static = new Map<string, string>()
  /** Ids that were given out and not used yet, with the moment they lapse. */
  readonly #pending = new Map<string, number>()
  #rebalanceEndsAtMs = Number.POSITIVE_INFINITY
  /** From Empty the first members wait for more: until then the rebalance does not complete. */
  #mayCompleteAtMs = 0
  #latestDelayMs = 0
  #syncEndsAtMs = Number.POSITIVE_INFINITY

  constructor(id: string, options: GroupOptions, effects: GroupEffects, wallMs: number) {
    this.id = id
    this.#options = options
    this.#effects = effects
    this.stateSinceMs = wallMs
  }

  // ---- joining ----------------------------------------------------------------------------------------------------------

  join(request: JoinRequest, nowMs: number, answer: (result: JoinResult) => void): void {
    const refuse = (code: number, memberId = request.memberId) => answer(failedJoin(code, memberId))
    const { memberId, sessionTimeoutMs } = request
    if (
      sessionTimeoutMs < this.#options.minSessionTimeoutMs ||
      sessionTimeoutMs > this.#options.maxSessionTimeoutMs
    ) {
      return refuse(errorCode.INVALID_SESSION_TIMEOUT)
    }
    if (this.state === 'Dead') return refuse(errorCode.COORDINATOR_NOT_AVAILABLE)
    if (!this.#accepts(memberId)) return refuse(errorCode.GROUP_MAX_SIZE_REACHED)
    if (!this.#supports(request)) return refuse(errorCode.INCONSISTENT_GROUP_PROTOCOL)
    if (memberId === '') return this.#joinNew(request, nowMs, answer)
    if (this.#pending.has(memberId)) {
      this.#pending.delete(memberId)
      return this.#add(memberId, request, nowMs, answer)
    }
    const error = this.checkMember(memberId, request.groupInstanceId)
    if (error !== errorCode.NONE) return refuse(error)
    this.#rejoin(this.members.get(memberId)!, request, nowMs, answer)
  }

  #accepts(memberId: string): boolean {
    if (this.members.has(memberId)) return true
    return this.members.size + (this.#pending.has(memberId) ? 0 : this.#pending.size) < this.#options.maxSize
  }

  #supports({ memberId, protocolType, protocols }: JoinRequest): boolean {
    if (protocolType === '' || protocols.length === 0) return false
    const others = [...this.members.values()].filter(member => member.id !== memberId)
    if (others.length === 0) return true
    return (
      protocolType === this.protocolType &&
      protocols.some(({ name }) => others.every(other => other.protocols.some(p => p.name === name)))
    )
  }

  #joinNew(request: JoinRequest, nowMs: number, answer: (result: JoinResult) => void): void {
    const { groupInstanceId, clientId, canLearnId, sessionTimeoutMs } = request
    if (groupInstanceId !== null) {
      const known = this.#static.get(groupInstanceId)
      const id = this.#effects.newMemberId(groupInstanceId)
      if (known === undefined) return this.#add(id, request, nowMs, answer)
      return this.#replaceStatic(this.members.get(known)!, id, request, nowMs, answer)
    }
    const id = this.#effects.newMemberId(clientId)
    if (!canLearnId) return this.#add(id, request, nowMs, answer)
    this.#pending.set(id, nowMs + sessionTimeoutMs)
    answer(failedJoin(errorCode.MEMBER_ID_REQUIRED, id))
  }

  #add(id: string, request: JoinRequest, nowMs: number, answer: (result: JoinResult) => void): void {
    const member: Member = {
      id,
      groupInstanceId: request.groupInstanceId,
      clientId: request.clientId,
      clientHost: request.clientHost,
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
      protocols: request.protocols,
      assignment: nothing,
      expiresAtMs: nowMs + firstJoinMs,
      joining: answer,
      syncing: null,
    }
    if (this.members.size === 0) this.protocolType = request.protocolType
    this.members.set(id, member)
    if (member.groupInstanceId !== null) this.#static.set(member.groupInstanceId, id)
    this.leader ??= id
    if (this.state === 'PreparingRebalance' && this.#mayCompleteAtMs > nowMs) {
      // More may be coming: wait as long again, within what was allowed at the start.
      this.#mayCompleteAtMs = Math.min(nowMs + this.#options.initialDelayMs, this.#latestDelayMs)
    }
    this.#prepareRebalance(nowMs)
  }

  /** A static member came back, after a restart, under its instance id: it takes the place of its former self (KIP-345). */
  #replaceStatic(
    former: Member,
    id: string,
    request: JoinRequest,
    nowMs: number,
    answer: (result: JoinResult) => void,
  ): void {
    former.joining?.(failedJoin(errorCode.FENCED_INSTANCE_ID, former.id))
    former.syncing?.(failedSync(errorCode.FENCED_INSTANCE_ID))
    const sameChoice = request.protocols.find(p => p.name === this.protocol)
    const formerChoice = former.protocols.find(p => p.name === this.protocol)
    const member: Member = {
      ...former,
      id,
      joining: null,
      syncing: null,
      protocols: request.protocols,
      sessionTimeoutMs: request.sessionTimeoutMs,
      rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    }
    this.members.delete(former.id)
    this.members.set(id, member)
    this.#static.set(member.groupInstanceId!, id)
    const wasLeader = this.leader === former.id
    if (wasLeader) this.leader = id
    member.expiresAtMs = nowMs + member.sessionTimeoutMs
    const unchanged =
      sameChoice !== undefined &&
      formerChoice !== undefined &&
      sameChoice.metadata.equals(formerChoice.metadata)
    if (this.state === 'Stable' && unchanged) {
      const leaderToName = wasLeader && !request.canSkipAssignment ? former.id : this.leader!
      return this.#effects.persist(this, code =>
        answer(
          code === errorCode.NONE
            ? {
                ...this.#joined(member),
                leader: leaderToName,
                skipAssignment: wasLeader && request.canSkipAssignment,
              }
            : failedJoin(code, id),
        ),
      )
    }
    member.joining = answer
    this.#prepareRebalance(nowMs)
  }

  #rejoin(member: Member, request: JoinRequest, nowMs: number, answer: (result: JoinResult) => void): void {
    const isChanged = !sameProtocols(member.protocols, request.protocols)
    const needsRebalance =
      this.state === 'PreparingRebalance' ||
      this.state === 'Empty' ||
      isChanged ||
      (this.state === 'Stable' && member.id === this.leader)
    if (!needsRebalance) return answer(this.#joined(member))
    member.protocols = request.protocols
    member.sessionTimeoutMs = request.sessionTimeoutMs
    member.rebalanceTimeoutMs = request.rebalanceTimeoutMs
    member.joining?.(failedJoin(errorCode.UNKNOWN_MEMBER_ID, member.id))
    member.joining = answer
    this.#prepareRebalance(nowMs)
  }

  #prepareRebalance(nowMs: number): void {
    if (this.state !== 'PreparingRebalance') {
      for (const member of this.members.values()) {
        member.syncing?.(failedSync(errorCode.REBALANCE_IN_PROGRESS))
        member.syncing = null
        member.assignment = this.state === 'CompletingRebalance' ? nothing : member.assignment
      }
      const timeoutMs = this.#longestRebalanceMs()
      const isFirst = this.state === 'Empty'
      this.#mayCompleteAtMs = isFirst ? nowMs + this.#options.initialDelayMs : 0
      this.#latestDelayMs = nowMs + timeoutMs
      this.#rebalanceEndsAtMs = nowMs + Math.max(timeoutMs, this.#options.initialDelayMs)
      this.#syncEndsAtMs = Number.POSITIVE_INFINITY
      this.#moveTo('PreparingRebalance')
    }
    this.#completeIfAllJoined(nowMs)
  }

  #longestRebalanceMs(): number {
    let longest = 0
    for (const { rebalanceTimeoutMs } of this.members.values())
      longest = Math.max(longest, rebalanceTimeoutMs)
    return longest
  }

  #completeIfAllJoined(nowMs: number): void {
    if (this.state !== 'PreparingRebalance' || nowMs < this.#mayCompleteAtMs || this.#pending.size > 0) return
    for (const member of this.members.values()) if (member.joining === null) return
    this.#completeJoin(nowMs)
  }

  #completeJoin(nowMs: number): void {
    for (const member of [...this.members.values()]) {
      if (member.joining === null && member.groupInstanceId === null) this.#remove(member)
    }
    const joined = [...this.members.values()].filter(member => member.joining !== null)
    if (this.members.size > 0 && joined.length === 0) {
      // Only static members are left and none has come back yet: wait for them again.
      this.#rebalanceEndsAtMs = nowMs + this.#longestRebalanceMs()
      return
    }
    this.generation++
    this.#rebalanceEndsAtMs = Number.POSITIVE_INFINITY
    this.#mayCompleteAtMs = 0
    if (this.members.size === 0) {
      this.protocol = null
      this.leader = null
      this.#moveTo('Empty')
      this.#effects.persist(this, () => {})
      return
    }
    if (this.members.get(this.leader ?? '')?.joining == null) this.leader = joined[0]!.id
    this.protocol = this.#elect()
    this.#syncEndsAtMs = nowMs + this.#longestRebalanceMs()
    this.#moveTo('CompletingRebalance')
    for (const member of joined) {
      const answer = member.joining!
      member.joining = null
      member.expiresAtMs = nowMs + member.sessionTimeoutMs
      answer(this.#joined(member))
    }
  }

  /** Of the protocols everybody knows, the one most put first. */
  #elect(): string {
    const members = [...this.members.values()]
    const candidates = members[0]!.protocols
      .map(p => p.name)
      .filter(name => members.every(m => m.protocols.some(p => p.name === name)))
    const votes = new Map<string, number>()
    for (const member of members) {
      const vote = member.protocols.find(p => candidates.includes(p.name))!.name
      votes.set(vote, (votes.get(vote) ?? 0) + 1)
    }
    return [...votes].reduce((best, vote) => (vote[1] > best[1] ? vote : best))[0]
  }

  #joined(member: Member): JoinResult {
    const isLeader = member.id === this.leader
    return {
      errorCode: errorCode.NONE,
      generationId: this.generation,
      protocolType: this.protocolType,
      protocolName: this.protocol,
      leader: this.leader ?? '',
      memberId: member.id,
      skipAssignment: false,
      members: isLeader
        ? [...this.members.values()].map(m => ({
            memberId: m.id,
            groupInstanceId: m.groupInstanceId,
            metadata: this.#metadataOf(m),
          }))
        : [],
    }
  }

  #metadataOf(member: Member): Buffer {
    return member.protocols.find(p => p.name === this.protocol)?.metadata ?? nothing
  }

  // ---- the assignment ---------------------------------------------------------------------------------------------------------

  sync(
    request: {
      memberId: string
      groupInstanceId: string | null
      generationId: number
      protocolType: string | null
      protocolName: string | null
      assignments: readonly { memberId: string; assignment: Buffer }[]
    },
    nowMs: number,
    answer: (result: SyncResult) => void,
  ): void {
    if (this.state === 'Dead') return answer(failedSync(errorCode.COORDINATOR_NOT_AVAILABLE))
    const error = this.checkMember(request.memberId, request.groupInstanceId)
    if (error !== errorCode.NONE) return answer(failedSync(error))
    if (request.generationId !== this.generation) return answer(failedSync(errorCode.ILLEGAL_GENERATION))
    const { protocolType, protocolName } = request
    if (
      (protocolType !== null && protocolType !== this.protocolType) ||
      (protocolName !== null && protocolName !== this.protocol)
    ) {
      return answer(failedSync(errorCode.INCONSISTENT_GROUP_PROTOCOL))
    }
    const member = this.members.get(request.memberId)!
    switch (this.state) {
      case 'Empty':
        return answer(failedSync(errorCode.UNKNOWN_MEMBER_ID))
      case 'PreparingRebalance':
        return answer(failedSync(errorCode.REBALANCE_IN_PROGRESS))
      case 'Stable':
        this.#heard(member, nowMs)
        return answer({ errorCode: errorCode.NONE, assignment: member.assignment })
      case 'CompletingRebalance':
        this.#heard(member, nowMs)
        member.syncing?.(failedSync(errorCode.UNKNOWN_MEMBER_ID))
        member.syncing = answer
        if (member.id === this.leader) this.#assign(request.assignments, nowMs)
    }
  }

  #assign(assignments: readonly { memberId: string; assignment: Buffer }[], nowMs: number): void {
    for (const member of this.members.values()) {
      const given = assignments.find(one => one.memberId === member.id)
      member.assignment = given === undefined ? nothing : Buffer.from(given.assignment)
    }
    const { generation } = this
    this.#effects.persist(this, code => {
      // Another rebalance may have begun while this one was written down.
      if (this.state !== 'CompletingRebalance' || this.generation !== generation) return
      if (code !== errorCode.NONE) {
        for (const member of this.members.values()) {
          member.assignment = nothing
          member.syncing?.(failedSync(code))
          member.syncing = null
        }
        return this.#prepareRebalance(nowMs)
      }
      this.#syncEndsAtMs = Number.POSITIVE_INFINITY
      this.#moveTo('Stable')
      for (const member of this.members.values()) {
        member.syncing?.({ errorCode: errorCode.NONE, assignment: member.assignment })
        member.syncing = null
      }
    })
  }

  // ---- staying and leaving ------------------------------------------------------------------------------------------------------

  heartbeat(memberId: string, groupInstanceId: string | null, generationId: number, nowMs: number): number {
    if (this.state === 'Dead') return errorCode.COORDINATOR_NOT_AVAILABLE
    const error = this.checkMember(memberId, groupInstanceId)
    if (error !== errorCode.NONE) return error
    if (generationId !== this.generation) return errorCode.ILLEGAL_GENERATION
    if (this.state === 'Empty') return errorCode.UNKNOWN_MEMBER_ID
    this.#heard(this.members.get(memberId)!, nowMs)
    return this.state === 'PreparingRebalance' ? errorCode.REBALANCE_IN_PROGRESS : errorCode.NONE
  }

  leave(memberId: string, groupInstanceId: string | null, nowMs: number): number {
    if (this.state === 'Dead') return errorCode.COORDINATOR_NOT_AVAILABLE
    const id =
      memberId === '' && groupInstanceId !== null ? (this.#static.get(groupInstanceId) ?? '') : memberId
    if (this.#pending.delete(id)) {
      this.#completeIfAllJoined(nowMs)
      return errorCode.NONE
    }
    const error = this.checkMember(id, groupInstanceId)
    if (error !== errorCode.NONE) return error
    this.#removeAndRebalance(this.members.get(id)!, nowMs)
    return errorCode.NONE
  }

  /** Whether offsets may be committed by whoever says to be this member of this generation; the error, or 0. */
  checkCommit(memberId: string, groupInstanceId: string | null, generationId: number, nowMs: number): number {
    if (this.state === 'Dead') return errorCode.COORDINATOR_NOT_AVAILABLE
    if (generationId < 0 && memberId === '' && groupInstanceId === null) {
      return this.state === 'Empty' ? errorCode.NONE : errorCode.UNKNOWN_MEMBER_ID
    }
    if (generationId < 0 && this.state === 'Empty') return errorCode.NONE
    const error = this.checkMember(memberId, groupInstanceId)
    if (error !== errorCode.NONE) return error
    if (generationId !== this.generation) return errorCode.ILLEGAL_GENERATION
    if (this.state === 'CompletingRebalance') return errorCode.REBALANCE_IN_PROGRESS
    this.#heard(this.members.get(memberId)!, nowMs)
    return errorCode.NONE
  }

  /** Whether such a member is in the group; the error, or 0. */
  checkMember(memberId: string, groupInstanceId: string | null): number {
    if (groupInstanceId !== null) {
      const known = this.#static.get(groupInstanceId)
      if (known === undefined) return errorCode.UNKNOWN_MEMBER_ID
      if (known !== memberId) return errorCode.FENCED_INSTANCE_ID
    }
    return this.members.has(memberId) ? errorCode.NONE : errorCode.UNKNOWN_MEMBER_ID
  }

  #heard(member: Member, nowMs: number): void {
    member.expiresAtMs = nowMs + member.sessionTimeoutMs
  }

  #remove(member: Member): void {
    this.members.delete(member.id)
    if (member.groupInstanceId !== null) this.#static.delete(member.groupInstanceId)
    member.joining?.(failedJoin(errorCode.UNKNOWN_MEMBER_ID, member.id))
    member.syncing?.(failedSync(errorCode.UNKNOWN_MEMBER_ID))
    if (this.leader === member.id) this.leader = this.members.keys().next().value ?? null
  }

  #removeAndRebalance(member: Member, nowMs: number): void {
    this.#remove(member)
    if (this.state === 'Stable' || this.state === 'CompletingRebalance') this.#prepareRebalance(nowMs)
    else this.#completeIfAllJoined(nowMs)
  }

  /** Time passes: sessions end, rebalances complete without those who did not come. */
  elapse(nowMs: number): void {
    for (const [id, lapsesAtMs] of this.#pending) if (lapsesAtMs <= nowMs) this.#pending.delete(id)
    for (const member of [...this.members.values()]) {
      // Whoever waits for an answer of ours is alive.
      if (member.expiresAtMs <= nowMs && member.joining === null && member.syncing === null)
        this.#removeAndRebalance(member, nowMs)
    }
    if (this.state === 'PreparingRebalance') {
      if (nowMs >= this.#rebalanceEndsAtMs) this.#completeJoin(nowMs)
      else this.#completeIfAllJoined(nowMs)
    } else if (this.state === 'CompletingRebalance' && nowMs >= this.#syncEndsAtMs) {
      for (const member of [...this.members.values()]) if (member.syncing === null) this.#remove(member)
      this.#prepareRebalance(nowMs)
    }
  }

  /** The coordinator moves elsewhere, or the group is deleted: everybody who waits is told. */
  end(code: number): void {
    for (const member of this.members.values()) {
      member.joining?.(failedJoin(code, member.id))
      member.syncing?.(failedSync(code))
      member.joining = null
      member.syncing = null
    }
    this.#moveTo('Dead')
  }

  /** Topics its members read, so that their offsets are not deleted under them; null when that cannot be told. */
  get metadata(): readonly Buffer[] {
    return [...this.members.values()].map(member => this.#metadataOf(member))
  }

  metadataOf(member: Member): Buffer {
    return this.#metadataOf(member)
  }

  /** Restores a group that was written down. Its members have a session's time to be heard from. */
  restore(
    saved: {
      generation: number
      protocolType: string
      protocol: string | null
      leader: string | null
      stateSinceMs: number
      members: readonly Omit<Member, 'expiresAtMs' | 'joining' | 'syncing'>[]
    },
    nowMs: number,
  ): void {
    this.generation = saved.generation
    this.protocolType = saved.protocolType === '' ? null : saved.protocolType
    this.protocol = saved.protocol
    this.leader = saved.leader
    for (const member of saved.members) {
      this.members.set(member.id, {
        ...member,
        expiresAtMs: nowMs + member.sessionTimeoutMs,
        joining: null,
        syncing: null,
      })
      if (member.groupInstanceId !== null) this.#static.set(member.groupInstanceId, member.id)
    }
    this.state = saved.members.length === 0 ? 'Empty' : 'Stable'
    if (saved.stateSinceMs >= 0) this.stateSinceMs = saved.stateSinceMs
  }

  /** Set by the coordinator at every change, since the machine itself knows no calendar. */
  onStateChange: (group: Group) => void = () => {}

  #moveTo(state: GroupState): void {
    this.state = state
    this.onStateChange(this)
  }
}

function failedJoin(code: number, memberId: string): JoinResult {
  return {
    errorCode: code,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    memberId,
    skipAssignment: false,
    members: [],
  }
}

function failedSync(code: number): SyncResult {
  return { errorCode: code, assignment: nothing }
}

function sameProtocols(a: readonly MemberProtocol[], b: readonly MemberProtocol[]): boolean {
  return (
    a.length === b.length &&
    a.every((protocol, i) => protocol.name === b[i]!.name && protocol.metadata.equals(b[i]!.metadata))
  )
}

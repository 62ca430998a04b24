import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ByteReader } from '@vivarium/bytes'
import { Chance } from '@vivarium/simulator'
import {
  create2Response,
  createResponse,
  encode,
  existsResponse,
  getAclRequest,
  getAclResponse,
  getAllChildrenNumberResponse,
  getChildren2Response,
  getChildrenRequest,
  getChildrenResponse,
  getDataRequest,
  getDataResponse,
  getEphemeralsResponse,
  opCode,
  readMultiResponse,
  setDataResponse,
  syncResponse,
  whoAmIResponse,
} from '@vivarium/zookeeper-protocol'
import { Processes } from '../../packages/zookeeper-server/test/quorum-processes.ts'
import { type Reply, WireClient } from '../../packages/zookeeper-server/test/wire-client.ts'
import { until } from './brokers.ts'
import { classpath, without } from './peers.ts'
import { type RandomRequest, RandomRequests } from './random-requests.ts'

// `SEED=7 STEPS=50000 npm run interop -- same-answers` looks further.
const seed = Number(process.env.SEED ?? 1)
const steps = Number(process.env.STEPS ?? 6_000)

/** Nobody in particular, the one whose ACLs are in use, and who may do everything. */
const identities = [null, 'bob:x', 'super:test']
const superDigest = 'super:D/InIHSb7yEEbrWz8b9l71RjZJU='
const shownBursts = 5
const patienceMs = 20_000

for (const [count, share] of [
  [1, 1],
  [3, 0.5],
] as const) {
  const where = count === 1 ? 'a server alone' : 'a follower'
  test(`${where} answers random requests as Apache’s does, in replies and events, and holds the same tree`, {
    skip: without('apache-3.9'),
  }, async () => {
    await using apaches = await Servers.start(count, (servers, id) =>
      servers.startApache(id, classpath('apache-3.9'), noReaping),
    )
    await using ours = await Servers.start(count, (servers, id) => servers.start(id))
    const chance = new Chance(seed)
    const requests = new RandomRequests(chance)
    const said: string[] = []
    for (let step = 0; step < steps * share; step++) {
      const from = chance.below(identities.length)
      const burst = chance.below(100) === 0 ? null : nextBurst(chance, requests)
      const what = burst === null ? 'comes back' : shown(burst.map(({ code, fields }) => [code, fields]))
      said.push(`${step}: client ${from} ${what}`)
      const context = () => `of seed ${seed}:\n${said.slice(-shownBursts).join('\n')}`
      const [expected, actual] = await Promise.all([
        soon(apaches.answer(from, burst), () => `Apache’s server is silent, ${context()}`),
        soon(ours.answer(from, burst), () => `Our server is silent, ${context()}`),
      ])
      assert.deepEqual(actual, expected, context())
    }
    assert.deepEqual(await ours.tree(), await apaches.tree())
  })
}

/**
 * Requests that are sent together. Nothing goes beside an auth, which waits for nobody, nor behind the end of a session, nor
 * behind a setACL: an ACL that is under way is not reckoned with by Apache's servers.
 */
function nextBurst(chance: Chance, requests: RandomRequests): RandomRequest[] {
  const burst = Array.from({ length: chance.between(1, 5) }, () => requests.next())
  const auth = burst.find(({ code }) => code === opCode.auth)
  if (auth !== undefined) return [auth]
  const end = burst.findIndex(({ code }) => code === opCode.closeSession || code === opCode.setACL)
  return end === -1 ? burst : burst.slice(0, end + 1)
}

/** Containers and TTL znodes stay: servers look for them at moments of their own. */
const noReaping = ['-Dznode.container.checkIntervalMs=2000000000']

async function soon<T>(answer: Promise<T>, complaint: () => string): Promise<T> {
  const { promise: silence, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(complaint())), patienceMs)
  try {
    return await Promise.race([answer, silence])
  } finally {
    clearTimeout(timer)
  }
}

/** A server, alone or as a follower of another, and its clients. */
class Servers implements AsyncDisposable {
  readonly #processes: Processes
  readonly #port: number
  readonly #clients: WireClient[] = []
  /** By the order in which they were made. */
  readonly #sessions: bigint[] = []

  private constructor(processes: Processes, port: number) {
    this.#processes = processes
    this.#port = port
  }

  static async start(count: number, start: (processes: Processes, id: number) => void): Promise<Servers> {
    const processes = await Processes.configure(count, {
      config: {
        extendedTypesEnabled: 'true',
        forceSync: 'no',
        maxSessionTimeout: 600_000,
        'znode.container.checkIntervalMs': 2_000_000_000,
        'DigestAuthenticationProvider.superDigest': superDigest,
      },
    })
    const ids = Array.from({ length: count }, (_, index) => index + 1)
    for (const id of ids) start(processes, id)
    const modes: (string | null)[] = []
    await until(
      async () => {
        for (const id of ids) modes[id - 1] = await processes.mode(id)
        return !modes.includes(null)
      },
      () => ids.map(id => processes.output(id)).join('\n'),
    )
    const servers = new Servers(processes, processes.port(1 + Math.max(0, modes.indexOf('follower'))))
    for (const index of identities.keys()) await servers.#open(index)
    return servers
  }

  async #open(index: number, before?: WireClient): Promise<void> {
    const session = before === undefined ? {} : { sessionId: before.sessionId, password: before.password }
    const client = await WireClient.connect(this.#port, { timeoutMs: 600_000, ...session })
    this.#clients[index] = client
    if (before === undefined) this.#sessions.push(client.sessionId)
    const identity = identities[index]!
    if (identity !== null) assert.equal(await client.authenticate('digest', identity), 0)
  }

  /**
   * What a client is answered, with the events before each answer, and what the others hear of it. null: it comes back to its
   * session on a new connection.
   */
  async answer(from: number, burst: readonly RandomRequest[] | null): Promise<unknown> {
    const client = this.#clients[from]!
    const replies: unknown[] = []
    if (burst === null) {
      client.socket.destroy()
      await this.#open(from, client)
      return replies
    }
    for (const { code, body, xid } of burst) client.send(code, body, xid)
    for (const { code } of burst) {
      const reply = await client.nextReply()
      assert.ok(reply !== null, `the server closed instead of answering operation ${code}`)
      const events = client.events.splice(0).map(eventText)
      replies.push(inOrder(events, code), this.#told(code, reply))
    }
    const last = burst.at(-1)!.code
    if (last === opCode.closeSession) await this.#open(from)
    const heard = []
    for (const other of this.#clients) heard.push(inOrder((await other.heard()).map(eventText), last))
    return { replies, heard }
  }

  #told(code: number, { xid, zxid, err, body }: Reply): unknown {
    const reader = new ByteReader(body)
    // Behind an error Apache's servers sometimes write what they had begun; no client reads it.
    const answer = err === 0 ? comparable(responses[code]?.(reader) ?? null, this.#sessions) : null
    if (err === 0) assert.equal(reader.remaining, 0, `bytes left of a reply to operation ${code}`)
    return { xid, zxid, err, answer }
  }

  /** Every znode, as who may do everything sees it. */
  async tree(path = '/'): Promise<Record<string, unknown>> {
    const client = this.#clients.at(-1)!
    const ask = async (code: number, body: Buffer) => this.#told(code, await client.call(code, body))
    const data = await ask(opCode.getData, encode(getDataRequest, { path, watch: false }))
    const acl = await ask(opCode.getACL, encode(getAclRequest, { path }))
    // It names the members' ports.
    const tree: Record<string, unknown> = path === '/zookeeper/config' ? {} : { [path]: { data, acl } }
    const body = encode(getChildrenRequest, { path, watch: false })
    const { body: listed, err } = await client.call(opCode.getChildren, body)
    const names = err === 0 ? getChildrenResponse.read(new ByteReader(listed)).children.sort() : []
    for (const name of names)
      Object.assign(tree, await this.tree(path === '/' ? `/${name}` : `${path}/${name}`))
    return tree
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.socket.destroy()
    await this.#processes[Symbol.asyncDispose]()
  }
}

const responses: Record<number, (reader: ByteReader) => unknown> = {
  [opCode.create]: createResponse.read,
  [opCode.create2]: create2Response.read,
  [opCode.createContainer]: create2Response.read,
  [opCode.createTTL]: create2Response.read,
  [opCode.exists]: existsResponse.read,
  [opCode.getData]: getDataResponse.read,
  [opCode.setData]: setDataResponse.read,
  [opCode.getACL]: getAclResponse.read,
  [opCode.setACL]: setDataResponse.read,
  [opCode.getChildren]: getChildrenResponse.read,
  [opCode.getChildren2]: getChildren2Response.read,
  [opCode.sync]: syncResponse.read,
  [opCode.multi]: readMultiResponse,
  [opCode.multiRead]: readMultiResponse,
  [opCode.addWatch]: reader => reader.int32(),
  [opCode.whoAmI]: whoAmIResponse.read,
  [opCode.getEphemerals]: getEphemeralsResponse.read,
  [opCode.getAllChildrenNumber]: getAllChildrenNumberResponse.read,
}

/** Without what differs from one server to the next: times, the ids of sessions, the order of what has none. */
function comparable(answer: unknown, sessions: readonly bigint[]): unknown {
  return JSON.parse(shown(answer), (name, value) => {
    if (name === 'ctime' || name === 'mtime') return '…'
    if (name === 'ephemeralOwner') {
      const index = sessions.indexOf(BigInt(value))
      return index === -1 ? value : `session ${index}`
    }
    return Array.isArray(value) && unordered.has(name)
      ? value.map(each => JSON.stringify(each)).sort()
      : value
  })
}

function eventText({ type, path, zxid }: { type: number; path: string; zxid: bigint }): string {
  return `${type} ${path} ${zxid}`
}

/** The ephemerals of a session go in whatever order. */
function inOrder(events: string[], code: number): string[] {
  return code === opCode.closeSession ? events.sort() : events
}

const unordered = new Set(['children', 'ephemerals', 'acl', 'clientInfo'])

function shown(value: unknown): string {
  return JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? String(each) : each))
}
